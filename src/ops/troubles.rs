//! The tenants that a run left in trouble, counted by the reason.

use std::collections::BTreeMap;

use crate::{
    applier::Outcome,
    memory::Failure,
    model::{shown, told_id},
    report::Report,
};

/// At most this many ids of one reason are kept.
pub(super) const IDS: usize = 20;

const WAITS: &str = "it failed before, and waits for its next try";

/// The tenants that a run could not plan or write, by reason.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    pub(super) invalid: BTreeMap<String, Tenants>,
    pub(super) failing: BTreeMap<String, Tenants>,
}

/// Tenants with one reason.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    pub(super) count: usize,
    /// The reason without what it quotes.
    pub(super) in_public: String,
    /// Some of them.
    pub(super) ids: Vec<String>,
}

impl Troubles {
    pub(super) fn of(report: &Report) -> Self {
        let plan = &report.run.plan;
        let mut troubles = Self::default();
        for invalid in &plan.invalid {
            let reason = plan.reason(invalid, false);
            let id = invalid.provided_id.as_deref();
            let row = id.and_then(|id| plan.index.row(id));
            let parent = row.and_then(|row| plan.index.parent_provided_id(row));
            let others: Vec<_> = id.into_iter().chain(parent.as_deref()).collect();
            troubles.invalid.entry(reason.clone().into_owned()).or_default().add(&reason, id, &others);
        }
        for row in &plan.quiet.waiting {
            troubles.failing.entry(WAITS.to_owned()).or_default().add(WAITS, Some(&plan.index.provided_id(*row)), &[]);
        }
        if report.run.applied.is_none() {
            for (number, Failure { error, .. }) in &report.run.due.waiting {
                let id = plan.provided_id(&plan.changes[*number]);
                troubles.failing.entry(error.clone()).or_default().add(error, Some(&id), &[&id]);
            }
        }
        let failed = plan.changes.iter().enumerate().filter_map(|(number, change)| match report.outcome(number) {
            Some(Outcome::Failed { reason, .. } | Outcome::Waiting(reason)) => Some((plan.provided_id(change), reason)),
            _ => None,
        });
        for (id, reason) in failed {
            troubles.failing.entry(reason.clone()).or_default().add(reason, Some(&id), &[&id]);
        }
        troubles
    }
}

impl Tenants {
    fn add(&mut self, reason: &str, id: Option<&str>, named: &[&str]) {
        if self.count == 0 {
            self.in_public = in_public(reason, named);
        }
        self.count += 1;
        if self.ids.len() < IDS {
            self.ids.extend(id.map(|id| shown(&told_id(id))));
        }
    }
}

/// A reason without the ids and values that it may quote.
fn in_public(reason: &str, ids: &[&str]) -> String {
    let mut reason = reason.split(": ").next().unwrap_or_default().to_owned();
    for id in ids.iter().filter(|id| !id.is_empty()) {
        reason = reason.replace(&shown(id), "…");
    }
    let quoted = |c: char| "'\"`“”‘’".contains(c);
    match (reason.find(quoted), reason.rfind(quoted)) {
        (Some(first), Some(last)) if first < last => {
            let last = last + reason[last..].chars().next().map_or(1, char::len_utf8);
            format!("{}…{}", &reason[..first], &reason[last..])
        }
        _ => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_in_public_has_neither_ids_nor_values() {
        let public = |reason: &str| in_public(reason, &["acme-1", "top"]);
        assert_eq!(
            public("its parent_provided_id top names neither a tenant nor a listed customer"),
            "its parent_provided_id … names neither a tenant nor a listed customer"
        );
        assert_eq!(public("its parents form a circle: a → b"), "its parents form a circle");
        assert_eq!(public("has a value for 'plan' that's neither"), "has a value for …s neither");
        assert_eq!(public("name is missing"), "name is missing");
    }
}

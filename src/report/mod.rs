//! The report of a run: its numbers, its exit code, and its three forms: text, JSON and, of a dry run, a page.
//!
//! Promise: planned = applied + failed + unsettled + deferred, also if the run is stopped in the middle.

mod customer;
mod explanation;
mod findings;
mod html;
mod json;
mod text;

use std::{borrow::Cow, collections::BTreeMap, path::PathBuf};

use crate::{
    applier::Outcome,
    compare::Unsettled,
    explo::{self, Endpoint},
    ledger,
    memory::Action,
    plan::{Change, Class, Held},
    probe::{Probed, Remains},
    reconciler::{self, Run},
};

pub use customer::{write_customer, write_offboarded};
pub use explanation::{write_explanation, write_explanation_json};
pub use findings::{Findings, write_findings, write_findings_json};
pub use html::write_html;
pub use json::{write_failure, write_json};
pub use text::{Style, counted, grouped, write_text};

/// A run with all that its report needs.
#[derive(Debug)]
pub struct Report {
    /// The instance.
    pub instance: String,
    /// The file of the configuration, if a flag named it: the commands that the report prints name it too.
    pub config: Option<PathBuf>,
    /// The run's own id.
    pub run_id: String,
    /// Whether this was a dry run.
    pub dry_run: bool,
    /// Address of the source, without credentials.
    pub source: String,
    /// Address of Explo.
    pub base_url: String,
    /// The configured rate, for the forecast.
    pub requests_per_minute: u32,
    /// Calls made, each attempt counted, by endpoint.
    pub calls_made: BTreeMap<Endpoint, usize>,
    /// The run itself.
    pub run: Run,
    /// Why the ledger lacks a part of this run; `None` if it lacks nothing.
    pub unrecorded: Option<ledger::Error>,
}

/// What comparing gave, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Customers to create.
    pub create: usize,
    /// Customers to update.
    pub update: usize,
    /// Customers to rename.
    pub rename: usize,
    /// Customers to lock out or to delete.
    pub offboard: usize,
    /// Customers that equal their tenant.
    pub unchanged: usize,
    /// Customers without a tenant.
    pub orphan: usize,
    /// Tenants that can't be planned.
    pub invalid: usize,
    /// Customers with a difference that is known not to settle.
    pub unsettled: usize,
}

/// How many changes came to each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Outcomes {
    /// Acknowledged, and Explo shows the wanted value.
    pub applied: usize,
    /// Refused or given up.
    pub failed: usize,
    /// Acknowledged, but Explo shows something else.
    pub unsettled: usize,
    /// Left to the next run.
    pub deferred: usize,
}

/// The exit codes of a run; if several apply, the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Bad usage.
    Usage = 64,
    /// Bad configuration.
    Config = 78,
    /// Another run holds the lock.
    Locked = 5,
    /// The credentials were rejected.
    Credentials = 77,
    /// The run failed.
    Failed = 1,
    /// The guard holds the plan.
    Held = 4,
    /// Stopped early; the next run carries on.
    Stopped = 75,
    /// Some tenants failed, are invalid, or did not settle.
    Partial = 3,
    /// A dry run with `--exit-code` found changes.
    Pending = 2,
    /// In sync, or all applied.
    Success = 0,
}

impl serde::Serialize for Exit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

impl Report {
    /// The outcome of the change at this position in the plan; `None` in a dry run.
    #[must_use]
    pub fn outcome(&self, change: usize) -> Option<&Outcome> {
        match &self.run.applied {
            Some(applied) => applied.outcomes.get(change),
            None if self.dry_run => None,
            None => Some(&Outcome::Deferred),
        }
    }

    /// What comparing gave, counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let plan = &self.run.plan;
        Counts {
            create: Class::Create.count(plan),
            update: Class::Update.count(plan),
            rename: Class::Rename.count(plan),
            offboard: Class::Offboard.count(plan),
            unchanged: plan.quiet.unchanged,
            orphan: plan.population.orphans.len(),
            invalid: plan.index.count_of_invalid(),
            unsettled: plan.quiet.unsettled_customers,
        }
    }

    /// What did not settle, in this run or one before, by id and field.
    #[must_use]
    pub fn unsettled(&self) -> Vec<(Cow<'_, str>, &Unsettled)> {
        let plan = &self.run.plan;
        let known = plan.quiet.unsettled.iter().map(|(row, unsettled)| (plan.index.provided_id(*row), unsettled));
        let mut all: Vec<_> = known.collect();
        for (number, change) in plan.changes.iter().enumerate() {
            if let Some(Outcome::Unsettled(unsettled)) = self.outcome(number) {
                all.extend(unsettled.iter().map(|unsettled| (plan.provided_id(change), unsettled)));
            }
        }
        all.sort_by(|(a, one), (b, other)| (a, one.difference.field).cmp(&(b, other.difference.field)));
        all
    }

    /// How many changes have each outcome; all zero in a dry run.
    #[must_use]
    pub fn outcomes(&self) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for change in 0..self.run.plan.changes.len() {
            match self.outcome(change) {
                Some(Outcome::Applied) => outcomes.applied += 1,
                Some(Outcome::Failed { .. }) => outcomes.failed += 1,
                Some(Outcome::Unsettled(_)) => outcomes.unsettled += 1,
                Some(Outcome::Deferred | Outcome::Waiting(_)) => outcomes.deferred += 1,
                None => {}
            }
        }
        outcomes
    }

    /// How many changes failed, now or before, and wait for their retry.
    #[must_use]
    pub fn failing(&self) -> usize {
        let Run { plan, due, applied, .. } = &self.run;
        let is_waiting = |outcome: &&Outcome| matches!(outcome, Outcome::Waiting(_));
        let waiting =
            applied.as_ref().map_or(due.waiting.len(), |applied| applied.outcomes.iter().filter(is_waiting).count());
        self.outcomes().failed + waiting + plan.quiet.waiting.len()
    }

    /// The calls that planning made plus the calls that the due changes need, by endpoint.
    #[must_use]
    pub fn calls_planned(&self) -> BTreeMap<Endpoint, usize> {
        let mut planned = self.calls_to_apply();
        for (endpoint, calls) in &self.run.asked {
            *planned.entry(*endpoint).or_default() += calls;
        }
        planned
    }

    /// The calls that the due changes need, by endpoint.
    #[must_use]
    pub fn calls_to_apply(&self) -> BTreeMap<Endpoint, usize> {
        let Run { plan, due, .. } = &self.run;
        let updates = || due.changes(plan).filter_map(Change::as_update);
        let moved_again = updates().filter(|update| plan.expected.moved_again.contains(&update.row)).count();
        let carrying = updates().filter(|update| plan.carries(update)).count();
        let creates = due.changes(plan).filter(|change| Self::is_create(change)).count();
        let offboards = || due.changes(plan).filter_map(Change::as_offboard);
        let deletions = offboards().filter(|offboard| offboard.action == Action::Delete).count();
        let calls = [
            // The children of each customer to delete are listed.
            (Endpoint::Customers, moved_again + deletions),
            (Endpoint::CreateCustomer, creates),
            (Endpoint::UpdateCustomer, due.count() - creates - deletions),
            (Endpoint::DeleteCustomer, deletions),
            (Endpoint::GetCustomer, carrying + offboards().count()),
            (Endpoint::CreateGroupTag, plan.tags_to_make(due).len()),
        ];
        calls.into_iter().filter(|(_, calls)| *calls > 0).collect()
    }

    /// How long the planned changes take at the configured rate, in seconds.
    #[must_use]
    pub fn estimated_seconds(&self) -> u64 {
        let calls: usize = self.calls_to_apply().into_values().sum();
        (calls as u64 * 60).div_ceil(u64::from(self.requests_per_minute.max(1)))
    }

    /// The exit code; `pending_is_an_answer`: `--exit-code` was given.
    #[must_use]
    pub fn exit(&self, pending_is_an_answer: bool) -> Exit {
        let Run { plan, due, held, skipped, .. } = &self.run;
        if self.dry_run {
            return match pending_is_an_answer {
                true if !held.is_empty() => Exit::Held,
                true if !plan.changes.is_empty() => Exit::Pending,
                _ => Exit::Success,
            };
        }
        let unsettled = self.unsettled().into_iter().filter(|(_, one)| one.known.is_news() || one.holds_more()).count();
        let refused = self.unrecorded.as_ref().filter(|error| error.is_about_rows());
        match self.end().map(exit_of) {
            Some(exit @ (Exit::Credentials | Exit::Failed)) => exit,
            _ if self.unrecorded.is_some() && refused.is_none() => Exit::Failed,
            _ if !held.is_empty() => Exit::Held,
            Some(exit) => exit,
            // Not every deferred change means an early end: an update whose rename failed and a waiting tenant do not.
            None if due.left > 0 => Exit::Stopped,
            None if refused.is_some() => Exit::Partial,
            None if self.failing() + unsettled + plan.invalid.len() + skipped.len() > 0 => Exit::Partial,
            None => Exit::Success,
        }
    }

    /// Whether the run compared all tenants with their customers, as listed or as remembered, and left nothing to do that
    /// can be done.
    #[must_use]
    pub fn converged(&self) -> bool {
        !self.dry_run && self.run.is_whole && self.exit(false) == Exit::Success
    }

    /// Why nothing was applied, why the run ended early, or why the ledger lacks a part of it.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        let unrecorded = self.unrecorded.as_ref().map(ToString::to_string);
        let held = &self.run.held;
        if !held.is_empty() && unrecorded.is_none() {
            let classes: Vec<_> = held.iter().map(ToString::to_string).collect();
            return Some(format!(
                "held by the guard: {}; let it through with {}",
                classes.join(", "),
                self.command_through()
            ));
        }
        match self.end() {
            Some(error) if exit_of(error) == Exit::Stopped => unrecorded.or_else(|| Some(error.to_string())),
            Some(error) => Some(error.to_string()),
            None => unrecorded,
        }
    }

    /// The command that lets the whole plan through, with what was allowed already.
    #[must_use]
    pub fn command_through(&self) -> String {
        self.command(&self.run.over)
    }

    /// The command of a next run in which all of this passes the guard.
    #[must_use]
    pub fn command(&self, held: &[Held]) -> String {
        let config = self.config.as_ref().map(|path| format!(" --config {}", quoted(&path.to_string_lossy())));
        let allow = held.iter().map(|Held { class, count, .. }| format!(" --allow {}={count}", class.name()));
        format!("explo-sync{} sync{}", config.unwrap_or_default(), allow.collect::<String>())
    }

    /// The error that ended the applier early.
    fn end(&self) -> Option<&explo::Error> {
        self.run.applied.as_ref()?.end.as_ref()
    }

    fn is_create(change: &Change) -> bool {
        matches!(change, Change::Create(_))
    }
}

/// A word of a command line: quoted unless it needs no quotes.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// The exit code of a run that has no plan.
#[must_use]
pub fn exit_without_plan(error: &reconciler::Error) -> Exit {
    match error {
        reconciler::Error::Source(error) if error.is_about_config() => Exit::Config,
        reconciler::Error::Strangers { .. } => Exit::Config,
        reconciler::Error::Ledger(error) if error.is_about_config() => Exit::Config,
        reconciler::Error::Source(_) | reconciler::Error::Ledger(_) => Exit::Failed,
        reconciler::Error::Explo(error) => exit_of(error),
    }
}

/// The exit code of a probe: what it left behind comes before why it ended.
#[must_use]
pub fn exit_of_probe(Probed { remains, leftovers, error, .. }: &Probed) -> Exit {
    match (remains, error) {
        (Remains::Left(_), _) => Exit::Failed,
        (_, Some(error)) => exit_of(error),
        (_, None) if leftovers.is_empty() => Exit::Success,
        (_, None) => Exit::Failed,
    }
}

fn exit_of(error: &explo::Error) -> Exit {
    match error {
        explo::Error::Unauthorized { .. } | explo::Error::Forbidden { .. } => Exit::Credentials,
        explo::Error::Stopped { .. } | explo::Error::Cut { .. } => Exit::Stopped,
        explo::Error::Rejected { .. }
        | explo::Error::Unsent { .. }
        | explo::Error::Unclear { .. }
        | explo::Error::GaveUp { .. }
        | explo::Error::Outage { .. }
        | explo::Error::Incomplete(_) => Exit::Failed,
    }
}

//! What a run has to remember of each customer: as the listing showed it, and as each change came out.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::{Change, Failure, Findings, Known, Plan, Unsettled, findings::Entry, lasting_fingerprint};

/// A listed customer of which something is to be remembered.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its id.
    pub provided_id: String,
    /// Its token, which may be empty.
    pub token: SecretString,
    /// The fingerprint of what it holds.
    pub seen: u64,
    /// The fingerprint of what its tenant wants, where it holds just that.
    pub equal: Option<u64>,
}

/// What the answer to a write showed.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// The customer's token, which may be empty.
    pub token: SecretString,
    /// The fingerprint of what it holds.
    pub seen: u64,
}

impl Plan {
    /// What is to be remembered before anything is written: what the listing showed and, unless the guard holds, what was
    /// found out about earlier writes.
    #[must_use]
    pub fn entries(&self, findings: &Findings, is_held: bool) -> Vec<Entry> {
        let mut entries = BTreeMap::new();
        if !is_held {
            let found_out = self.unsettled.iter().filter(|(_, unsettled)| unsettled.is_new);
            let found_out = found_out.map(|(row, _)| self.index.provided_id(*row));
            for provided_id in findings.just_written().chain(found_out) {
                entries.insert(provided_id, Entry::new(provided_id, None, self.known(findings, provided_id)));
            }
        }
        for Listed { provided_id, token, seen, equal } in &self.listed {
            let mut known = match entries.remove(provided_id.as_str()) {
                Some(entry) => entry.known,
                None => findings.known(provided_id),
            };
            known.seen = Some(*seen);
            if equal.is_some() {
                known.wanted = *equal;
                known.failure = None;
            }
            let entry = Entry { is_synced: equal.is_some(), ..Entry::new(provided_id, Some(token), known) };
            entries.insert(provided_id, entry);
        }
        entries.into_values().collect()
    }

    /// A change was acknowledged, and all but the unsettled fields settled. `existing`: no listing shows its customer.
    #[must_use]
    pub fn acknowledged(
        &self,
        findings: &Findings,
        change: &Change,
        answer: Option<&Acknowledged>,
        unsettled: &[Unsettled],
        existing: bool,
    ) -> Entry {
        let provided_id = self.provided_id(change);
        let mut known = self.known(findings, provided_id);
        known.fields.learn(&self.differences(change), unsettled);
        known.failure = None;
        known.wanted = Some(lasting_fingerprint(&self.index.tenant(change.row())));
        known.seen = if existing { None } else { answer.map(|answer| answer.seen).or(known.seen).or(known.wanted) };
        Entry { is_synced: true, ..Entry::new(provided_id, answer.map(|answer| &answer.token), known) }
    }

    /// A change failed, by the fault of its tenant.
    #[must_use]
    pub fn failed(
        &self,
        findings: &Findings,
        change: &Change,
        answer: Option<&Acknowledged>,
        error: &str,
        now: u64,
    ) -> Entry {
        let provided_id = self.provided_id(change);
        let mut known = self.known(findings, provided_id);
        let wanted = Some(lasting_fingerprint(&self.index.tenant(change.row())));
        // Another row is another try: it begins anew.
        let before = known.failure.as_ref().filter(|_| known.wanted == wanted);
        known.failure = Some(Failure::after(before, error, now));
        known.wanted = wanted;
        Entry::new(provided_id, answer.map(|answer| &answer.token), known)
    }

    /// A run passed, in which a tenant that failed was not tried.
    #[must_use]
    pub fn waited(&self, findings: &Findings, change: &Change) -> Entry {
        let provided_id = self.provided_id(change);
        let mut known = self.known(findings, provided_id);
        if let Some(failure) = &mut known.failure {
            failure.pass();
        }
        Entry::new(provided_id, None, known)
    }

    /// What was known before this run, and what the plan found out. What was acknowledged before has had its look.
    fn known(&self, findings: &Findings, provided_id: &str) -> Known {
        let mut known = findings.known(provided_id);
        known.fields.acknowledged.clear();
        let begin = self.unsettled.partition_point(|(row, _)| self.index.provided_id(*row) < provided_id);
        let ours = self.unsettled[begin..].iter().take_while(|(row, _)| self.index.provided_id(*row) == provided_id);
        for (_, unsettled) in ours {
            known.fields.learn(&[], std::slice::from_ref(unsettled));
        }
        known
    }
}

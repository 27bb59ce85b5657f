//! Rows that are gone: since when, and whether that is long enough. A row is noted as gone by the later of the ledger's own
//! clock and ours, and judged by the earlier one, so that a clock that jumps makes nobody leave too early.

use super::{Memory, Remembered};

impl Memory {
    /// The time of loading by the ledger's own clock, in seconds since 1970; `None` without a ledger.
    #[must_use]
    pub fn clock(&self) -> Option<u64> {
        self.clock.filter(|_| self.keeps_rows)
    }

    /// The later of the ledger's clock and ours (`now`); `None` without a ledger.
    #[must_use]
    pub fn later_clock(&self, now: u64) -> Option<u64> {
        self.clock().map(|clock| clock.max(now))
    }

    /// Since when complete reads have lacked a customer's row. A time in the future comes from a wrong clock: the row counts
    /// as gone from now on.
    #[must_use]
    pub fn row_gone_since(&self, provided_id: &str, now: u64) -> Option<u64> {
        self.known.get(provided_id)?.row_gone_since.filter(|since| Some(*since) <= self.later_clock(now))
    }

    /// Whether a customer is offboarded by now: an earlier complete read lacked its row, for `after` seconds no read had it,
    /// and no other instance has it.
    #[must_use]
    pub fn is_row_gone_for(&self, provided_id: &str, after: u64, now: u64) -> bool {
        let Some(clock) = self.clock() else { return false };
        let since = self.row_gone_since(provided_id, now).filter(|_| !self.taken.contains(provided_id));
        since.is_some_and(|since| clock.min(now).checked_sub(since).is_some_and(|gone| gone >= after))
    }

    /// Whether a later complete run than the first one lacked a customer's row, too.
    #[must_use]
    pub fn is_row_gone_twice(&self, provided_id: &str, now: u64) -> bool {
        let told_at = self.overview.as_ref().and_then(|overview| overview.rows_told_at);
        self.row_gone_since(provided_id, now).is_some_and(|since| told_at.is_some_and(|told_at| told_at > since))
    }

    /// Whether another instance has the customer of a gone row.
    #[must_use]
    pub fn is_taken(&self, provided_id: &str) -> bool {
        self.taken.contains(provided_id)
    }

    /// The customers that were known as a tenant's, and whose row was gone when last looked for.
    pub(crate) fn without_row(&self) -> impl Iterator<Item = &str> {
        let gone = self.known.iter().filter(|(_, known)| known.row_gone_since.is_some());
        gone.map(|(provided_id, _)| provided_id.as_str())
    }

    /// Whether the ledger knows no customer of this instance yet.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        let is_made = |known: &Remembered| known.token.is_some() || known.seen.is_some();
        self.keeps_rows && self.overview.is_none() && !self.known.values().any(is_made)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use super::*;

    #[test]
    fn a_row_is_gone_for_long_enough_by_both_clocks() {
        let memory = |since, clock, taken: &[&str]| {
            let known = Remembered { row_gone_since: since, ..Remembered::default() };
            let taken: BTreeSet<_> = taken.iter().map(|id| (*id).to_owned()).collect();
            Memory::with_tokens(HashMap::from([("t".to_owned(), known)])).loaded_at(None, clock).with_taken(taken)
        };
        for (since, clock, now, is_gone) in [
            (Some(1000), Some(1600), 1600, true),
            (Some(1000), Some(1599), 1600, false),
            (Some(1000), Some(9999), 1599, false),
            (Some(1000), Some(1600), 900, false),
            (Some(1601), Some(1600), 9999, false),
            (None, Some(1600), 1600, false),
            (Some(1000), None, 1600, false),
        ] {
            let memory = memory(since, clock, &[]);
            assert_eq!(memory.is_row_gone_for("t", 600, now), is_gone, "{since:?} {clock:?} {now}");
        }
        assert_eq!(memory(None, Some(1000), &[]).later_clock(1600), Some(1600), "the ledger's clock is behind");
        assert_eq!(memory(Some(1600), Some(1000), &[]).row_gone_since("t", 1600), Some(1600), "nor is it the future");
        assert!(!memory(Some(1000), Some(1600), &["t"]).is_row_gone_for("t", 600, 1600), "another instance has it");
    }
}

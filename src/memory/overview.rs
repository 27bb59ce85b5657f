//! What a complete listing shows as a whole: enough to carry out single tenants between two listings.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What the last complete listing showed as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// When its run began, in seconds since 1970.
    pub at: u64,
    /// The calls that it took.
    pub pages: usize,
    /// The time of the last run that told which rows are gone.
    #[serde(default)]
    pub rows_told_at: Option<u64>,
    /// Customers listed.
    pub customers: usize,
    /// Customers listed that have a tenant.
    pub with_tenant: usize,
    /// The data visibility groups of the customers; the empty string stands for no group.
    pub access_groups: BTreeSet<String>,
    /// The ids that more than one customer has.
    pub doubled: BTreeSet<String>,
    /// The ids of customers whose records can't be read.
    #[serde(default)]
    pub unreadable: BTreeSet<String>,
    /// Tags that customers have; not all of them if there are very many.
    pub tags: BTreeSet<String>,
}

impl Overview {
    /// The most bytes of tags that are kept: a text column of MySQL holds 64 KiB.
    const TAGS: usize = 16 << 10;

    /// The most ids and groups that are kept: none may be missing.
    const MOST: usize = 200;

    /// Keeps only as many tags as are worth it; `None` if there are so many doubled ids or groups that single tenants
    /// are not carried out.
    #[must_use]
    pub fn bounded(mut self) -> Option<Self> {
        let mut bytes = 0;
        self.tags.retain(|tag| {
            bytes += tag.len() + 3;
            bytes <= Self::TAGS
        });
        (self.doubled.len() + self.unreadable.len() + self.access_groups.len() <= Self::MOST).then_some(self)
    }

    /// Whether customers must be listed again: `every` seconds have passed. A time in the future comes from a wrong
    /// clock.
    #[must_use]
    pub fn is_due(&self, every: u64, now: u64) -> bool {
        self.at > now || now - self.at >= every
    }

    /// How many tenants may be carried out one by one; for more, a listing is cheaper and safer.
    #[must_use]
    pub fn most(pages: usize) -> usize {
        (10 * pages).max(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_due_after_its_time_and_after_a_clock_that_was_ahead() {
        let overview = Overview { at: 1000, ..Overview::default() };
        assert_eq!([999, 1000, 1599, 1600].map(|now| overview.is_due(600, now)), [true, false, false, true]);
        assert!(overview.is_due(0, 1000));
    }

    #[test]
    fn very_many_tags_are_kept_in_part() {
        let tags: BTreeSet<_> = (0..10_000).map(|n| format!("tag {n}")).collect();
        let kept = Overview { tags, ..Overview::default() }.bounded().unwrap();
        assert!((1000..3000).contains(&kept.tags.len()), "{}", kept.tags.len());
    }

    #[test]
    fn one_by_one_is_for_a_hundred_or_ten_for_each_page() {
        assert_eq!([0, 1, 10, 11, 990].map(Overview::most), [100, 100, 100, 110, 9900]);
    }
}

//! The changes that wakes made within the last hour: together they keep to the guard's limits.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::plan::{Class, Plan};

/// How long a change counts.
const HOUR: Duration = Duration::from_hours(1);

/// Changes within this time count as one entry.
const GRAIN: Duration = Duration::from_secs(10);

/// A sliding hour.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<(Instant, BTreeMap<Class, usize>)>);

impl Window {
    /// How many changes of each class the last hour has.
    pub(super) fn counts(&mut self) -> BTreeMap<Class, usize> {
        let now = Instant::now();
        while self.0.front().is_some_and(|(since, _)| now - *since >= HOUR + GRAIN) {
            self.0.pop_front();
        }
        let mut counts = BTreeMap::new();
        for (class, count) in self.0.iter().flat_map(|(_, counts)| counts) {
            *counts.entry(*class).or_insert(0) += count;
        }
        counts
    }

    /// Counts the changes of a plan.
    pub(super) fn add(&mut self, plan: &Plan) {
        let counts = Class::OF_CHANGES.map(|class| (class, class.count(plan)));
        self.add_counts(&counts.into_iter().collect());
    }

    /// Counts these changes.
    pub(super) fn add_counts(&mut self, counts: &BTreeMap<Class, usize>) {
        let counts = counts.iter().filter(|(_, count)| **count > 0);
        let now = Instant::now();
        for (class, count) in counts {
            if self.0.back().is_none_or(|(since, _)| now - *since >= GRAIN) {
                self.0.push_back((now, BTreeMap::new()));
            }
            if let Some((_, last)) = self.0.back_mut() {
                *last.entry(*class).or_insert(0) += count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_change_counts_for_an_hour() {
        let mut window = Window::default();
        let of = |updates| BTreeMap::from([(Class::Update, updates)]);
        window.add_counts(&of(3));
        tokio::time::advance(Duration::from_mins(30)).await;
        window.add_counts(&of(4));
        assert_eq!(window.counts(), of(7));
        tokio::time::advance(Duration::from_mins(31)).await;
        assert_eq!(window.counts(), of(4));
        tokio::time::advance(Duration::from_mins(31)).await;
        assert_eq!(window.counts(), BTreeMap::new());
    }
}

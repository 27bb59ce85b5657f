//! Unsettled differences are still sent once a day, for one customer per field and rule, because they may settle by
//! now.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    compare::{Difference, Rule},
    memory::is_daily_due,
    model::Field,
    plan::{Extent, Update, compared::Compared},
    tenants::RowNumber,
};

/// For one field and rule: when a difference was last sent, and which is next.
#[derive(Debug, Default)]
struct Turn {
    sent_at: Option<u64>,
    /// When a difference was last left out because its result was predicted.
    spared_at: Option<u64>,
    /// The position among the unsettled, with the time and the id by which it is chosen.
    next: Option<(Option<u64>, String, usize)>,
}

impl Compared<'_> {
    /// Turns the differences due today into updates, and returns them.
    pub(super) fn send_checks(&mut self) -> BTreeMap<RowNumber, BTreeSet<(Field, Rule)>> {
        let mut checks = BTreeMap::<_, BTreeSet<_>>::new();
        if self.extent == Extent::Some {
            return checks;
        }
        let mut turns = BTreeMap::<(Field, Rule), Turn>::new();
        for (place, (row, unsettled)) in self.unsettled.iter().enumerate() {
            let provided_id = self.index.provided_id(*row);
            let Some(finding) = self.memory.of(&provided_id, &unsettled.difference) else { continue };
            let turn = turns.entry((unsettled.difference.field, finding.rule)).or_default();
            let last = if finding.is_predicted { &mut turn.spared_at } else { &mut turn.sent_at };
            *last = finding.at.max(*last);
            let this = (finding.at, provided_id.into_owned(), place);
            turn.next = Some(turn.next.take().map_or(this.clone(), |next| next.min(this)));
        }
        let is_due = |turn: &Turn| turn.sent_at.or(turn.spared_at).is_none_or(|at| is_daily_due(at, self.now));
        let due = turns.into_iter().filter(|(_, turn)| is_due(turn));
        let due: BTreeMap<_, _> = due.filter_map(|(of, turn)| Some((turn.next?.2, of))).collect();
        for (place, of) in due.into_iter().rev() {
            let (row, unsettled) = self.unsettled.swap_remove(place);
            checks.entry(row).or_default().insert(of);
            self.send(row, vec![unsettled.difference]);
        }
        checks
    }

    /// Adds differences to the tenant's update, or makes a new update.
    fn send(&mut self, row: RowNumber, differences: Vec<Difference>) {
        match self.updates.iter_mut().find(|update| update.row == row) {
            Some(update) => {
                update.differences.extend(differences);
                update.differences.sort_by_key(|difference| difference.field);
            }
            None => self.updates.push(Update { row, differences }),
        }
    }
}

//! Differences that may exist in the listing only: keys in another style, or values that the last run wrote and Explo
//! acknowledged.
//!
//! Looking up a few customers decides. One look-up proves that keys are restyled. A value that came back is decided for
//! the customers looked up; the others with the same rule follow if all of these agree, unless the rule predicts
//! another value than the listing shows.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    compare::{Difference, KeyStyle, Known, Rule, Rules, Unsettled, compare, difference, likely_rule},
    memory::Memory,
    model::{Customer, Field, Object, Tenant},
    tenants::RowNumber,
};

/// Customers looked up per doubt.
const LOOKS: usize = 3;

/// Why a difference may exist in the listing only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// The property keys differ in style.
    KeyStyle,
    /// The last run wrote the field, and Explo acknowledged it.
    CameBack(Field),
}

/// A customer compared with its tenant.
#[derive(Debug)]
pub(super) struct Match {
    /// The tenant's row.
    pub(super) row: RowNumber,
    listed: Vec<Difference>,
    /// The properties' difference if the style of keys is ignored.
    restyled: Option<Difference>,
    /// For each doubt, what looking up this customer showed: whether the listing alone is at fault.
    doubts: BTreeMap<Doubt, Option<bool>>,
    /// The customer was looked up, with or without an answer.
    is_looked_at: bool,
}

/// The customers with differences that may exist in the listing only.
#[derive(Debug, Default)]
pub(super) struct Doubtful(Vec<Match>);

/// The doubts in which the listing is at fault, with the differences that it showed wrongly.
pub(super) type Faults = BTreeMap<Doubt, Vec<Difference>>;

impl Match {
    pub(super) fn new(
        row: RowNumber,
        tenant: &Tenant<'_>,
        customer: &Customer<'_>,
        rules: Rules,
        memory: &Memory,
    ) -> Self {
        let listed = compare(tenant, customer, rules);
        // A key to be dropped may be listed in another style. If all keys are managed, that is a difference already.
        let may_differ =
            of_field(&listed, Field::Properties).is_some() || matches!(tenant.properties, Some(Object::Keys(_)));
        let restyled = || difference(tenant, customer, Field::Properties, rules.with(KeyStyle::AsWanted));
        let restyled = may_differ.then(restyled).flatten();
        let came_back = |one: &&Difference| memory.came_back(&tenant.provided_id, one);
        let came_back = listed.iter().chain(&restyled).filter(came_back);
        let mut doubts: BTreeMap<_, _> = came_back.map(|one| (Doubt::CameBack(one.field), None)).collect();
        if of_field(&listed, Field::Properties) != restyled.as_ref() {
            doubts.insert(Doubt::KeyStyle, None);
        }
        Self { row, listed, restyled, doubts, is_looked_at: false }
    }

    /// A match whose differences are certain.
    pub(super) fn certain(row: RowNumber, differences: Vec<Difference>) -> Self {
        Self { row, listed: differences, restyled: None, doubts: BTreeMap::new(), is_looked_at: false }
    }

    pub(super) fn is_certain(&self) -> bool {
        self.doubts.is_empty()
    }

    /// Notes what the customer really has, as its differences from the tenant.
    fn look(&mut self, current: &[Difference], is_unsettled: impl Fn(&Difference) -> bool) {
        for (doubt, is_listing) in &mut self.doubts {
            *is_listing = Some(match doubt {
                Doubt::KeyStyle => of_field(current, Field::Properties) != of_field(&self.listed, Field::Properties),
                Doubt::CameBack(field) => of_field(current, *field).is_none_or(&is_unsettled),
            });
        }
    }

    /// The real differences and the unsettled ones, given the faults of the listing.
    pub(super) fn decide(self, listing: &Faults) -> (Vec<Difference>, Vec<Unsettled>) {
        let Self { listed: mut differences, restyled, doubts, .. } = self;
        if doubts.contains_key(&Doubt::KeyStyle) && listing.contains_key(&Doubt::KeyStyle) {
            differences.retain(|difference| difference.field != Field::Properties);
            differences.extend(restyled);
            differences.sort_by_key(|difference| difference.field);
        }
        let mut unsettled = Vec::new();
        differences.retain(|difference| {
            let doubt = Doubt::CameBack(difference.field);
            let known = match doubts.get(&doubt) {
                Some(Some(true)) => Known::Now,
                Some(None) if listing.get(&doubt).is_some_and(|met| is_alike(met, difference)) => Known::Presumably,
                Some(Some(false) | None) | None => return true,
            };
            unsettled.push(Unsettled { known, ..Unsettled::new(difference.clone()) });
            false
        });
        (differences, unsettled)
    }
}

impl Doubtful {
    pub(super) fn push(&mut self, seen: Match) {
        self.0.push(seen);
    }

    /// Keeps the matches whose row passes `keep`.
    pub(super) fn retain(&mut self, keep: impl Fn(RowNumber) -> bool) {
        self.0.retain(|one| keep(one.row));
    }

    /// The customers to look up while a doubt is open.
    pub(super) fn due(&self) -> impl Iterator<Item = RowNumber> {
        let open: BTreeSet<_> = self.doubts().into_iter().filter(|doubt| self.is_open(*doubt)).collect();
        let is_due = move |one: &&Match| !one.is_looked_at && one.doubts.keys().any(|doubt| open.contains(doubt));
        self.0.iter().filter(is_due).map(|one| one.row)
    }

    /// Notes the look-up of one of them: its real differences, if Explo answered.
    pub(super) fn look(
        &mut self,
        row: RowNumber,
        current: Option<&[Difference]>,
        is_unsettled: impl Fn(&Difference) -> bool,
    ) {
        if let Some(one) = self.0.iter_mut().find(|one| one.row == row) {
            one.is_looked_at = true;
            if let Some(current) = current {
                one.look(current, is_unsettled);
            }
        }
    }

    /// The doubts in which the listing is at fault.
    pub(super) fn faults(&self) -> Faults {
        let at_fault = self.doubts().into_iter().filter(|doubt| self.is_listing(*doubt));
        at_fault.map(|doubt| (doubt, self.met(doubt))).collect()
    }

    fn met(&self, doubt: Doubt) -> Vec<Difference> {
        let Doubt::CameBack(field) = doubt else { return Vec::new() };
        let met = self.0.iter().filter(|one| one.doubts.get(&doubt) == Some(&Some(true)));
        met.filter_map(|one| of_field(&one.listed, field).cloned()).collect()
    }

    fn doubts(&self) -> BTreeSet<Doubt> {
        self.0.iter().flat_map(|one| one.doubts.keys().copied()).collect()
    }

    fn is_open(&self, doubt: Doubt) -> bool {
        let looked_at = self.0.iter().filter(|one| one.is_looked_at && one.doubts.contains_key(&doubt)).count();
        looked_at < LOOKS && !(doubt == Doubt::KeyStyle && self.is_listing(doubt))
    }

    fn is_listing(&self, doubt: Doubt) -> bool {
        let mut shown = self.0.iter().filter_map(|one| one.doubts.get(&doubt).copied().flatten()).peekable();
        match doubt {
            Doubt::KeyStyle => shown.any(|is_listing| is_listing),
            Doubt::CameBack(_) => shown.peek().is_some() && shown.all(|is_listing| is_listing),
        }
    }
}

impl IntoIterator for Doubtful {
    type Item = Match;
    type IntoIter = std::vec::IntoIter<Match>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

fn of_field(differences: &[Difference], field: Field) -> Option<&Difference> {
    differences.iter().find(|difference| difference.field == field)
}

/// Whether the fault of the listing that made these differences may have made this one, too.
fn is_alike(met: &[Difference], difference: &Difference) -> bool {
    let rule = likely_rule(difference);
    let met: Vec<_> = met.iter().filter(|one| likely_rule(one) == rule).cloned().collect();
    match rule {
        Rule::Added | Rule::Recased | Rule::Trimmed | Rule::Cut => !met.is_empty() && rule.predicts(&met, difference),
        Rule::Inherited | Rule::Changed => !met.is_empty(),
    }
}

//! Differences that may be the listing's alone: keys in another style, or what the last run wrote and Explo acknowledged.
//!
//! A few looks at single customers decide. That keys are restyled is proved by one; what came back is decided for the
//! customers looked at, and the others follow those of the same rule if these agree, and if the rule does not predict another
//! value than is shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    compare::{Difference, KeyStyle, Known, Rule, Rules, Unsettled, compare, difference, likely_rule},
    memory::Memory,
    model::{Customer, Field, Object, Tenant},
    tenants::RowNumber,
};

/// Customers looked at for each doubt.
const LOOKS: usize = 3;

/// Why a difference may be the listing's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doubt {
    /// Property keys differ in style.
    KeyStyle,
    /// The last run wrote it, and it was acknowledged.
    CameBack(Field),
}

/// A customer that was compared with a tenant.
#[derive(Debug)]
pub(super) struct Match {
    /// The tenant's.
    pub(super) row: RowNumber,
    listed: Vec<Difference>,
    /// The properties' difference but for the style of keys.
    restyled: Option<Difference>,
    /// With what a look at this customer showed: whether the listing alone is at fault.
    doubts: BTreeMap<Doubt, Option<bool>>,
    /// A look was made, with or without an answer.
    is_looked_at: bool,
}

/// The customers whose differences may not all be there.
#[derive(Debug, Default)]
pub(super) struct Doubtful(Vec<Match>);

/// In what the listing is at fault, with what it showed of customers that hold something else.
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
        // A key that is to go may be there in another style; where all keys are managed, that is a difference already.
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

    /// One of which the differences are known.
    pub(super) fn certain(row: RowNumber, differences: Vec<Difference>) -> Self {
        Self { row, listed: differences, restyled: None, doubts: BTreeMap::new(), is_looked_at: false }
    }

    pub(super) fn is_certain(&self) -> bool {
        self.doubts.is_empty()
    }

    /// Takes what the customer really holds, as far as it differs from its tenant.
    fn look(&mut self, current: &[Difference], is_unsettled: impl Fn(&Difference) -> bool) {
        for (doubt, is_listing) in &mut self.doubts {
            *is_listing = Some(match doubt {
                Doubt::KeyStyle => of_field(current, Field::Properties) != of_field(&self.listed, Field::Properties),
                Doubt::CameBack(field) => of_field(current, *field).is_none_or(&is_unsettled),
            });
        }
    }

    /// What differs, and what does not settle, where the listing is at fault in this.
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

    /// Forgets the others.
    pub(super) fn retain(&mut self, keep: impl Fn(RowNumber) -> bool) {
        self.0.retain(|one| keep(one.row));
    }

    /// Those that a look at is due to, as long as a doubt is open.
    pub(super) fn due(&self) -> impl Iterator<Item = RowNumber> {
        let open: BTreeSet<_> = self.doubts().into_iter().filter(|doubt| self.is_open(*doubt)).collect();
        let is_due = move |one: &&Match| !one.is_looked_at && one.doubts.keys().any(|doubt| open.contains(doubt));
        self.0.iter().filter(is_due).map(|one| one.row)
    }

    /// Takes a look at one of them: how the customer really differs, where that can be had.
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

    /// In what the listing is at fault.
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

/// Whether a difference may be what the listing made of these.
fn is_alike(met: &[Difference], difference: &Difference) -> bool {
    let rule = likely_rule(difference);
    let met: Vec<_> = met.iter().filter(|one| likely_rule(one) == rule).cloned().collect();
    match rule {
        Rule::Added | Rule::Recased | Rule::Trimmed | Rule::Cut => !met.is_empty() && rule.predicts(&met, difference),
        Rule::Inherited | Rule::Changed => !met.is_empty(),
    }
}

//! Tenants that get back e-mails or tags that their rows do not manage.

use std::{borrow::Cow, collections::BTreeSet};

use super::{Index, RowNumber, back::Back};
use crate::model::{Customer, Row, Tenant};

impl Index {
    /// Adds a row as it is planned: what `row` itself does not manage is what its tenant gets back.
    pub(crate) fn insert_planned(&mut self, row: &Row<'_>, planned: &Row<'_>) {
        self.insert(planned);
        let (Ok(own), Ok(planned)) = (row, planned) else { return };
        let back = |own: &Option<_>, planned: &Option<Vec<Cow<'_, str>>>| match (own, planned) {
            (None, Some(list)) => Some(list.iter().map(|one| one.clone().into_owned().into()).collect()),
            (_, _) => None,
        };
        let back =
            Back { emails: back(&own.emails, &planned.emails), group_tags: back(&own.group_tags, &planned.group_tags) };
        let row = self.row(&planned.provided_id).filter(|row| !self.is_leaving(*row));
        let gets_back = own.emails != planned.emails || own.group_tags != planned.group_tags;
        if let Some(row) = row.filter(|_| gets_back) {
            self.back.insert(row, back);
        }
    }

    /// A tenant with what it gets back.
    pub(super) fn with_back(&self, row: RowNumber, mut tenant: Tenant<'static>) -> Tenant<'static> {
        if let Some(back) = self.back.get(&row) {
            back.add_to(&mut tenant);
        }
        tenant
    }

    /// Whether a tenant gets anything back.
    pub(crate) fn gets_back(&self, row: RowNumber) -> bool {
        self.back.contains_key(&row)
    }

    /// Leaves out tags that a tenant would get back; returns whether it would get any of these.
    pub(crate) fn leave_out(&mut self, row: RowNumber, tags: &BTreeSet<String>) -> bool {
        let Some(back) = self.back.get_mut(&row).and_then(|back| back.group_tags.as_mut()) else { return false };
        let before = back.len();
        back.retain(|tag| !tags.contains(&**tag));
        let is_less = back.len() < before;
        if is_less {
            self.want_anew(row);
        }
        is_less
    }

    /// Beside what a tenant gets back, its customer keeps what somebody gave it meanwhile.
    pub(crate) fn keep_added(&mut self, row: RowNumber, customer: &Customer<'_>) {
        let Some(back) = self.back.get_mut(&row) else { return };
        for (list, added) in [(&mut back.emails, &customer.emails), (&mut back.group_tags, &customer.group_tags)] {
            let Some(list) = list else { continue };
            let added: Vec<_> = added.iter().filter(|one| !list.contains(one)).cloned().collect();
            list.extend(added.into_iter().map(|one| one.into_owned().into()));
        }
        self.want_anew(row);
    }

    fn want_anew(&mut self, row: RowNumber) {
        let tenant = self.tenant(row);
        let id = self.ids.of_id(&tenant.provided_id);
        self.wanted[row.0 as usize] = self.fingerprints.of_tenant(&tenant, &mut self.layouts.0) ^ id;
    }
}

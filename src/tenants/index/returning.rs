//! Tenants that get tags back that their rows do not manage.

use std::collections::BTreeSet;

use super::{Index, RowNumber};
use crate::model::{Row, Tenant};

impl Index {
    /// Adds a row as it is planned; tags that `row` itself does not manage are tags that its tenant gets back.
    pub(crate) fn insert_planned(&mut self, row: &Row<'_>, planned: &Row<'_>) {
        self.insert(planned);
        let (Ok(Tenant { group_tags: None, .. }), Ok(Tenant { provided_id, group_tags: Some(tags), .. })) =
            (row, planned)
        else {
            return;
        };
        if let Some(row) = self.row(provided_id).filter(|row| !self.is_leaving(*row)) {
            self.tags_back.insert(row, tags.iter().map(|tag| tag.clone().into_owned().into()).collect());
        }
    }

    /// Leaves out tags that a tenant would get back; returns whether it would get any of these.
    pub(crate) fn leave_out(&mut self, row: RowNumber, tags: &BTreeSet<String>) -> bool {
        let Some(back) = self.tags_back.get_mut(&row) else { return false };
        let before = back.len();
        back.retain(|tag| !tags.contains(&**tag));
        let is_less = back.len() < before;
        if is_less {
            let tenant = self.tenant(row);
            let id = self.ids.of_id(&tenant.provided_id);
            self.wanted[row.0 as usize] = self.fingerprints.of_tenant(&tenant, &mut self.layouts.0) ^ id;
        }
        is_less
    }
}

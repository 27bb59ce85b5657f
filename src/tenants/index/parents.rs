//! The parents that the rows name: a parent that is to be renamed is also found by its old id.

use std::borrow::Cow;

use super::{Index, RowNumber, State};

impl Index {
    /// The id of the tenant's parent, as the row names it.
    pub(crate) fn parent_provided_id(&self, row: RowNumber) -> Option<Cow<'_, str>> {
        self.ids_of(row).parent
    }

    /// The tenant's parent, if it is a tenant; found by its old id, too, if it is to be renamed.
    #[must_use]
    pub fn parent(&self, row: RowNumber) -> Option<RowNumber> {
        self.of_id_or_previous(&self.parent_provided_id(row)?)
    }

    /// The wanted id of the tenant's parent.
    pub(crate) fn wanted_parent(&self, row: RowNumber) -> Option<Cow<'_, str>> {
        let parent = self.parent(row).map(|parent| self.provided_id(parent));
        parent.or_else(|| self.parent_provided_id(row))
    }

    /// The id that the tenant's parent had before a rename.
    pub(crate) fn former_parent(&self, row: RowNumber) -> Option<Cow<'_, str>> {
        self.previous_provided_id(self.parent(row)?)
    }

    /// The id under which the tenant's parent is listed; `None` if it is known not to exist yet.
    #[must_use]
    pub fn listed_parent(&self, row: RowNumber) -> Option<Cow<'_, str>> {
        let Some(parent) = self.parent(row) else { return self.parent_provided_id(row) };
        (!self.is(parent, State::Absent)).then(|| self.listed_id(parent))
    }

    /// The tenants that have a parent, in the order of reading; not those that leave.
    pub(crate) fn with_parent(&self) -> impl Iterator<Item = RowNumber> {
        self.numbers().filter(|row| self.managed(*row).parent_provided_id && !self.is_leaving(*row))
    }

    /// Whether the row names the tenant's level.
    pub(crate) fn has_level(&self, row: RowNumber) -> bool {
        self.managed(row).hierarchy_level_name
    }
}

//! Parents that records name by the own ids of other records: translated to `provided_id` when all records are read.

use std::collections::HashMap;

use crate::model::{Row, TakeRow, Tenant, id_of};

/// How a record names its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentBy {
    /// The parent's `provided_id`.
    ProvidedId,
    /// The own id of the parent's record. If no record has that id, it stays as it is, and is unknown as a parent.
    RecordId,
}

/// Passes rows on; rows with a parent to translate come at the end.
pub(super) struct Parents<'e> {
    by: ParentBy,
    take: TakeRow<'e>,
    /// `provided_id` by the records' own ids.
    provided_ids: HashMap<String, String>,
    waiting: Vec<Tenant<'static>>,
}

impl<'e> Parents<'e> {
    pub(super) fn new(by: ParentBy, take: TakeRow<'e>) -> Self {
        Self { by, take, provided_ids: HashMap::new(), waiting: Vec::new() }
    }

    pub(super) fn add(&mut self, record_id: Option<&str>, row: Row<'_>) {
        if self.by == ParentBy::ProvidedId {
            return (self.take)(&row);
        }
        if let (Some(record_id), Some(provided_id)) = (record_id, id_of(&row)) {
            self.provided_ids.insert(record_id.to_owned(), provided_id.to_owned());
        }
        match row {
            Ok(tenant) if tenant.parent_provided_id.is_some() => self.waiting.push(tenant.into_owned()),
            row => (self.take)(&row),
        }
    }

    pub(super) fn end(self) {
        for mut tenant in self.waiting {
            let parent = tenant.parent_provided_id.as_ref().and_then(|parent| self.provided_ids.get(&**parent));
            if let Some(parent) = parent {
                tenant.parent_provided_id = Some(parent.clone().into());
            }
            (self.take)(&Ok(tenant));
        }
    }
}

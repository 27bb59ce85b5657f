//! Parents that records name by each other's own ids: the `provided_id` of each is looked up when all are read.

use std::collections::HashMap;

use crate::model::{Row, Tenant};

/// What `parent_provided_id` of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentBy {
    /// The parent's `provided_id`.
    ProvidedId,
    /// The own id of the parent's record. Where no record has it, it is unknown as a parent, too.
    RecordId,
}

/// Gives rows on, those that have a parent to look up at the end.
pub(super) struct Parents<'e> {
    by: ParentBy,
    each: &'e mut dyn FnMut(Row),
    /// By the records' own ids.
    provided_ids: HashMap<String, String>,
    waiting: Vec<Tenant>,
}

impl<'e> Parents<'e> {
    pub(super) fn new(by: ParentBy, each: &'e mut dyn FnMut(Row)) -> Self {
        Self { by, each, provided_ids: HashMap::new(), waiting: Vec::new() }
    }

    pub(super) fn add(&mut self, record_id: Option<&str>, row: Row) {
        if self.by == ParentBy::ProvidedId {
            return (self.each)(row);
        }
        let provided_id = match &row {
            Ok(tenant) => Some(&tenant.provided_id),
            Err(invalid) => invalid.provided_id.as_ref(),
        };
        if let (Some(record_id), Some(provided_id)) = (record_id, provided_id) {
            self.provided_ids.insert(record_id.to_owned(), provided_id.clone());
        }
        match row {
            Ok(tenant) if tenant.parent_provided_id.is_some() => self.waiting.push(tenant),
            row => (self.each)(row),
        }
    }

    pub(super) fn end(self) {
        for mut tenant in self.waiting {
            let parent = tenant.parent_provided_id.as_ref().and_then(|parent| self.provided_ids.get(parent));
            if let Some(parent) = parent {
                tenant.parent_provided_id = Some(parent.clone());
            }
            (self.each)(Ok(tenant));
        }
    }
}

//! Deletions that were begun: which are not known to be done, and how the ledger's text says that one is.

use std::collections::BTreeSet;

use super::{Memory, Seen, Token};

/// How the text of a deletion begins that is not known to be done.
pub(crate) const DELETING: &str = r#"{"action":"delete","at""#;

const DELETED: &str = r#"{"action":"delete","gone":true,"at""#;

/// The text of a deletion, once the customer is gone; `None` if it is another text, or says so already.
pub(crate) fn as_deleted(text: &str) -> Option<String> {
    text.strip_prefix(DELETING).map(|rest| format!("{DELETED}{rest}"))
}

/// Whether the text is of a customer that is gone: the answer to its deletion said so, or a look.
pub(crate) fn is_deleted(text: &str) -> bool {
    text.starts_with(DELETED)
}

impl Memory {
    /// The same; the deletion of these customers was begun, and is not known to be done.
    #[must_use]
    pub fn with_deleting(self, deleting: BTreeSet<String>) -> Self {
        Self { deleting, ..self }
    }

    /// Whether a customer's deletion was begun and is not known to be done.
    pub(crate) fn is_deleting(&self, provided_id: &str) -> bool {
        self.deleting.contains(provided_id)
    }

    /// Whether a customer with this token shows that the one whose deletion was begun is gone: it has the id by now.
    pub(crate) fn is_replaced(&self, provided_id: &str, token: &Token) -> bool {
        let known = self.token(provided_id).filter(|_| self.is_deleting(provided_id));
        known.is_some_and(|known| token.hash(None).is_some_and(|shown| shown != known))
    }

    /// Whether the customer whose deletion was begun is there: the one with this token.
    pub(crate) fn is_spared(&self, provided_id: &str, token: &Token) -> bool {
        let known = self.token(provided_id).filter(|_| self.is_deleting(provided_id));
        known.is_some_and(|known| token.hash(Some(known)) == Some(known))
    }

    /// When a hidden customer was last looked up, whatever its tenant wants.
    pub(crate) fn looked_up_at(&self, provided_id: &str) -> Option<u64> {
        match self.known.get(provided_id)?.seen {
            Some(Seen::Hidden(asked_at)) => Some(asked_at),
            Some(Seen::Listed(_)) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        memory::{Action, offboarded},
        model::Customer,
    };

    #[test]
    fn a_deletion_is_done_once_and_nothing_else_is() {
        let text = |action| offboarded(action, &Customer::default(), None, 0).unwrap();
        let deleting = text(Action::Delete);
        let deleted = as_deleted(&deleting).unwrap();
        assert!(!is_deleted(&deleting) && is_deleted(&deleted) && as_deleted(&deleted).is_none(), "{deleted}");
        assert!(serde_json::from_str::<serde_json::Value>(&deleted).unwrap()["gone"] == true, "{deleted}");
        assert!(as_deleted(&text(Action::LockOut)).is_none() && as_deleted("").is_none());
    }
}

//! The pair that a ledger belongs to, a source and an Explo: JSON in the row with the empty id.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::source::Identity;

/// The two sides of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The source of the tenants.
    pub source: Identity,
    /// Explo's address, in its one form.
    pub explo: String,
}

/// The content of that row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whose {
    #[serde(flatten)]
    pub(super) pair: Pair,
    /// How often the ledger was adopted: a run that began before the last adoption must not record any more.
    #[serde(default)]
    pub(super) adopted: u64,
}

/// A run's right to record.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) pair: Pair,
    /// The number of adoptions when the run began; `None` if the ledger can't store its pair.
    pub(super) adopted: Option<u64>,
}

impl Pair {
    /// Whether both are the same pair.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.source.is_same(&other.source) && self.explo == other.explo
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and Explo at {}", self.source, self.explo)
    }
}

impl Whose {
    /// Reads a row; `None` if it has no known form.
    pub(super) fn read(text: Option<&str>) -> Option<Self> {
        serde_json::from_str(text?).ok()
    }

    /// The same, with what this pair knows of the source beyond it.
    pub(super) fn known_by(&self, pair: &Pair) -> Self {
        let Self { pair: Pair { source, explo }, adopted } = self.clone();
        Self { pair: Pair { source: source.or(&pair.source), explo }, adopted }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Texts and a number: JSON can express all of them, so this never fails.
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_what_cannot_be_understood_says_nothing() {
        let source = Identity::Postgres { database: "a\"pp".to_owned(), system: Some("7".to_owned()) };
        let pair = Pair { source, explo: "https://api.explo.co".to_owned() };
        let whose = Whose { pair, adopted: 2 };
        let text = whose.to_string();
        assert_eq!(
            text,
            r#"{"source":{"kind":"postgres","database":"a\"pp","system":"7"},"explo":"https://api.explo.co","adopted":2}"#
        );
        assert_eq!(Whose::read(Some(&text)), Some(whose));
        let later = r#"{"source":{"kind":"mysql","database":"app"},"explo":"https://x","since":"2027"}"#;
        assert_eq!(
            Whose::read(Some(later)).map(|whose| whose.adopted),
            Some(0),
            "what a later version adds is no matter"
        );
        assert!([None, Some(""), Some("{}"), Some("name 1:2 cut")].into_iter().all(|text| Whose::read(text).is_none()));
    }
}

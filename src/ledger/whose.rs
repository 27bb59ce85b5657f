//! Whose ledger it is: the source and the Explo that it stands between, as the row without an id says, in JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::source::Identity;

/// The two sides of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Where the tenants are.
    pub source: Identity,
    /// Where the customers are: Explo's address, in a form in which the same one is written in one way.
    pub explo: String,
}

/// What the row says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whose {
    #[serde(flatten)]
    pub(super) pair: Pair,
    /// How often it was adopted: a run that began before must not record any more.
    #[serde(default)]
    pub(super) adopted: u64,
}

/// The right of a run to record.
#[derive(Debug)]
pub(super) struct Claim<'p> {
    pub(super) pair: &'p Pair,
    /// How often the ledger was adopted until then; unknown where it can't be said whose it is.
    pub(super) adopted: Option<u64>,
}

impl Pair {
    /// Whether both are the same two sides.
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
    /// What a row says; `None` where it says nothing that can be understood.
    pub(super) fn read(text: Option<&str>) -> Option<Self> {
        serde_json::from_str(text?).ok()
    }

    /// The same with what this pair was told beyond.
    pub(super) fn known_by(&self, pair: &Pair) -> Self {
        let Self { pair: Pair { source, explo }, adopted } = self.clone();
        Self { pair: Pair { source: source.or(&pair.source), explo }, adopted }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Texts and a number: nothing that JSON could not hold.
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

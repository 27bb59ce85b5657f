//! What is to be remembered of one customer from now on, as a ledger takes it.

use secrecy::{ExposeSecret, SecretString};

use super::{Remembered, Seen, token_hash};

/// What is to be remembered of one customer.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Whose it is.
    pub provided_id: String,
    /// The id that the customer had before it was renamed: its row becomes this one.
    pub former: Option<String>,
    /// Its token.
    pub token: Token,
    /// All the rest.
    pub remembered: Remembered,
    /// Whether Explo showed or acknowledged it just now.
    pub is_synced: bool,
}

/// What becomes of the token in a row.
#[derive(Debug, Clone)]
pub enum Token {
    /// It stays.
    Kept,
    /// The answer or the listing had this one.
    Shown(SecretString),
    /// No customer has it under this id any more: the next customer with this id must not get the token.
    Gone,
}

/// A listed customer of which something is to be remembered.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its id.
    pub provided_id: String,
    /// Its token.
    pub token: Token,
    /// The fingerprint of what it holds.
    pub seen: u64,
    /// The fingerprint of what its tenant wants, where it holds just that.
    pub equal: Option<u64>,
}

/// What the answer to a write showed.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// The customer's token.
    pub token: Token,
    /// What it holds, or that no listing shows it.
    pub seen: Seen,
}

impl Token {
    /// The token as Explo showed it; an empty one is none.
    #[must_use]
    pub fn shown(token: &str) -> Self {
        if token.is_empty() { Self::Kept } else { Self::Shown(token.to_owned().into()) }
    }

    /// The hash of the token that a row has from now on.
    pub(crate) fn hash(&self, before: Option<u64>) -> Option<u64> {
        match self {
            Self::Kept => before,
            Self::Shown(token) => Some(token_hash(token.expose_secret())),
            Self::Gone => None,
        }
    }
}

impl Entry {
    /// What is remembered from now on.
    pub(crate) fn new(provided_id: &str, token: Token, mut remembered: Remembered) -> Self {
        remembered.token = token.hash(remembered.token);
        Self { provided_id: provided_id.to_owned(), former: None, token, remembered, is_synced: false }
    }

    /// What was to be remembered before, and this since.
    #[must_use]
    pub fn after(mut self, before: Self) -> Self {
        self.is_synced |= before.is_synced;
        self.former = self.former.or(before.former);
        if let Token::Kept = self.token {
            self.token = before.token;
            self.remembered.token = before.remembered.token;
        }
        self
    }
}

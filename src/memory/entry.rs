//! What to remember of one customer from now on, as a ledger stores it.

use secrecy::{ExposeSecret, SecretString};

use super::{Memory, Overview, Remembered, Seen, token_hash};

/// What to remember of one customer.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The customer's id.
    pub provided_id: String,
    /// The customer's id before a rename: that id's row becomes this one.
    pub former: Option<String>,
    /// Its token.
    pub token: Token,
    /// Everything else.
    pub remembered: Remembered,
    /// Whether Explo has just shown or acknowledged the wanted values.
    pub is_synced: bool,
    /// Whether the tenant has returned, and its customer has again what `lock_out` emptied.
    pub is_back: bool,
    /// Whether its customer is deleted: the answer to the deletion said so, or a look.
    pub is_deleted: bool,
}

/// Something to remember.
#[derive(Debug, Clone)]
pub enum Note {
    /// Of one customer.
    Customer(Box<Entry>),
    /// Of a data visibility group: a customer was made in it that no listing has shown yet.
    Group(String),
    /// Of all customers; what a listing shows of single customers comes before it.
    Overview(Box<Overview>),
}

impl Note {
    /// What it says of this customer.
    #[must_use]
    pub fn of(&self, provided_id: &str) -> Option<&Entry> {
        match self {
            Self::Customer(entry) => Some(&**entry).filter(|entry| entry.provided_id == provided_id),
            Self::Group(_) | Self::Overview(_) => None,
        }
    }

    /// The customer whose token it shows, and the token's hash.
    #[must_use]
    pub fn token_hash(&self) -> Option<(&str, u64)> {
        match self {
            Self::Customer(entry) => Some((&entry.provided_id, entry.token.hash(None)?)),
            Self::Group(_) | Self::Overview(_) => None,
        }
    }
}

impl From<Entry> for Note {
    fn from(entry: Entry) -> Self {
        Self::Customer(Box::new(entry))
    }
}

/// What happens to the token in a row.
#[derive(Debug, Clone)]
pub enum Token {
    /// It stays.
    Kept,
    /// The answer or the listing showed this one.
    Shown(SecretString),
    /// No customer has it under this id any more; the next customer with this id must not get it.
    Gone,
}

/// A listed customer of which there is something to remember.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its id.
    pub provided_id: String,
    /// Its token.
    pub token: Token,
    /// The fingerprint of its current values.
    pub seen: u64,
    /// The fingerprint of what its tenant wants, if the customer equals it.
    pub equal: Option<u64>,
}

/// What the answer to a write showed.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// The customer's token.
    pub token: Token,
    /// Its current values, or that no listing shows it.
    pub seen: Seen,
}

impl Token {
    /// The token as Explo showed it; an empty one counts as not shown.
    #[must_use]
    pub fn shown(token: &str) -> Self {
        if token.is_empty() { Self::Kept } else { Self::Shown(token.to_owned().into()) }
    }

    /// The hash of the token in the row from now on.
    pub(crate) fn hash(&self, before: Option<u64>) -> Option<u64> {
        match self {
            Self::Kept => before,
            Self::Shown(token) => Some(token_hash(token.expose_secret())),
            Self::Gone => None,
        }
    }
}

impl Entry {
    /// An entry that replaces what was remembered.
    pub(crate) fn new(provided_id: &str, token: Token, mut remembered: Remembered) -> Self {
        remembered.token = token.hash(remembered.token);
        let provided_id = provided_id.to_owned();
        Self { provided_id, former: None, token, remembered, is_synced: false, is_back: false, is_deleted: false }
    }

    /// What is remembered stays, and was seen to be in sync now.
    #[must_use]
    pub fn still_in_sync(provided_id: &str, memory: &Memory) -> Self {
        Self { is_synced: true, ..Self::new(provided_id, Token::Kept, memory.known(provided_id)) }
    }

    /// The same, without the word that nothing is left to do: the customer is looked up before it is believed.
    #[must_use]
    pub fn to_look_up(mut self) -> Self {
        self.remembered.wanted = None;
        Self { is_synced: false, ..self }
    }

    /// Merges this entry with an earlier one of the same customer.
    #[must_use]
    pub fn after(mut self, before: Self) -> Self {
        self.is_synced |= before.is_synced;
        self.is_back |= before.is_back;
        self.is_deleted |= before.is_deleted;
        self.former = self.former.or(before.former);
        if let Token::Kept = self.token {
            self.token = before.token;
            self.remembered.token = before.remembered.token;
        }
        self
    }
}

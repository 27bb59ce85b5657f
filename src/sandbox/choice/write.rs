//! What writes do, and what they keep.

use clap::ValueEnum;

/// What an update does to what is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnUpdate {
    /// The new in its place.
    #[default]
    Replace,
    /// The new beside it.
    Merge,
}

/// What becomes of spaces around names, e-mails, tags and property values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Spaces {
    /// They stay.
    #[default]
    Kept,
    /// They go.
    Trimmed,
    /// They go, and within the text one space stays of several, or of a tab or line end.
    Collapsed,
}

/// What becomes of the letters of an e-mail address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AddressCase {
    /// They stay.
    #[default]
    Kept,
    /// They become lower case.
    Lower,
}

/// What becomes of characters that Unicode can write in two ways, in names, e-mails, tags and property values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum UnicodeForm {
    /// They stay.
    #[default]
    Kept,
    /// They are composed: normal form C.
    Nfc,
}

/// What becomes of `&`, `<` and `>` in names, e-mails, tags and property values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Markup {
    /// They stay.
    #[default]
    Kept,
    /// `&amp;`, `&lt;` and `&gt;`.
    Escaped,
}

/// What becomes of numbers in properties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Numbers {
    /// They stay as they were sent.
    #[default]
    Kept,
    /// They are read as doubles and printed again; one that is too large becomes `null`.
    Doubles,
}

/// How a `provided_id` is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Ids {
    /// As it is.
    #[default]
    Exact,
    /// Without regard to case.
    Folded,
    /// Without spaces around it, which are not stored either.
    Trimmed,
}

/// What create does to a customer that exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Existing {
    /// Nothing.
    #[default]
    Left,
    /// What update would do.
    Updated,
}

/// Whether get and update know a hidden customer; create always finds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Hidden {
    /// They do.
    #[default]
    Reachable,
    /// There is no such customer, they say.
    Unknown,
}

/// What a tag that does not exist does to a write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum UnknownTags {
    /// The write is refused.
    #[default]
    Refused,
    /// It is made.
    Made,
}

/// Whether tags can be listed and made by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TagCalls {
    /// They can.
    #[default]
    Present,
    /// There are no such calls: 404.
    Missing,
}

/// What `null` in a body means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Nulls {
    /// Leave alone.
    #[default]
    Ignored,
    /// Make empty.
    Cleared,
}

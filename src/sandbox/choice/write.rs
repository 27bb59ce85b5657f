//! What writes do, and what they store.

use clap::ValueEnum;

/// What an update does to the stored value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnUpdate {
    /// Replaces it.
    #[default]
    Replace,
    /// Adds to it.
    Merge,
}

/// What happens to spaces around names, e-mails, tags and property values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Spaces {
    /// They stay.
    #[default]
    Kept,
    /// They are removed.
    Trimmed,
    /// They are removed, and within the text each run of spaces, tabs and line ends becomes one space.
    Collapsed,
}

/// What happens to the letters of an e-mail address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AddressCase {
    /// They stay.
    #[default]
    Kept,
    /// They become lower case.
    Lower,
}

/// What happens to characters that Unicode can encode in two ways, in names, e-mails, tags and property values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum UnicodeForm {
    /// They stay.
    #[default]
    Kept,
    /// They are composed (NFC).
    Nfc,
}

/// What happens to `&`, `<` and `>` in names, e-mails, tags and property values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Markup {
    /// They stay.
    #[default]
    Kept,
    /// `&amp;`, `&lt;` and `&gt;`.
    Escaped,
}

/// What happens to numbers in properties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Numbers {
    /// They stay as they were sent.
    #[default]
    Kept,
    /// They are read as doubles and printed again; a number that is too large becomes `null`.
    Doubles,
}

/// How a `provided_id` is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Ids {
    /// Exactly.
    #[default]
    Exact,
    /// Ignoring case.
    Folded,
    /// Without the spaces around it, which are not stored either.
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

/// Whether get and update find a hidden customer; create always does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Hidden {
    /// They find it.
    #[default]
    Reachable,
    /// They answer that there is no such customer.
    Unknown,
}

/// What happens to a write with a tag that does not exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum UnknownTags {
    /// The write is refused.
    #[default]
    Refused,
    /// The tag is created.
    Made,
}

/// Whether the calls that list and create tags exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TagCalls {
    /// They do.
    #[default]
    Present,
    /// They do not: 404.
    Missing,
}

/// What `null` in a body means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Nulls {
    /// Leave the field unchanged.
    #[default]
    Ignored,
    /// Empty the field.
    Cleared,
}

/// What delete answers if no customer has the token: it is gone, or never was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Gone {
    /// What an unknown id gets.
    #[default]
    Unknown,
    /// Success.
    Success,
}

/// What delete answers if the customer has children.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Parents {
    /// What any other refusal looks like.
    #[default]
    Refused,
    /// 200 with `success` 0 and `error`.
    #[value(name = "200")]
    Ok,
    /// 400.
    #[value(name = "400")]
    BadRequest,
}

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

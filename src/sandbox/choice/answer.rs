//! What answers look like.

use clap::ValueEnum;

/// How keys are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum KeyStyle {
    /// `group_tags`.
    #[default]
    Snake,
    /// `groupTags`.
    Camel,
}

/// How the keys within properties are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PropertyKeys {
    /// As they were sent.
    #[default]
    Stored,
    /// In `snake_case` by the listings.
    SnakeListed,
    /// In `camelCase` by the listings.
    CamelListed,
    /// In `snake_case` by every answer.
    Snake,
    /// In `camelCase` by every answer.
    Camel,
}

/// Where something is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Shown {
    /// In no answer.
    #[default]
    Nowhere,
    /// By the listings.
    Listed,
    /// By every answer.
    Everywhere,
}

/// How values of a mapping are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum MappingValues {
    /// As they were sent.
    #[default]
    Sent,
    /// As numbers where they look like whole numbers.
    Numbers,
}

/// How empty properties and mapping are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum EmptyObjects {
    /// `null` where they were never set, else `{}`.
    #[default]
    Stored,
    /// `null`.
    Null,
    /// `{}`.
    Braces,
}

/// How the level is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LevelShown {
    /// As it is.
    #[default]
    Stored,
    /// Always `null`.
    Null,
    /// Not at all.
    Missing,
}

/// How the data visibility group is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum GroupShown {
    /// As it is.
    #[default]
    Shown,
    /// Always `null`.
    Null,
}

/// How an answer says that the call succeeded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Success {
    /// `1`; a failure has `0`.
    #[default]
    #[value(name = "1")]
    One,
    /// `true`; a failure has `false`.
    True,
}

/// What a refusal looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FailureShape {
    /// 400 or 404, with `success` and `error`.
    #[default]
    Status,
    /// 200, with `success` and `error`.
    Ok,
    /// 400 or 404 with an HTML page.
    Html,
    /// 400 or 404 with JSON of another shape.
    Unknown,
}

/// What get, update and delete answer if there is no such customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum UnknownId {
    /// 404, in the shape of a refusal, which may be 200.
    #[default]
    Refused,
    /// 404, independent of other refusals.
    #[value(name = "404")]
    NotFound,
    /// 400.
    #[value(name = "400")]
    BadRequest,
    /// 200 with `success` and `error`.
    #[value(name = "200")]
    Ok,
    /// 500.
    #[value(name = "500")]
    ServerError,
}

/// What every refusal also contains, with another value each time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RefusalMark {
    /// Nothing.
    #[default]
    Nothing,
    /// A `request_id`, at random.
    RequestId,
    /// A `timestamp`.
    Timestamp,
}

/// What a path without its last slash gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum MissingSlash {
    /// `Method not allowed`.
    #[default]
    #[value(name = "405")]
    NotAllowed,
    /// A redirect to the path with a slash.
    #[value(name = "301")]
    Redirect,
}

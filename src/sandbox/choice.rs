//! The ways in which the sandbox can behave, one set for each question that the documents leave open.

use clap::ValueEnum;

/// Which spelling of the page size is honoured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PageSizeName {
    /// `page_size`, else `pageSize`.
    #[default]
    Both,
    /// `page_size` alone.
    #[value(name = "page_size")]
    Snake,
    /// `pageSize` alone.
    #[value(name = "pageSize")]
    Camel,
    /// None: pages have 20 customers.
    Neither,
}

/// What a query parameter that is not known does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum UnknownParameters {
    /// Nothing.
    #[default]
    Ignored,
    /// The answer is 400.
    Refused,
}

/// What the number of customers is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Total {
    /// As today.
    #[default]
    #[value(name = "total_count")]
    TotalCount,
    /// As once.
    Count,
    /// Both ways.
    Both,
    /// It is not told.
    Missing,
}

/// Which customers the number counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TotalOf {
    /// Those that are listed.
    #[default]
    Visible,
    /// The hidden ones too.
    All,
}

/// What a page past the end is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PastEnd {
    /// `Invalid page.`
    #[default]
    #[value(name = "404")]
    NotFound,
    /// A page without customers.
    Empty,
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

/// The order of the listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// The oldest customer first.
    #[default]
    Created,
    /// The newest customer first.
    Newest,
    /// Another order for each call.
    Shuffled,
}

/// What others do while somebody lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Churn {
    /// A stranger is made.
    Add,
    /// A stranger is deleted.
    Delete,
    /// A stranger gets another `provided_id`.
    Rename,
    /// A stranger gets another name.
    Touch,
    /// Any customer moves to another place in the order of making.
    Reorder,
}

/// Whom `parent_provided_id` finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ParentFilter {
    /// Direct children.
    #[default]
    Children,
    /// Grandchildren too.
    Descendants,
    /// Everybody: it is not heeded.
    Ignored,
}

/// Where the first listing looks for its filters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum V1Filters {
    /// In the query.
    #[default]
    Query,
    /// In the body, as its page says.
    Body,
}

/// Whether the second listing is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum V2 {
    /// It is.
    #[default]
    Present,
    /// It is not: 404.
    Missing,
}

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

/// How properties and mapping are shown where they are empty.
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

/// How an answer says that it is one.
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
    /// 400 or 404 with a page for a browser.
    Html,
    /// 400 or 404 with JSON of another shape.
    Unknown,
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

/// What `count` of the upstream list is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum UpstreamCount {
    /// The number of all records that fit.
    #[default]
    Total,
    /// The number of those on the page.
    Page,
}

//! How customers are listed: which, in which order, how many.

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
    /// The first page again.
    First,
    /// The last page again.
    Last,
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
    /// A stranger gets another token.
    Token,
}

/// Where the second customer of a `provided_id` is listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Second {
    /// Right after the one that was there.
    #[default]
    After,
    /// Right before it; calls about the id reach the second then.
    Before,
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

/// What `count` of the upstream list is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum UpstreamCount {
    /// The number of all records that fit.
    #[default]
    Total,
    /// The number of those on the page.
    Page,
}

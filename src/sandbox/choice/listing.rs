//! How customers are listed: which, in which order, how many.

use clap::ValueEnum;

/// Which parameter sets the page size.
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

/// What an unknown query parameter does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum UnknownParameters {
    /// Nothing.
    #[default]
    Ignored,
    /// The answer is 400.
    Refused,
}

/// The name of the total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Total {
    /// `total_count`, as today.
    #[default]
    #[value(name = "total_count")]
    TotalCount,
    /// `count`, as in the past.
    Count,
    /// Both names.
    Both,
    /// No total.
    Missing,
}

/// Which customers the total counts.
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

/// What others do while a client lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Churn {
    /// A stranger is created.
    Add,
    /// A stranger is deleted.
    Delete,
    /// A stranger gets another `provided_id`.
    Rename,
    /// A stranger gets another name.
    Touch,
    /// Any customer moves to another position in the order.
    Reorder,
    /// A stranger gets another token.
    Token,
}

/// Where the second customer with a `provided_id` is listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Second {
    /// Right after the first.
    #[default]
    After,
    /// Right before the first; calls with the id then reach the second.
    Before,
}

/// What the filter `parent_provided_id` finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ParentFilter {
    /// Direct children.
    #[default]
    Children,
    /// Grandchildren too.
    Descendants,
    /// All customers: the filter is ignored.
    Ignored,
}

/// Where the v1 listing reads its filters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum V1Filters {
    /// From the query.
    #[default]
    Query,
    /// From the body, as its documentation says.
    Body,
}

/// Whether the v2 listing exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum V2 {
    /// It does.
    #[default]
    Present,
    /// It does not: 404.
    Missing,
}

/// What `count` of the upstream list is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum UpstreamCount {
    /// The number of all matching records.
    #[default]
    Total,
    /// The number of those on the page.
    Page,
}

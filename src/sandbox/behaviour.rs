//! How the sandbox behaves if the documents leave it open: one field and one flag per question.
//!
//! The default is the documented or the most likely behaviour. In a flag's help it is the first choice.

use clap::Args;

use super::choice::{
    AddressCase, Churn, EmptyObjects, Existing, FailureShape, Gone, GroupShown, Hidden, Ids, KeyStyle, LevelShown,
    MappingValues, Markup, MissingSlash, Nulls, Numbers, OnUpdate, Order, PageSizeName, ParentFilter, Parents, PastEnd,
    PropertyKeys, RefusalMark, Shown, Spaces, Success, TagCalls, Total, TotalOf, UnicodeForm, UnknownId,
    UnknownParameters, UnknownTags, UpstreamCount, V1Filters, V2,
};

const LISTING: &str = "How customers are listed";
const ANSWERS: &str = "What answers look like";
const WRITES: &str = "What writes do";

/// How the sandbox behaves.
#[expect(clippy::doc_markdown, reason = "a terminal shows these lines as they are")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Behaviour {
    /// Sets the page size: both, page_size, pageSize, neither
    #[arg(long, value_enum, default_value_t, value_name = "NAME", help_heading = LISTING)]
    pub page_size_name: PageSizeName,
    /// Largest page, even if a larger one is requested: 1000
    #[arg(long, value_name = "N", help_heading = LISTING)]
    pub largest_page: Option<usize>,
    /// Unknown query parameters are: ignored, refused
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = LISTING)]
    pub unknown_parameters: UnknownParameters,
    /// Name of the total: total_count, count, both, missing
    #[arg(long, value_enum, default_value_t, value_name = "NAME", help_heading = LISTING)]
    pub total: Total,
    /// Customers that the total counts: visible, all
    #[arg(long, value_enum, default_value_t, value_name = "WHICH", help_heading = LISTING)]
    pub total_of: TotalOf,
    /// Added to the total, which stays 0 or more: 0
    #[arg(long, default_value_t, value_name = "N", allow_negative_numbers = true, help_heading = LISTING)]
    pub total_plus: isize,
    /// A page past the end: 404, empty, first, last
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = LISTING)]
    pub past_end: PastEnd,
    /// Order: created, newest, shuffled (anew for each call)
    #[arg(long, value_enum, default_value_t, value_name = "ORDER", help_heading = LISTING)]
    pub order: Order,
    /// Done to "stranger-…": add, delete, rename, touch, reorder, token
    #[arg(long, value_enum, value_name = "KINDS", value_delimiter = ',', help_heading = LISTING)]
    pub churn: Vec<Churn>,
    /// One of these before every Nth listing call: 1
    #[arg(long, value_name = "N", requires = "churn", help_heading = LISTING)]
    pub churn_every: Option<u64>,
    /// Found by parent_provided_id: children, descendants, ignored
    #[arg(long, value_enum, default_value_t, value_name = "WHICH", help_heading = LISTING)]
    pub parent_filter: ParentFilter,
    /// The v1 listing reads its filters from: query, body
    #[arg(long, value_enum, default_value_t, value_name = "WHERE", help_heading = LISTING)]
    pub v1_filters: V1Filters,
    /// Count of the upstream list: total, page
    #[arg(long, value_enum, default_value_t, value_name = "WHICH", help_heading = LISTING)]
    pub upstream_count: UpstreamCount,
    /// The v2 listing: present, missing
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = LISTING)]
    pub v2: V2,

    /// Keys of records and around them: snake, camel
    #[arg(long, value_enum, default_value_t, value_name = "STYLE", help_heading = ANSWERS)]
    pub keys: KeyStyle,
    /// Keys in properties: stored, snake-listed, camel-listed, snake, camel
    #[arg(long, value_enum, default_value_t, value_name = "STYLE", help_heading = ANSWERS)]
    pub property_keys: PropertyKeys,
    /// A parent's tags among its children's: nowhere, listed, everywhere
    #[arg(long, value_enum, default_value_t, value_name = "WHERE", help_heading = ANSWERS)]
    pub inherited_tags: Shown,
    /// Values of a mapping: sent, numbers
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = ANSWERS)]
    pub mapping_values: MappingValues,
    /// Empty properties and mapping: stored, null, braces
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = ANSWERS)]
    pub empty_objects: EmptyObjects,
    /// hierarchy_level: stored, null, missing
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = ANSWERS)]
    pub level_shown: LevelShown,
    /// access_group: shown, null
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = ANSWERS)]
    pub access_group: GroupShown,
    /// Success is: 1, true
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = ANSWERS)]
    pub success: Success,
    /// A refusal: status (400, 404), ok (200, success 0), html, unknown
    #[arg(long, value_enum, default_value_t, value_name = "SHAPE", help_heading = ANSWERS)]
    pub failure_shape: FailureShape,
    /// An unknown id gets: refused, 404, 400, 200 (success 0), 500
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = ANSWERS)]
    pub unknown_id: UnknownId,
    /// Each refusal also has: nothing, request-id (at random), timestamp
    #[arg(long, value_enum, default_value_t, value_name = "WHAT", help_heading = ANSWERS)]
    pub refusal_mark: RefusalMark,
    /// A path without its last slash gets: 405, 301
    #[arg(long, value_enum, default_value_t, value_name = "STATUS", help_heading = ANSWERS)]
    pub missing_slash: MissingSlash,

    /// E-mails of an update: replace, merge
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub emails: OnUpdate,
    /// Properties of an update: replace, merge
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub properties: OnUpdate,
    /// Mapping of an update: replace, merge
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub mapping: OnUpdate,
    /// Spaces in names, e-mails, tags, properties: kept, trimmed, collapsed
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub spaces: Spaces,
    /// Cut names, e-mails, tags and property values after N characters
    #[arg(long, value_name = "N", help_heading = WRITES)]
    pub cut_at: Option<usize>,
    /// Letters of e-mails: kept, lower
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub address_case: AddressCase,
    /// Unicode of the same texts: kept, nfc
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub unicode: UnicodeForm,
    /// &, < and > in the same texts: kept, escaped
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub markup: Markup,
    /// Numbers in properties: kept, doubles
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub numbers: Numbers,
    /// Refuse bodies of more than N bytes (413)
    #[arg(long, value_name = "N", help_heading = WRITES)]
    pub largest_body: Option<usize>,
    /// Refuse names of more than N characters (400)
    #[arg(long, value_name = "N", help_heading = WRITES)]
    pub longest_name: Option<usize>,
    /// Comparison of provided_id: exact, folded (no regard to case), trimmed
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub ids: Ids,
    /// A customer that create finds is: left, updated
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub existing: Existing,
    /// Hidden customers, for get and update, are: reachable, unknown
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub hidden: Hidden,
    /// Tags that do not exist are: refused, made
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub unknown_tags: UnknownTags,
    /// group_tags and create_group_tag: present, missing
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub tag_calls: TagCalls,
    /// A token that nobody has, for delete, is: unknown, success
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub gone: Gone,
    /// Deleting a customer with children is: refused, 200 (success 0), 400
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub parents: Parents,
    /// A null in a body is: ignored, cleared
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = WRITES)]
    pub nulls: Nulls,
    /// Levels of the hierarchy, from the root: any
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = WRITES)]
    pub levels: Vec<String>,
}

//! The behaviours of the sandbox: one enum per question that the documents leave open.

mod answer;
mod listing;
mod write;

pub use answer::{
    EmptyObjects, FailureShape, GroupShown, KeyStyle, LevelShown, MappingValues, MissingSlash, PropertyKeys,
    RefusalMark, Shown, Success, UnknownId,
};
pub use listing::{
    Churn, Order, PageSizeName, ParentFilter, PastEnd, Second, Total, TotalOf, UnknownParameters, UpstreamCount,
    V1Filters, V2,
};
pub use write::{
    AddressCase, Existing, Gone, Hidden, Ids, Markup, Nulls, Numbers, OnUpdate, Parents, Spaces, TagCalls, UnicodeForm,
    UnknownTags,
};

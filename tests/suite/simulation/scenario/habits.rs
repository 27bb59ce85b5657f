//! The behaviour of a world's Explo.

use explo_sync::sandbox::{
    AddressCase, Behaviour, Churn, EmptyObjects, Existing, FailureShape, GroupShown, Hidden, Ids, KeyStyle, LevelShown,
    MappingValues, Markup, Numbers, OnUpdate, Order, PageSizeName, ParentFilter, PastEnd, PropertyKeys, RefusalMark,
    Shown, Spaces, Success, TagCalls, Total, TotalOf, UnicodeForm, UnknownId, UnknownParameters, UnknownTags,
    V1Filters, V2,
};
use rand::{RngExt, rngs::SmallRng, seq::IndexedRandom};

/// Most of the behaviour is the default; `is_steady` excludes behaviour with which a listing fails now and then.
pub fn behaviour(random: &mut SmallRng, is_steady: bool) -> Behaviour {
    let mut one = |choices: &[usize]| if random.random_bool(0.2) { *choices.choose(random).unwrap() } else { 0 };
    let mut pick = |count: usize| one(&(0..count).collect::<Vec<_>>());
    Behaviour {
        page_size_name: [PageSizeName::Both, PageSizeName::Snake, PageSizeName::Camel, PageSizeName::Neither][pick(4)],
        unknown_parameters: [UnknownParameters::Ignored, UnknownParameters::Refused][pick(2)],
        total: [Total::TotalCount, Total::Count, Total::Both, Total::Missing][pick(4)],
        total_of: [TotalOf::Visible, TotalOf::All][pick(2)],
        past_end: [PastEnd::NotFound, PastEnd::Empty, PastEnd::First, PastEnd::Last][pick(4)],
        order: [Order::Created, Order::Newest, Order::Shuffled][pick(if is_steady { 2 } else { 3 })],
        churn: [
            vec![],
            vec![Churn::Add, Churn::Touch],
            vec![Churn::Delete, Churn::Rename],
            vec![Churn::Reorder],
            vec![Churn::Token],
        ][pick(if is_steady { 1 } else { 5 })]
        .clone(),
        keys: [KeyStyle::Snake, KeyStyle::Camel][pick(2)],
        property_keys: [
            PropertyKeys::Stored,
            PropertyKeys::SnakeListed,
            PropertyKeys::CamelListed,
            PropertyKeys::Snake,
            PropertyKeys::Camel,
        ][pick(5)],
        inherited_tags: [Shown::Nowhere, Shown::Listed, Shown::Everywhere][pick(3)],
        mapping_values: [MappingValues::Sent, MappingValues::Numbers][pick(2)],
        empty_objects: [EmptyObjects::Stored, EmptyObjects::Null, EmptyObjects::Braces][pick(3)],
        level_shown: [LevelShown::Stored, LevelShown::Null, LevelShown::Missing][pick(3)],
        access_group: [GroupShown::Shown, GroupShown::Null][pick(2)],
        success: [Success::One, Success::True][pick(2)],
        failure_shape: [FailureShape::Status, FailureShape::Ok, FailureShape::Html, FailureShape::Unknown][pick(4)],
        unknown_id: [
            UnknownId::Refused,
            UnknownId::NotFound,
            UnknownId::BadRequest,
            UnknownId::Ok,
            UnknownId::ServerError,
        ][pick(5)],
        refusal_mark: [RefusalMark::Nothing, RefusalMark::RequestId, RefusalMark::Timestamp][pick(3)],
        emails: [OnUpdate::Replace, OnUpdate::Merge][pick(2)],
        properties: [OnUpdate::Replace, OnUpdate::Merge][pick(2)],
        mapping: [OnUpdate::Replace, OnUpdate::Merge][pick(2)],
        spaces: [Spaces::Kept, Spaces::Trimmed, Spaces::Collapsed][pick(3)],
        address_case: [AddressCase::Kept, AddressCase::Lower][pick(2)],
        unicode: [UnicodeForm::Kept, UnicodeForm::Nfc][pick(2)],
        markup: [Markup::Kept, Markup::Escaped][pick(2)],
        numbers: [Numbers::Kept, Numbers::Doubles][pick(2)],
        parent_filter: [ParentFilter::Children, ParentFilter::Descendants, ParentFilter::Ignored][pick(3)],
        v1_filters: [V1Filters::Query, V1Filters::Body][pick(2)],
        cut_at: [None, Some(8)][pick(2)],
        largest_body: [None, Some(180), Some(500)][pick(3)],
        longest_name: [None, Some(12)][pick(2)],
        ids: [Ids::Exact, Ids::Folded, Ids::Trimmed][pick(3)],
        existing: [Existing::Left, Existing::Updated][pick(2)],
        hidden: [Hidden::Reachable, Hidden::Unknown][pick(2)],
        unknown_tags: [UnknownTags::Refused, UnknownTags::Made][pick(2)],
        v2: [V2::Present, V2::Missing][pick(2)],
        tag_calls: [TagCalls::Present, TagCalls::Missing][pick(2)],
        ..Behaviour::default()
    }
}

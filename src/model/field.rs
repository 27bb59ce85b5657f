//! The fields of a customer that a source can manage, under the names that the query and the API use.

/// One field of a customer; the order is the same wherever fields are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The display name.
    Name,
    /// The e-mail addresses that may open the customer's portal; a set.
    Emails,
    /// The names of its tags; a set.
    GroupTags,
    /// Key-value pairs for variables in dashboards.
    Properties,
    /// Schema id → data source: decides whose data is shown.
    Mapping,
    /// Whether panels carry a demo watermark.
    IsDemoGroup,
    /// The level in Explo's hierarchy.
    HierarchyLevelName,
    /// The `provided_id` of the parent customer; no answer shows it.
    ParentProvidedId,
}

impl Field {
    /// Every field, in order.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Emails,
        Self::GroupTags,
        Self::Properties,
        Self::Mapping,
        Self::IsDemoGroup,
        Self::HierarchyLevelName,
        Self::ParentProvidedId,
    ];

    /// The name in the query, in a request's body and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Emails => "emails",
            Self::GroupTags => "group_tags",
            Self::Properties => "properties",
            Self::Mapping => "mapping",
            Self::IsDemoGroup => "is_demo_group",
            Self::HierarchyLevelName => "hierarchy_level_name",
            Self::ParentProvidedId => "parent_provided_id",
        }
    }
}

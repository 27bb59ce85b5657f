//! The calls that the program makes.

use std::fmt;

/// One call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// The listing.
    Customers,
    /// One customer.
    GetCustomer,
    /// Get or create.
    CreateCustomer,
    /// Change some fields.
    UpdateCustomer,
    /// Remove one customer.
    DeleteCustomer,
    /// All tags.
    GroupTags,
    /// Create one tag.
    CreateGroupTag,
}

impl Endpoint {
    /// The last part of the path, which is also its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::GetCustomer => "get_customer",
            Self::CreateCustomer => "create_customer",
            Self::UpdateCustomer => "update_customer",
            Self::DeleteCustomer => "delete_customer",
            Self::GroupTags => "group_tags",
            Self::CreateGroupTag => "create_group_tag",
        }
    }

    /// The documented shape of its answer.
    pub(super) fn documented(self) -> &'static str {
        match self {
            Self::Customers => r#"{"total_count", "results": {"customers": […]}}, of v1 {"success", "customers": […]}"#,
            Self::GetCustomer | Self::UpdateCustomer => r#"{"success", "customer": {…}}"#,
            Self::CreateCustomer => r#"{"success", "new_customer", "customer": {…}}"#,
            Self::DeleteCustomer => r#"{"success"}"#,
            Self::GroupTags => r#"{"success", "group_tags": [{"name"}…]}"#,
            Self::CreateGroupTag => r#"{"success", "group_tag": {"name"}}"#,
        }
    }

    /// Relative to the base URL; the trailing slash is required.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Customers => "v2/api/customers/",
            Self::GetCustomer => "api/get_customer/",
            Self::CreateCustomer => "api/create_customer/",
            Self::UpdateCustomer => "api/update_customer/",
            Self::DeleteCustomer => "api/delete_customer/",
            Self::GroupTags => "api/group_tags/",
            Self::CreateGroupTag => "api/create_group_tag/",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! The paths of the API.

/// Path of the upstream list.
const UPSTREAM: &str = "/v2/customers";

/// The endpoints; both listings are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Both listings.
    Customers,
    /// Get or create.
    CreateCustomer,
    /// Change, and rename.
    UpdateCustomer,
    /// One customer.
    GetCustomer,
    /// Remove one.
    DeleteCustomer,
    /// All tags.
    GroupTags,
    /// One more tag.
    CreateGroupTag,
    /// The list to read tenants from, which is not Explo's.
    Upstream,
}

/// Which of the two listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

impl Endpoint {
    /// Every one of them.
    pub const ALL: [Self; 8] = [
        Self::Customers,
        Self::CreateCustomer,
        Self::UpdateCustomer,
        Self::GetCustomer,
        Self::DeleteCustomer,
        Self::GroupTags,
        Self::CreateGroupTag,
        Self::Upstream,
    ];

    /// The last part of its path.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::CreateCustomer => "create_customer",
            Self::UpdateCustomer => "update_customer",
            Self::GetCustomer => "get_customer",
            Self::DeleteCustomer => "delete_customer",
            Self::GroupTags => "group_tags",
            Self::CreateGroupTag => "create_group_tag",
            Self::Upstream => "upstream",
        }
    }

    /// The endpoint of a path without its query, whether or not the path ends in a slash.
    pub(super) fn of_path(path: &str) -> Option<(Self, Version)> {
        if path == UPSTREAM {
            return Some((Self::Upstream, Version::V2));
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let (version, name) = match (path.strip_prefix("/api/"), path.strip_prefix("/v2/api/")) {
            (Some(name), _) => (Version::V1, name),
            (None, Some("customers")) => (Version::V2, "customers"),
            (None, _) => return None,
        };
        let mut of_explo = Self::ALL.into_iter().filter(|endpoint| *endpoint != Self::Upstream);
        Some((of_explo.find(|endpoint| endpoint.name() == name)?, version))
    }

    /// The header that carries the token of a call, and what stands before it.
    pub(super) fn credentials(path: &str) -> (&'static str, &'static str) {
        if path == UPSTREAM { ("authorization", "Bearer ") } else { ("explo-authorization", "Token ") }
    }

    /// Whether the body of a call names one customer.
    pub(super) const fn names_customer(self) -> bool {
        match self {
            Self::CreateCustomer | Self::UpdateCustomer | Self::GetCustomer | Self::DeleteCustomer => true,
            Self::Customers | Self::GroupTags | Self::CreateGroupTag | Self::Upstream => false,
        }
    }

    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Customers | Self::GroupTags | Self::Upstream => "GET",
            Self::CreateCustomer | Self::UpdateCustomer | Self::GetCustomer | Self::CreateGroupTag => "POST",
            Self::DeleteCustomer => "DELETE",
        }
    }
}

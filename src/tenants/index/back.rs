//! What a tenant gets back that its row does not manage.

use std::borrow::Cow;

use crate::model::Tenant;

type List = Vec<Cow<'static, str>>;

/// What a tenant gets back.
#[derive(Debug, Default)]
pub(super) struct Back {
    pub(super) emails: Option<List>,
    pub(super) group_tags: Option<List>,
}

impl Back {
    /// Adds it to what the row wants.
    pub(super) fn add_to(&self, tenant: &mut Tenant<'static>) {
        tenant.emails = self.emails.clone().or(tenant.emails.take());
        tenant.group_tags = self.group_tags.clone().or(tenant.group_tags.take());
    }
}

//! Reading and writing customers: the request of each call, and the checks of its answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter, slice,
};

use super::{
    Children, Created, Error, Look, PageProgress, Reader, Refusal, Shown, Unusable, Writer,
    answer::{about, read_answer},
    client::{Check, Client, Request},
    delete,
    endpoint::Endpoint,
    listing::{self, ListedTokens, Listing},
    look, rename, tags,
    wire::{self, ListingVersion},
};
use crate::{
    http::{Attempts, Transport},
    model::{Record, Tenant},
};

/// Names of the page size parameter, in the order tried: the reference's table and its example use different names, and
/// a server may refuse unknown parameters.
const PAGE_SIZE_NAMES: [&[&str]; 4] = [&["page_size", "pageSize"], &["page_size"], &["pageSize"], &[]];

/// The filter for the children of a customer.
const PARENT: &str = "parent_provided_id";

impl<T: Transport> Client<T> {
    /// Gives one page of the listing, of all customers or of one customer's children, to `read`; `None` past the end.
    /// Pages count from 1; v1 has one page only. `most` is the largest answer in bytes.
    pub(super) async fn page<P>(
        &self,
        parent: Option<&str>,
        (number, most): (usize, usize),
        mut read: impl FnMut(&[u8]) -> Result<P, Unusable>,
    ) -> Result<Option<P>, Error> {
        match self.settings.listing.version {
            ListingVersion::V1 => {
                let endpoint = Endpoint::Customers;
                let query: Vec<_> = filter(parent).into_iter().collect();
                // The reference says that v1 takes the filters in the body.
                let body = parent.map(|parent| serde_json::json!({ PARENT: parent }).to_string());
                let request = Request { endpoint, path: "api/customers/", query: &query, body, most };
                self.call(&request, Attempts::ALL, read).await.map(|(page, _)| Some(page))
            }
            ListingVersion::V2 if number == 1 => self.page_1(parent, most, &mut read).await.map(Some),
            ListingVersion::V2 => {
                let names = self.page_size_names.get().copied().unwrap_or(PAGE_SIZE_NAMES[0]);
                match self.page_of_v2(parent, (number, most), names, &mut read).await {
                    Err(Error::Rejected { status: 404, .. }) => Ok(None),
                    page => page.map(Some),
                }
            }
        }
    }

    /// Finds out the name of the page size parameter, for the life of this client.
    async fn page_1<P>(
        &self,
        parent: Option<&str>,
        most: usize,
        read: &mut impl FnMut(&[u8]) -> Result<P, Unusable>,
    ) -> Result<P, Error> {
        let known = self.page_size_names.get();
        let tried = known.map_or(PAGE_SIZE_NAMES.as_slice(), slice::from_ref);
        let (mut names, mut page) = (tried[0], self.page_of_v2(parent, (1, most), tried[0], read).await);
        for others in &tried[1..] {
            if !is_rejected_with(&page, &[400]) {
                break;
            }
            let again = self.page_of_v2(parent, (1, most), others, read).await;
            if !is_rejected_with(&again, &[400]) {
                (names, page) = (others, again);
            }
        }
        if page.is_ok() {
            let _ = self.page_size_names.set(names);
        }
        let is_missing = is_rejected_with(&page, &[404, 405]);
        page.map_err(|error| match error {
            Error::Rejected { endpoint, status, excerpt } if is_missing => {
                let excerpt = format!(
                    "{excerpt} (check explo.base_url; if that Explo has no /v2/api/customers/, set explo.listing = \"v1\")"
                );
                Error::Rejected { endpoint, status, excerpt }
            }
            error => error,
        })
    }

    async fn page_of_v2<P>(
        &self,
        parent: Option<&str>,
        (number, most): (usize, usize),
        size_names: &[&str],
        read: &mut impl FnMut(&[u8]) -> Result<P, Unusable>,
    ) -> Result<P, Error> {
        let size = self.settings.listing.page_size;
        let sizes = size_names.iter().map(|name| (*name, size.to_string()));
        let query: Vec<_> = iter::once(("page", number.to_string())).chain(sizes).chain(filter(parent)).collect();
        let endpoint = Endpoint::Customers;
        let request = Request { endpoint, path: endpoint.path(), query: &query, body: None, most };
        Ok(self.call(&request, Attempts::ALL, read).await?.0)
    }

    /// Sends a tenant; the answer must be about its customer. Also returns whether the answer says that it is new, and
    /// how many earlier attempts failed and may have been applied nevertheless.
    async fn post(
        &self,
        endpoint: Endpoint,
        tenant: &Tenant<'_>,
        (attempts, check): (Attempts, Option<&dyn Check>),
    ) -> Result<(Record<'static>, bool, u32), Error> {
        let body = serde_json::to_string(&wire::Body::from(tenant)).unwrap_or_default();
        let request = Request { endpoint, path: endpoint.path(), query: &[], body: Some(body), most: self.share() };
        let ((is_new, record), failed_attempts) = self.call_checked(&request, (attempts, check), read_answer).await?;
        Ok((about(&tenant.provided_id, endpoint, record)?, is_new, failed_attempts))
    }
}

/// The filter of a listing by parent.
fn filter<'n>(parent: Option<&str>) -> Option<(&'n str, String)> {
    parent.map(|parent| (PARENT, parent.to_owned()))
}

fn is_rejected_with<P>(page: &Result<P, Error>, statuses: &[u16]) -> bool {
    matches!(page, Err(Error::Rejected { status, .. }) if statuses.contains(status))
}

impl<T: Transport> Reader for Client<T> {
    fn asked(&self) -> BTreeMap<Endpoint, usize> {
        self.asked()
    }

    async fn list(
        &self,
        observe: &mut dyn FnMut(Shown<'_, '_>),
        progress: PageProgress<'_>,
    ) -> Result<(Listing, ListedTokens), Error> {
        listing::list(self, &self.settings.listing, observe, progress).await
    }

    async fn children(&self, parent: &str) -> Result<Children, Error> {
        listing::children(self, &self.settings.listing, parent).await
    }

    async fn customer(&self, provided_id: &str) -> Result<Look, Error> {
        look::look(self, provided_id).await
    }

    async fn is_absence(&self, refusal: &Refusal) -> Result<bool, Error> {
        look::is_absence(self, refusal).await
    }

    async fn tags(&self) -> Result<Option<BTreeSet<String>>, Error> {
        tags::list(self, Attempts::ALL).await
    }

    async fn ping(&self) -> Result<(), Error> {
        tags::ping(self).await
    }
}

impl<T: Transport> Writer for Client<T> {
    fn max_attempts(&self) -> u32 {
        self.settings.max_attempts
    }

    async fn create(&self, tenant: &Tenant<'_>, attempts: Attempts) -> Result<Created, Error> {
        let endpoint = Endpoint::CreateCustomer;
        let (record, is_new, failed_attempts) = self.post(endpoint, tenant, (attempts, None)).await?;
        match record {
            Record::Whole(customer) => Ok(Created { is_new, may_be_ours: is_new || failed_attempts > 0, customer }),
            Record::Partial(_) => {
                let excerpt = "the customer in the answer is too large to be read".to_owned();
                Err(Error::Rejected { endpoint, status: 200, excerpt })
            }
        }
    }

    async fn update(
        &self,
        tenant: &Tenant<'_>,
        attempts: Attempts,
        check: Option<&dyn Check>,
    ) -> Result<Record<'static>, Error> {
        Ok(self.post(Endpoint::UpdateCustomer, tenant, (attempts, check)).await?.0)
    }

    async fn rename(&self, old: &str, new: &str, attempts: Attempts) -> Result<Record<'static>, Error> {
        rename::rename(self, old, new, attempts).await
    }

    async fn delete(
        &self,
        provided_id: &str,
        token: &str,
        attempts: Attempts,
        check: Option<&dyn Check>,
    ) -> Result<(), Error> {
        delete::delete(self, (provided_id, token), (attempts, check)).await
    }

    async fn create_tag(&self, name: &str, attempts: Attempts) -> Result<(), Error> {
        tags::create(self, name, attempts).await
    }
}

//! Reading and writing customers: what each call asks, and what its answer must be.

use super::{
    Created, Error, PageProgress, Reader, Writer,
    client::{Client, Request},
    endpoint::Endpoint,
    listing::{self, Listing},
    transport::Transport,
    wire::{self, Unusable},
};
use crate::model::{Customer, Tenant};

impl<T: Transport> Client<T> {
    /// One page of the listing, given to `read`; `None` past the end. Pages count from 1.
    pub(super) async fn page<P>(
        &self,
        number: usize,
        read: impl FnMut(&[u8]) -> Result<P, Unusable>,
    ) -> Result<Option<P>, Error> {
        let size = self.settings.listing.page_size;
        // The reference's table names the size one way, its example the other.
        let query =
            [("page", number), ("page_size", size), ("pageSize", size)].map(|(key, value)| (key, value.to_string()));
        let request = Request { endpoint: Endpoint::Customers, query: &query, body: None, sent: None };
        match self.call(&request, read).await {
            Ok(page) => Ok(Some(page)),
            Err(Error::Rejected { status: 404, .. }) if number > 1 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a tenant; the answer must be about its customer.
    async fn post(&self, endpoint: Endpoint, tenant: &Tenant) -> Result<(bool, Customer<'static>), Error> {
        let body = serde_json::to_string(&wire::Body::from(tenant)).unwrap_or_default();
        let request = Request { endpoint, query: &[], body: Some(body), sent: Some(tenant) };
        let read = |body: &[u8]| wire::read_answer(body).map(|(is_new, customer)| (is_new, customer.into_owned()));
        let (is_new, customer) = self.call(&request, read).await?;
        if customer.provided_id.as_deref() != Some(&tenant.provided_id) {
            let excerpt = "the answer is about a customer with another provided_id".to_owned();
            return Err(Error::Rejected { endpoint, status: 200, excerpt });
        }
        Ok((is_new, customer))
    }
}

impl<T: Transport> Reader for Client<T> {
    async fn list(&self, observe: &mut dyn FnMut(&Customer<'_>), progress: PageProgress<'_>) -> Result<Listing, Error> {
        listing::list(self, &self.settings.listing, observe, progress).await
    }

    async fn customer(&self, provided_id: &str) -> Result<Customer<'static>, Error> {
        let tenant = Tenant { provided_id: provided_id.to_owned(), ..Tenant::default() };
        Ok(self.post(Endpoint::GetCustomer, &tenant).await?.1)
    }
}

impl<T: Transport> Writer for Client<T> {
    async fn create(&self, tenant: &Tenant) -> Result<Created, Error> {
        let (is_new, customer) = self.post(Endpoint::CreateCustomer, tenant).await?;
        Ok(Created { is_new, customer })
    }

    async fn update(&self, tenant: &Tenant) -> Result<Customer<'static>, Error> {
        Ok(self.post(Endpoint::UpdateCustomer, tenant).await?.1)
    }
}

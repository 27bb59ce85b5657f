//! A stand-in for Explo on loopback: the customer API in memory, as the vendor documents it, with a log of every call.
//!
//! It knows nothing of the client: it is written from the same documents, so that a misreading shows.

mod customer;
mod routes;
mod store;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{net::TcpListener, task::JoinHandle};

pub use customer::StoredCustomer;
pub use store::{Store, StoreError};

/// A running sandbox; it ends when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<io::Result<()>>,
}

/// What the routes share.
#[derive(Debug)]
pub(crate) struct State {
    token: Option<String>,
    store: Mutex<Store>,
    calls: Mutex<Vec<Call>>,
}

/// One call that the sandbox got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET` or `POST` or `DELETE`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// As it was sent.
    pub body: String,
    /// What was answered.
    pub status: u16,
}

impl Sandbox {
    /// Serves the customers at an address of this machine (port 0: any). With a token, no other is accepted; without, any.
    pub async fn start(address: SocketAddr, store: Store, token: Option<String>) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let reason = format!("{address} is not a loopback address, and the sandbox is for this machine alone");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { token, store: Mutex::new(store), calls: Mutex::default() });
        let app = routes::routes(Arc::clone(&state));
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, state, server })
    }

    /// What to set as `explo.base_url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls so far, forgotten with this look.
    #[must_use]
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.state.calls())
    }

    /// The customers as they are now, in the order of the listing.
    #[must_use]
    pub fn customers(&self) -> Vec<StoredCustomer> {
        self.state.store().customers().to_vec()
    }

    /// Changes the customers behind everybody's back, as somebody in Explo's own pages would.
    pub fn change(&self, change: impl FnOnce(&mut Store)) {
        change(&mut self.state.store());
    }

    /// Serves until the server fails.
    pub async fn serve(mut self) -> io::Result<()> {
        (&mut self.server).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    fn store(&self) -> std::sync::MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

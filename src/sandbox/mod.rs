//! A stand-in for Explo: the customer API in memory, as the vendor documents it, with a switch for each question that
//! the documents leave open, and faults of every kind; optionally also a list to read tenants from.
//!
//! [`Api`] is all of it, without HTTP and clock: the same seed and the same calls give the same answers. [`Sandbox`]
//! serves it on loopback. It shares no code with the client, only the documents, so that a misreading of the client
//! shows.

mod api;
mod beginning;
mod behaviour;
mod casing;
mod choice;
mod churn;
mod connection;
mod customer;
mod damage;
mod endpoint;
mod fault;
mod fields;
mod kept;
mod limit;
mod listing;
mod odd;
mod refusal;
mod reply;
mod scalars;
mod server;
mod store;
mod upstream;
mod view;
mod write;

pub use api::{Api, Call};
pub use beginning::{Beginning, BeginningError};
pub use behaviour::Behaviour;
pub use choice::{
    AddressCase, Churn, EmptyObjects, Existing, FailureShape, Gone, GroupShown, Hidden, Ids, KeyStyle, LevelShown,
    MappingValues, Markup, MissingSlash, Nulls, Numbers, OnUpdate, Order, PageSizeName, ParentFilter, Parents, PastEnd,
    PropertyKeys, RefusalMark, Second, Shown, Spaces, Success, TagCalls, Total, TotalOf, UnicodeForm, UnknownId,
    UnknownParameters, UnknownTags, UpstreamCount, V1Filters, V2,
};
pub use churn::STRANGER;
pub use customer::StoredCustomer;
pub use endpoint::Endpoint;
pub use fault::{Fault, FaultError, FaultKind};
pub use limit::{Hint, Limit, LimitKind, Period, Rate, RateError};
pub use odd::{Odd, OddCustomer, OddError};
pub use reply::{Delivery, Reply, Request};
pub use server::Sandbox;
pub use store::{Store, StoreError};
pub use upstream::Upstream;

//! The API as a state machine: a call and the time in, an answer out. The same seed and calls give the same answers.

use std::time::Duration;

use rand::{SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    Behaviour, Endpoint, Fault, FaultKind, Hint, Limit, Store, StoreError, StoredCustomer, Upstream,
    choice::{Gone, MissingSlash, TagCalls, V2},
    churn::churn,
    endpoint::Version,
    fault::due,
    fields::Fields,
    kept::text,
    limit::Meter,
    listing::list,
    refusal::{marked, refusal},
    reply::{Delivery, Reply, Request},
    view::{Object, Value, View},
    write::Written,
};

/// Number of calls that are kept; beyond it the oldest half is dropped.
const MOST_CALLS: usize = 100_000;

/// Explo's customer API, in memory.
#[derive(Debug, Clone)]
pub struct Api {
    /// How it behaves, from the next call on.
    pub behaviour: Behaviour,
    /// What goes wrong, from the next call on; if several faults are due, the first one.
    pub faults: Vec<Fault>,
    /// The rate limit, from the next call on.
    pub limit: Limit,
    /// The team token; `None`: every token is accepted.
    pub token: Option<String>,
    /// The list to read tenants from, if any.
    pub upstream: Option<Upstream>,
    store: Store,
    calls: Vec<Call>,
    meter: Meter,
    random: SmallRng,
    listings: u64,
    began: Option<Instant>,
}

/// One call that the sandbox got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET`, `POST` or `DELETE`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// As it was sent.
    pub body: String,
    /// The status of the answer; 0 if none was sent.
    pub status: u16,
    /// When it came.
    pub at: Instant,
}

/// How a body names its customer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names {
    provided_id: Option<String>,
    new_provided_id: Option<String>,
    current_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Removal {
    current_token: String,
}

#[derive(Debug, Deserialize)]
struct Tag {
    name: String,
}

impl Api {
    /// An API with these customers that behaves as documented. Tokens, order and churn depend on the seed.
    #[must_use]
    pub fn new(mut store: Store, seed: u64) -> Self {
        store.seed(seed);
        Self {
            behaviour: Behaviour::default(),
            faults: Vec::new(),
            limit: Limit::default(),
            token: None,
            upstream: None,
            store,
            calls: Vec::new(),
            meter: Meter::default(),
            random: SmallRng::seed_from_u64(seed),
            listings: 0,
            began: None,
        }
    }

    /// The customers and tags.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The same, to change without a call, as a user of Explo's own UI would.
    pub const fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The calls since they were last taken.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Takes the calls since the last time.
    pub fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    /// Answers a call that comes at this time; `now` never goes back.
    pub fn answer(&mut self, request: &Request<'_>, now: Instant) -> Reply {
        let reply = self.reply(request, now);
        if self.calls.len() >= MOST_CALLS {
            self.calls.drain(..MOST_CALLS / 2);
        }
        self.calls.push(Call {
            method: request.method.to_owned(),
            path: request.path.to_owned(),
            body: String::from_utf8_lossy(request.body).into_owned(),
            status: match reply.delivery {
                Delivery::Dropped | Delivery::Hung => 0,
                Delivery::Whole | Delivery::Cut | Delivery::Dripped | Delivery::Repeated(_) => reply.status,
            },
            at: now,
        });
        reply
    }

    fn reply(&mut self, request: &Request<'_>, now: Instant) -> Reply {
        let elapsed = now - *self.began.get_or_insert(now);
        if let Err(wait) = self.meter.pass(self.limit, now) {
            let reply = match self.limit.hint {
                Hint::Seconds => Reply::throttled().retried_after(wait),
                Hint::Nothing => Reply::throttled(),
            };
            return self.marked(reply, elapsed);
        }
        let endpoint = Endpoint::of_path(request.parts().0);
        let named = || named(&self.store, request.body);
        let fault = due(&mut self.faults, endpoint.map(|(endpoint, _)| endpoint), named);
        if let Some(reply) = fault.and_then(|kind| Reply::instead(kind, elapsed)) {
            return self.marked(reply, elapsed);
        }
        let reply = self.served(request, endpoint, fault);
        let reply = match fault {
            Some(FaultKind::StatusAfter(status)) => Reply::status(status),
            Some(_) | None => reply,
        };
        let reply = self.marked(reply, elapsed);
        match fault {
            Some(kind) => reply.damaged(kind),
            None => reply,
        }
    }

    fn marked(&mut self, reply: Reply, elapsed: Duration) -> Reply {
        marked(reply, &self.behaviour, elapsed, &mut self.random)
    }

    /// Answers a call that no fault prevents.
    fn served(
        &mut self,
        request: &Request<'_>,
        endpoint: Option<(Endpoint, Version)>,
        fault: Option<FaultKind>,
    ) -> Reply {
        let (path, query) = request.parts();
        if self.behaviour.largest_body.is_some_and(|largest| request.body.len() > largest) {
            return Reply::html(413, "Request Entity Too Large");
        }
        let given = request.token.unwrap_or_default();
        if let (Some((Endpoint::Upstream, _)), Some(upstream)) = (endpoint, &mut self.upstream) {
            return upstream.list(query, given, &self.behaviour, &mut self.random);
        }
        if self.token.as_ref().map_or(given.is_empty(), |token| token != given) {
            return Reply::unauthorized();
        }
        match endpoint {
            None if path.ends_with('/') => Reply::detail(404, "Not found."),
            Some((Endpoint::Upstream, _)) => Reply::detail(404, "Not found."),
            Some((_, Version::V2)) if self.behaviour.v2 == V2::Missing => Reply::detail(404, "Not found."),
            Some((Endpoint::GroupTags | Endpoint::CreateGroupTag, _))
                if self.behaviour.tag_calls == TagCalls::Missing =>
            {
                Reply::detail(404, "Not found.")
            }
            Some(_) if !path.ends_with('/') && self.behaviour.missing_slash == MissingSlash::Redirect => {
                let mark = if query.is_empty() { "" } else { "?" };
                Reply::html(301, "Moved").with("location", format!("{path}/{mark}{query}"))
            }
            Some((endpoint, version)) if path.ends_with('/') && request.method == endpoint.method() => {
                self.serve(endpoint, version, (query, request.body), fault)
            }
            None | Some(_) => Reply::detail(405, "Method not allowed"),
        }
    }

    fn serve(
        &mut self,
        endpoint: Endpoint,
        version: Version,
        (query, body): (&str, &[u8]),
        fault: Option<FaultKind>,
    ) -> Reply {
        let served = match endpoint {
            Endpoint::Customers => Ok(self.list(version, (query, body), fault)),
            Endpoint::CreateCustomer => parse(body).and_then(|fields: Fields| {
                let written = self.store.create(fields, &self.behaviour)?;
                Ok(self.shown(written, true, fault))
            }),
            Endpoint::UpdateCustomer => parse(body).and_then(|fields: Fields| {
                let written = self.store.update(fields, &self.behaviour)?;
                Ok(self.shown(written, false, fault))
            }),
            Endpoint::GetCustomer => parse(body).and_then(|fields: Fields| {
                let position = self.store.known(&fields.provided_id.unwrap_or_default(), &self.behaviour)?;
                Ok(self.shown(Written { position, is_new: false }, false, fault))
            }),
            Endpoint::DeleteCustomer => parse(body).and_then(|removal: Removal| {
                match self.store.delete(&removal.current_token) {
                    Err(StoreError::Unknown(_)) if self.behaviour.gone == Gone::Success => {}
                    deleted => deleted?,
                }
                Ok(self.succeeded(|answer| answer))
            }),
            Endpoint::Upstream => Ok(Reply::detail(404, "Not found.")),
            Endpoint::GroupTags => Ok(self.tags()),
            Endpoint::CreateGroupTag => parse(body).and_then(|tag: Tag| {
                let name = text(&tag.name, &self.behaviour);
                self.store.add_tag(&name)?;
                let tag = Object::new(&self.behaviour).with(["name"; 2], Value::Text(name.into()));
                Ok(self.succeeded(|answer| answer.with(["group_tag", "groupTag"], Value::Object(tag))))
            }),
        };
        served.unwrap_or_else(|error| refusal(&error, &self.behaviour))
    }

    fn list(&mut self, version: Version, request: (&str, &[u8]), fault: Option<FaultKind>) -> Reply {
        self.listings += 1;
        let kinds = &self.behaviour.churn;
        if !kinds.is_empty() && self.listings.is_multiple_of(self.behaviour.churn_every.unwrap_or(1).max(1)) {
            let kind = *kinds.choose(&mut self.random).unwrap_or(&kinds[0]);
            churn(&mut self.store, kind, &mut self.random);
        }
        list(&self.store, &self.behaviour, version, request, fault, &mut self.random)
    }

    /// The answer that shows a customer.
    fn shown(&self, written: Written, tells_new: bool, fault: Option<FaultKind>) -> Reply {
        let customer = self.store.at(written.position);
        let other = (fault == Some(FaultKind::OtherToken)).then(|| self.store.next_listed(written.position)).flatten();
        let mixed = other.map(|other| StoredCustomer { token: other.token.clone(), ..customer.clone() });
        let customer = mixed.as_ref().unwrap_or(customer);
        let view = View { customer, store: &self.store, behaviour: &self.behaviour, is_listed: false };
        self.succeeded(|answer| {
            let answer = if tells_new {
                answer.with(["new_customer", "newCustomer"], Value::Flag(written.is_new))
            } else {
                answer
            };
            answer.with(["customer"; 2], Value::Customer(view))
        })
    }

    fn tags(&self) -> Reply {
        let names = self.store.tags().iter();
        let tag = |name: &'_ String| Object::new(&self.behaviour).with(["name"; 2], Value::Text(name.clone().into()));
        let tags = Value::Objects(names.map(tag).collect());
        self.succeeded(|answer| answer.with(["group_tags", "groupTags"], tags))
    }

    fn succeeded<'a>(&self, fill: impl FnOnce(Object<'a>) -> Object<'a>) -> Reply {
        Reply::json(200, &fill(Object::new(&self.behaviour).succeeded(true, &self.behaviour)))
    }
}

/// The `provided_id`s that a body names, directly or by a customer's token.
fn named(store: &Store, body: &[u8]) -> Vec<String> {
    let names: Names = serde_json::from_slice(body).unwrap_or_default();
    let of_token =
        |token: String| store.customers().iter().find(|customer| customer.token == token)?.provided_id.clone();
    [names.provided_id, names.new_provided_id, names.current_token.and_then(of_token)].into_iter().flatten().collect()
}

fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, StoreError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Refused(format!("the body can't be read: {error}")))
}

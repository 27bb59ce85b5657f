//! The demo customer: what is asked about it, and what the answers showed.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
};

use super::question::{Finding, KEYS, REFUSAL, UNKNOWN_ID};
use crate::{
    explo::{Ask, Client, Endpoint, Error, Fault, Unusable, wire},
    model::{Customer, Record, json},
};

/// How the ids of demo customers begin.
pub const PREFIX: &str = "explo-sync-probe-";

/// Short, so that what cuts or trims longer texts leaves it alone.
pub(super) const NAME: &str = "explo-sync probe";
pub(super) const EMAIL: &str = "Pr@probe.invalid";

/// Its keys tell in which style they are shown.
pub(super) const PROPERTIES: &str = r#"{"probeValue":"1","other_probe":"2"}"#;

/// The demo customer of one probe.
pub(super) struct Demo<'c> {
    pub(super) client: &'c Client,
    pub(super) id: String,
    pub(super) findings: Vec<Finding>,
    pub(super) seen: Seen,
    /// Whether it may have been made.
    pub(super) is_begun: bool,
    /// As the answer to its creation showed them.
    pub(super) properties: String,
}

/// What answers and listings showed.
#[derive(Default)]
pub(super) struct Seen {
    /// The tokens that answers showed for the customer.
    pub(super) tokens: HashSet<String>,
    /// Its token and properties in the listing.
    pub(super) listed: Option<(String, String)>,
    /// The tokens of all others that were listed.
    pub(super) others: HashSet<String>,
    /// Whether a page of the listing was read after it was made.
    pub(super) has_listing: bool,
    /// The ids of earlier probes.
    pub(super) leftovers: BTreeSet<String>,
}

/// The answer to a call.
pub(super) enum Answer<T> {
    Shows(T),
    Refuses(Refused),
}

/// A refusal: its status and the words that may be quoted.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) status: u16,
    words: String,
}

impl<'c> Demo<'c> {
    pub(super) fn new(client: &'c Client, random: u64) -> Self {
        let id = format!("{PREFIX}{random:016x}");
        let (findings, seen, properties) = (Vec::new(), Seen::default(), String::new());
        Self { client, id, findings, seen, is_begun: false, properties }
    }

    pub(super) fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Makes sure that nobody has the id, and notes how that is answered.
    pub(super) async fn is_absent(&mut self) -> Result<(), Error> {
        let endpoint = Endpoint::GetCustomer;
        let ask = Ask::of(endpoint, Some(self.body(&[])));
        let (answered, said) = self.client.ask(ask, |body| wire::read_answer(body).map(|_| Some(()))).await;
        let Answer::Refuses(refused) = answer(answered)? else {
            let excerpt = "a customer has the id of this probe, which is random: nothing was written".to_owned();
            return Err(Error::Rejected { endpoint, status: 200, excerpt });
        };
        let status = [(404, "404"), (400, "400"), (200, "200"), (500, "500")];
        let status = status.iter().find(|(status, _)| *status == refused.status);
        self.find(UNKNOWN_ID.found(status.map_or("other", |(_, name)| name), ""));
        self.find(REFUSAL.found(shape(&said), refused.status.to_string()));
        Ok(())
    }

    /// Makes it. Whatever goes wrong from now on, it may exist.
    pub(super) async fn create(&mut self) -> Result<Customer<'static>, Error> {
        let endpoint = Endpoint::CreateCustomer;
        let (name, emails) = (json::quote(NAME), json::array([json::quote(EMAIL)].into_iter()));
        let fields = [("name", &*name), ("is_demo_group", "true"), ("emails", &emails), ("properties", PROPERTIES)];
        self.is_begun = true;
        let (mut is_camel, body) = (false, self.body(&fields));
        let read = |body: &[u8]| {
            is_camel = str::from_utf8(body).is_ok_and(|text| text.contains("\"providedId\""));
            customer(body)
        };
        let created = self.ask(endpoint, Some(body), read).await;
        let customer = match created.and_then(|created| self.ours(created).needed(endpoint)) {
            Ok(customer) => customer,
            Err(error) => {
                self.is_begun = !matches!(error, Error::Stopped { .. } | Error::Unsent { .. });
                return Err(error);
            }
        };
        self.find(KEYS.found(if is_camel { "camel" } else { "snake" }, ""));
        self.properties = customer.properties.clone().into_owned();
        Ok(customer)
    }

    /// Sends these fields of it, each the text of a JSON value, and returns it as it is then.
    pub(super) async fn send(
        &mut self,
        endpoint: Endpoint,
        fields: &[(&str, &str)],
    ) -> Result<Answer<Customer<'static>>, Error> {
        let answered = self.ask(endpoint, Some(self.body(fields)), customer).await?;
        Ok(self.ours(answered))
    }

    /// Looks for an id. Whether it finds this customer.
    pub(super) async fn is_found_as(&mut self, id: &str) -> Result<bool, Error> {
        let body = json::object([("provided_id", json::quote(id))].into_iter());
        let answered = self.ask(Endpoint::GetCustomer, Some(body), customer).await?;
        Ok(matches!(self.ours(answered), Answer::Shows(_)))
    }

    /// Makes one call.
    pub(super) async fn ask<A>(
        &self,
        endpoint: Endpoint,
        body: Option<String>,
        read: impl FnMut(&[u8]) -> Result<Option<A>, Unusable>,
    ) -> Result<Answer<A>, Error> {
        answer(self.client.ask(Ask::of(endpoint, body), read).await.0)
    }

    fn body(&self, fields: &[(&str, &str)]) -> String {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned()));
        json::object([("provided_id", json::quote(&self.id))].into_iter().chain(fields))
    }

    /// Accepts only an answer about this customer, and keeps its token.
    fn ours(&mut self, answered: Answer<Record<'static>>) -> Answer<Customer<'static>> {
        let words = match answered {
            Answer::Refuses(refused) => return Answer::Refuses(refused),
            Answer::Shows(Record::Whole(customer)) if self.is_id(customer.provided_id.as_deref()) => {
                self.seen.tokens.insert(customer.token.clone().into_owned());
                return Answer::Shows(customer);
            }
            Answer::Shows(Record::Whole(_)) => "it shows another customer".to_owned(),
            Answer::Shows(Record::Partial(partial)) => partial.gap.to_string(),
        };
        Answer::Refuses(Refused { status: 200, words })
    }

    /// Whether it is the id, also where Explo changes letters or space.
    pub(super) fn is_id(&self, id: Option<&str>) -> bool {
        id.is_some_and(|id| id.trim().eq_ignore_ascii_case(&self.id))
    }
}

impl<T> Answer<T> {
    /// A refusal is an error.
    pub(super) fn needed(self, endpoint: Endpoint) -> Result<T, Error> {
        match self {
            Self::Shows(shown) => Ok(shown),
            Self::Refuses(Refused { status: 403, words }) => Err(Error::Forbidden { endpoint, excerpt: words }),
            Self::Refuses(Refused { status, words }) => Err(Error::Rejected { endpoint, status, excerpt: words }),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.words)
    }
}

/// Tells a refusal, which is an answer, from a failure. A 500 that stays is a refusal too.
pub(super) fn answer<T>(answered: Result<Option<T>, Error>) -> Result<Answer<T>, Error> {
    let (status, words) = match answered {
        Ok(Some(shown)) => return Ok(Answer::Shows(shown)),
        Ok(None) => (200, "it is about something else".to_owned()),
        Err(Error::Rejected { status, excerpt, .. }) => (status, excerpt),
        Err(Error::Forbidden { excerpt, .. }) => (403, excerpt),
        Err(Error::GaveUp { fault: Fault::Server { status: 500, excerpt, .. }, .. }) => (500, excerpt),
        Err(error) => return Err(error),
    };
    Ok(Answer::Refuses(Refused { status, words }))
}

fn customer(body: &[u8]) -> Result<Option<Record<'static>>, Unusable> {
    let (_, record) = wire::read_answer(body)?;
    Ok(Some(record.into_owned()))
}

/// What a refusal looks like.
fn shape(said: &[u8]) -> &'static str {
    let text = str::from_utf8(said).ok().and_then(|text| json::checked(text).ok());
    let Some(object) = text.filter(|text| json::is_object(text)) else { return "text" };
    let keys: Vec<_> = json::members(object).map(|(key, _)| key).collect();
    ["success", "detail"].into_iter().find(|known| keys.iter().any(|key| key == known)).unwrap_or("json")
}

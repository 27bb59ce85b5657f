//! Another vendor's list of customers, to read tenants from: `GET /v2/customers`, as document 004 describes it.
//!
//! | what the document leaves open | here |
//! |---|---|
//! | names of parameters that it only describes | `search`, `ownerId`, `rootOwnerId`, `cpoId` |
//! | whether `count` is that of all records or of the page | a switch |
//! | the shape of an error | `message` |
//! | a missing or invalid credential | 403, as in its list of answers |

mod filters;

use rand::{RngExt, rngs::SmallRng};
use serde_json::{Value, json};

use super::{
    Behaviour,
    choice::{Churn, UpstreamCount},
    churn::STRANGER,
    reply::Reply,
};
use filters::Filters;

/// The records, unsorted.
#[derive(Debug, Clone, Default)]
pub struct Upstream {
    /// The token; `None`: every token is accepted.
    pub token: Option<String>,
    records: Vec<Value>,
    calls: u64,
}

impl Upstream {
    /// A list of these records.
    #[must_use]
    pub fn new(records: impl IntoIterator<Item = Value>) -> Self {
        Self { records: records.into_iter().collect(), ..Self::default() }
    }

    /// Reads records from a JSON array or from JSON lines.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        if text.trim_start().starts_with('[') {
            return serde_json::from_str::<Vec<Value>>(text).map(Self::new);
        }
        let lines = serde_json::Deserializer::from_str(text).into_iter();
        Ok(Self::new(lines.collect::<Result<Vec<Value>, _>>()?))
    }

    /// The records, to change without a call.
    pub const fn records_mut(&mut self) -> &mut Vec<Value> {
        &mut self.records
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.records.len()
    }

    /// Answers a listing call.
    pub(super) fn list(&mut self, query: &str, given: &str, behaviour: &Behaviour, random: &mut SmallRng) -> Reply {
        if self.token.as_ref().map_or(given.is_empty(), |token| token != given) {
            return Reply::json(403, &json!({"message": "Your credentials are missing or not valid."}));
        }
        self.calls += 1;
        if !behaviour.churn.is_empty() && self.calls.is_multiple_of(behaviour.churn_every.unwrap_or(1).max(1)) {
            let kind = behaviour.churn[random.random_range(0..behaviour.churn.len())];
            self.churn(kind, random);
        }
        let filters = match Filters::parse(query, behaviour.unknown_parameters) {
            Ok(filters) => filters,
            Err(message) => return Reply::json(400, &json!({"message": message})),
        };
        let found = filters.find(&self.records);
        let page: Vec<_> = found.iter().skip(filters.offset).take(filters.limit).collect();
        let count = match behaviour.upstream_count {
            UpstreamCount::Total => found.len(),
            UpstreamCount::Page => page.len(),
        };
        Reply::json(200, &json!({"data": page, "count": count, "limit": filters.limit, "offset": filters.offset}))
    }

    /// Changes a record whose name begins with [`STRANGER`], as other users would.
    fn churn(&mut self, kind: Churn, random: &mut SmallRng) {
        let is_stranger = |record: &Value| record["name"].as_str().is_some_and(|name| name.starts_with(STRANGER));
        let strangers: Vec<_> = (0..self.records.len()).filter(|at| is_stranger(&self.records[*at])).collect();
        let name = format!("{STRANGER}{:08x}", random.random::<u32>());
        let latest = |key: &str| self.records.iter().filter_map(|record| record[key].as_str()).max().map(later);
        let (created, updated) = (latest("createdAt"), latest("updatedAt"));
        let chosen = if strangers.is_empty() { None } else { Some(strangers[random.random_range(0..strangers.len())]) };
        match (kind, chosen) {
            (Churn::Add, _) => {
                let id = self.records.iter().filter_map(|record| record["id"].as_u64()).max().unwrap_or(0) + 1;
                self.records.push(json!({"id": id, "name": name, "createdAt": created, "updatedAt": updated}));
            }
            (_, None) => {}
            (Churn::Delete, Some(at)) => drop(self.records.remove(at)),
            (Churn::Rename, Some(at)) => self.records[at]["name"] = name.into(),
            (Churn::Touch | Churn::Reorder | Churn::Token, Some(at)) => self.records[at]["updatedAt"] = updated.into(),
        }
    }
}

/// One second after a time.
fn later(time: &str) -> String {
    let time = chrono::DateTime::parse_from_rfc3339(time).unwrap_or_default();
    (time + chrono::TimeDelta::seconds(1)).to_utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

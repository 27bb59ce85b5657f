//! Which records of the other vendor's list a query selects, and in which order.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, HashSet},
};

use chrono::{DateTime, FixedOffset};
use serde_json::Value;

use crate::sandbox::choice::UnknownParameters;

/// Default page size.
const USUAL_LIMIT: usize = 50;

type Time = DateTime<FixedOffset>;

/// A parsed query.
#[derive(Debug)]
pub(super) struct Filters {
    pub(super) limit: usize,
    pub(super) offset: usize,
    sort_by: String,
    is_ascending: bool,
    search: Option<String>,
    ids: HashSet<u64>,
    types: HashSet<String>,
    owner: Option<u64>,
    root_owner: Option<u64>,
    cpo: Option<u64>,
    created: Times,
    updated: Times,
}

/// A filter by time: an exact one, or a range.
#[derive(Debug)]
struct Times {
    at: Option<Time>,
    from: Option<Time>,
    to: Option<Time>,
}

impl Filters {
    /// Parses a query; the error is a message for the client.
    pub(super) fn parse(query: &str, unknown: UnknownParameters) -> Result<Self, String> {
        let mut given: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            given.entry(name.trim_end_matches("[]").to_owned()).or_default().push(value.into_owned());
        }
        let mut take = |name: &str| given.remove(name).unwrap_or_default();
        let created = Times::parse("createdAt", &mut take)?;
        let updated = Times::parse("updatedAt", &mut take)?;
        let usual = match (created.is_given(), updated.is_given()) {
            (_, true) => "updatedAt",
            (true, false) => "createdAt",
            (false, false) => "id",
        };
        let sort_by = take("sortBy").pop().unwrap_or_else(|| usual.to_owned());
        if !["id", "name", "createdAt", "updatedAt"].contains(&sort_by.as_str()) {
            return Err("sortBy must be one of id, name, createdAt, updatedAt".to_owned());
        }
        let is_ascending = match take("sortDirection").pop().as_deref() {
            Some("asc") => true,
            Some("desc") => false,
            Some(_) => return Err("sortDirection must be asc or desc".to_owned()),
            None => created.from.is_some() || updated.from.is_some(),
        };
        let filters = Self {
            limit: number("limit", take("limit").pop())?.unwrap_or(USUAL_LIMIT),
            offset: number("offset", take("offset").pop())?.unwrap_or(0),
            sort_by,
            is_ascending,
            search: take("search").pop().map(|text| text.to_lowercase()),
            ids: take("customerIds")
                .into_iter()
                .map(|id| number("customerIds", Some(id)))
                .filter_map(Result::transpose)
                .collect::<Result<_, _>>()?,
            types: take("types").into_iter().collect(),
            owner: number("ownerId", take("ownerId").pop())?,
            root_owner: number("rootOwnerId", take("rootOwnerId").pop())?,
            cpo: number("cpoId", take("cpoId").pop())?,
            created,
            updated,
        };
        match (unknown, given.keys().next()) {
            (UnknownParameters::Refused, Some(name)) => Err(format!("{name} is not a known parameter")),
            (UnknownParameters::Refused | UnknownParameters::Ignored, _) => Ok(filters),
        }
    }

    /// The matching records, in order.
    pub(super) fn find<'r>(&self, records: &'r [Value]) -> Vec<&'r Value> {
        let owners: HashMap<_, _> = records
            .iter()
            .filter_map(|record| Some((record["id"].as_u64()?, record["owner"]["id"].as_u64()?)))
            .collect();
        let is_below = |record: &Value, root: u64| {
            let above = std::iter::successors(record["owner"]["id"].as_u64(), |id| owners.get(id).copied());
            above.take(records.len()).any(|id| id == root)
        };
        let is_one_of = |value: &Value, ids: Option<u64>| ids.is_none_or(|id| value.as_u64() == Some(id));
        let fits = |record: &&Value| {
            (self.ids.is_empty() || record["id"].as_u64().is_some_and(|id| self.ids.contains(&id)))
                && (self.types.is_empty() || record["type"].as_str().is_some_and(|name| self.types.contains(name)))
                && is_one_of(&record["owner"]["id"], self.owner)
                && is_one_of(&record["cpo"]["id"], self.cpo)
                && self.root_owner.is_none_or(|root| is_below(record, root))
                && self.search.as_ref().is_none_or(|text| is_found(record, text))
                && self.created.fit(&record["createdAt"])
                && self.updated.fit(&record["updatedAt"])
        };
        let mut found: Vec<_> = records.iter().filter(fits).collect();
        found.sort_by(|a, b| {
            let order = compare(&a[&self.sort_by], &b[&self.sort_by]).then(compare(&a["id"], &b["id"]));
            if self.is_ascending { order } else { order.reverse() }
        });
        found
    }
}

impl Times {
    fn parse(name: &str, take: &mut impl FnMut(&str) -> Vec<String>) -> Result<Self, String> {
        let mut time = |suffix: &str| {
            let name = format!("{name}{suffix}");
            let read =
                |text: String| DateTime::parse_from_rfc3339(&text).map_err(|_| format!("{name} must be a date-time"));
            take(&name).pop().map(read).transpose()
        };
        Ok(Self { at: time("")?, from: time("From")?, to: time("To")? })
    }

    fn is_given(&self) -> bool {
        self.at.or(self.from).or(self.to).is_some()
    }

    fn fit(&self, value: &Value) -> bool {
        if !self.is_given() {
            return true;
        }
        let time = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        time.is_some_and(|time| {
            self.at.is_none_or(|at| time == at)
                && self.from.is_none_or(|from| time >= from)
                && self.to.is_none_or(|to| time <= to)
        })
    }
}

fn number<N: std::str::FromStr>(name: &str, text: Option<String>) -> Result<Option<N>, String> {
    text.map(|text| text.parse().map_err(|_| format!("{name} must be a whole number"))).transpose()
}

fn is_found(record: &Value, text: &str) -> bool {
    let id = record["id"].to_string();
    let texts = [record["name"].as_str(), record["externalId"].as_str(), Some(id.as_str())];
    texts.into_iter().flatten().any(|value| value.to_lowercase().contains(text))
}

/// Missing values first, then numbers by value, then texts.
fn compare(a: &Value, b: &Value) -> Ordering {
    a.as_u64().cmp(&b.as_u64()).then_with(|| a.as_str().cmp(&b.as_str()))
}

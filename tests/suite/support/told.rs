//! What reports and calls tell, each line of it in a few words.

use explo_sync::sandbox::Call;
use serde_json::Value;

use super::{body, endpoints};

/// The changes of a report: kind, id and outcome.
pub fn changes(report: &Value) -> Vec<String> {
    each(&report["changes"], &["kind", "provided_id", "outcome"]).map(|change| change.join(" ")).collect()
}

/// The invalid tenants of a report, with the reason.
pub fn invalid(report: &Value) -> Vec<String> {
    each(&report["invalid"], &["provided_id", "reason"]).map(|one| one.join(": ")).collect()
}

/// The fields of a report that are not as they were written.
pub fn unsettled(report: &Value) -> Vec<String> {
    each(&report["unsettled"], &["provided_id", "field"]).map(|one| one.join(" ")).collect()
}

/// The ids of a list in a report.
pub fn ids(list: &Value) -> Vec<&str> {
    each(list, &["provided_id"]).map(|one| one[0]).collect()
}

/// What calls ask for: the endpoint, then the id or the tag, the parent and the new id that they name.
pub fn told(calls: &[Call]) -> Vec<String> {
    let tell = |(call, endpoint): (&Call, &str)| {
        let body = if call.body.is_empty() { Value::Null } else { body(call) };
        let query = call.path.split_once('?').map_or("", |(_, query)| query);
        let filter = query.split('&').find_map(|pair| pair.strip_prefix("parent_provided_id="));
        let id = filter.or(body["provided_id"].as_str()).or(body["name"].as_str());
        let id = id.map(|id| if id.starts_with("explo-sync-asks-for-nobody-") { "nobody" } else { id });
        let named = |mark: &str, name: Option<&str>| name.map_or(String::new(), |name| format!("{mark}{name}"));
        let parent = if filter.is_none() { body["parent_provided_id"].as_str() } else { None };
        let new = body["new_provided_id"].as_str();
        [endpoint, &named(" ", id), &named(" under ", parent), &named(" > ", new)].concat()
    };
    calls.iter().zip(endpoints(calls)).map(tell).collect()
}

fn each<'r>(list: &'r Value, keys: &'static [&str]) -> impl Iterator<Item = Vec<&'r str>> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter();
    list.map(|one| keys.iter().map(|key| one[key].as_str().unwrap_or("-")).collect())
}

//! The settings that follow from the findings.

use super::question::{COUNTED, EMAILS, Finding, LISTING, PAST_END, TOTAL};

/// Keys of the configuration, each with its section and value.
#[must_use]
pub fn settings(findings: &[Finding]) -> Vec<(&'static str, &'static str, &'static str)> {
    let has = |question, answers: &[&str]| findings.iter().any(|finding| finding.is(question, answers));
    let is_not_counted = has(TOTAL, &["missing"]) || has(COUNTED, &["more"]);
    let all = [
        (has(LISTING, &["v1"]), ("explo", "listing", "\"v1\"")),
        // Without a total, only such a page ends a listing.
        (is_not_counted && has(PAST_END, &["404", "empty"]), ("explo", "trust_total", "false")),
        (has(EMAILS, &["merge"]), ("fields", "emails", "\"add\"")),
    ];
    all.into_iter().filter_map(|(follows, setting)| follows.then_some(setting)).collect()
}

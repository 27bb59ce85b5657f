//! No comparison looks for each of many among as many others: that would take an hour and not a second.

use rstest::rstest;

#[path = "../bench/many.rs"]
mod many;

const MANY: usize = 300_000;

/// Each of these is a row.
const IDS: usize = 100_000;

#[rstest]
#[case("properties: equal", 0)]
#[case("properties: replaced", 1)]
#[case("properties: in another style", 0)]
#[case("dotted columns: equal", 0)]
#[case("dotted columns: among others", 1)]
#[case("dotted columns: in another style", 0)]
#[case("dotted columns: carrying others", 2 * MANY)]
#[case("mapping: replaced", 1)]
#[case("emails: replaced", 1 + MANY)]
#[case("emails: added", 1 + 2 * MANY)]
#[case("tags: replaced", 1 + MANY / 10_000)]
#[case("predicted", 3 * MANY + 4 * MANY)]
#[case("ids: one claimed by all", IDS / 2)]
#[case("ids: parents by the old one", 1 + IDS / 2)]
#[case("columns: NULL left alone", 1)]
fn many_are_compared_at_about_the_cost_of_reading_them(#[case] name: &str, #[case] found: usize) {
    let (_, way) = many::WAYS.into_iter().find(|(known, _)| *known == name).unwrap();
    let many = if name.starts_with("ids: ") { IDS } else { MANY };
    assert_eq!(way(many)(), found);
}

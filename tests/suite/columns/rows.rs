//! Invalid rows beside good ones, up to the index.

use explo_sync::{
    compare::Fingerprints,
    model::{Customer, Row},
    tenants::{Index, Probe},
};
use rstest::rstest;

use super::read;
use crate::support::{Database, Kind};

/// id, emails, properties, mapping, demo; `SECRET` is in what no message may show.
const ROWS: &[[Option<&str>; 5]] = &[
    [Some("good 1"), Some("a@x.example"), Some(r#"{"a": 1}"#), Some(r#"{"40": 1}"#), Some("t")],
    [None, Some("SECRET"), None, None, None],
    [Some(""), Some("SECRET"), None, None, None],
    [Some("list"), Some("[\"SECRET"), None, None, None],
    [Some("element"), Some("[{\"SECRET\": 1}]"), None, None, None],
    [Some("object"), None, Some("[\"SECRET\"]"), None, None],
    [Some("json"), None, Some("{SECRET"), None, None],
    [Some("mapping"), None, None, Some(r#"{"40": ["SECRET"]}"#), None],
    [Some("flag"), None, None, None, Some("SECRET")],
    [Some("two"), Some("[SECRET"), None, None, Some("SECRET")],
    [Some("twice"), None, None, None, None],
    [Some("twice"), None, None, None, None],
    [Some("good then bad"), None, None, None, None],
    [Some("good then bad"), Some("["), None, None, None],
    [Some("bad then good"), Some("["), None, None, None],
    [Some("bad then good"), None, None, None, None],
    [Some("Twice"), None, None, None, None],
    [Some("good 2"), None, None, None, None],
];

const NOT_JSON: &str = "is not valid JSON";
const NO_FLAG: &str = "is_demo_group is text that is none of true, false, t, f, 1, 0";
const TWICE: &str = "more than one row has this provided_id: make the query return it once";

async fn tenants(kind: Kind) -> Vec<Row<'static>> {
    let database = Database::new(kind).await;
    let field = |value: Option<&str>| value.map_or("null".to_owned(), |value| kind.literal(value));
    let row = |row: &[Option<&str>; 5]| row.iter().copied().map(field).collect::<Vec<_>>().join(", ");
    let values: Vec<_> = (1..).zip(ROWS).map(|(n, values)| format!("({n}, {})", row(values))).collect();
    let columns = "n int, id varchar(20), emails text, properties text, mapping text, demo text";
    let values = values.join(", ");
    database.execute(&format!("create table tenants ({columns}); insert into tenants values {values}")).await;
    let columns = "id as provided_id, emails, properties, mapping, demo as is_demo_group";
    read(&database, &format!("select {columns} from tenants order by n")).await
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn an_invalid_row_is_named_with_its_reason_and_the_others_stay(#[case] kind: Kind) {
    let rows = tenants(kind).await;
    let valid: Vec<_> = rows.iter().flatten().map(|tenant| &*tenant.provided_id).collect();
    let good = ["good 1", "twice", "twice", "good then bad", "bad then good", "Twice", "good 2"];
    assert_eq!(valid, good, "in the order of the query; a row does not know of its twin");

    let named = |row: &Row| row.clone().err().map(|invalid| (invalid.provided_id, invalid.reason));
    let invalid: Vec<_> = rows.iter().filter_map(named).collect();
    let expected = [
        (None, "provided_id is NULL"),
        (None, "provided_id is empty"),
        (Some("list"), &*format!("emails {NOT_JSON}")),
        (Some("element"), "emails is a JSON array with an element that is not a string"),
        (Some("object"), "properties is JSON, but not an object"),
        (Some("json"), &format!("properties {NOT_JSON}")),
        (Some("mapping"), "mapping has a value for '40' that is neither a string nor a number"),
        (Some("flag"), NO_FLAG),
        (Some("two"), &format!("emails {NOT_JSON}; {NO_FLAG}")),
        (Some("good then bad"), &format!("emails {NOT_JSON}")),
        (Some("bad then good"), &format!("emails {NOT_JSON}")),
    ];
    assert_eq!(invalid, expected.map(|(id, reason)| (id.map(str::to_owned), reason.to_owned())));
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn rows_that_share_an_id_are_all_invalid(#[case] kind: Kind) {
    let mut index = Index::new(Fingerprints::new(1));
    tenants(kind).await.into_iter().for_each(|row| index.insert(&row));
    assert_eq!(index.rows(), ROWS.len());
    let planned: Vec<_> = index.absent().map(|row| index.provided_id(row)).collect();
    assert_eq!(planned, ["good 1", "Twice", "good 2"], "ids that differ in case are different");

    let invalid = index.invalid();
    let told = |id: Option<&'static str>| {
        let reasons = invalid.iter().filter(|one| one.provided_id.as_deref() == id).map(|one| &*one.reason);
        reasons.collect::<Vec<_>>()
    };
    let reason = |id| told(Some(id)).join(" and ");
    assert_eq!((reason("twice"), reason("good then bad")), (TWICE.to_owned(), TWICE.to_owned()));
    assert_eq!(reason("bad then good"), format!("emails {NOT_JSON}"), "the first reason is kept");
    assert_eq!(told(None), ["row 2: provided_id is NULL", "row 3: provided_id is empty"]);

    for id in ["twice", "good then bad", "bad then good", "list"] {
        let customer = Customer { provided_id: Some(id.into()), ..Customer::default() };
        assert_eq!(index.probe(&customer), Probe::Ignored, "a customer of an invalid row is no orphan: {id}");
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn no_rows_are_no_error(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    database.execute("create table tenants (id int)").await;
    assert_eq!(read(&database, "select id as provided_id from tenants").await, []);
}

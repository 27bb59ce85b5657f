//! `offboard`: whether a tenant leaves, or when.

use explo_sync::{
    database::Timezone,
    source::{Mapping, SqlSettings},
};
use rstest::rstest;

use super::{column, rows};
use crate::support::{Database, Kind, settings};

/// 2026-02-28 10:00:00 UTC.
const TEN: u64 = 1_772_272_800;

const EVERYWHERE: [(&str, Option<u64>); 9] = [
    ("null", None),
    ("1", Some(0)),
    ("0", None),
    ("'t'", Some(0)),
    ("'False'", None),
    ("'2026-02-28 10:00:00'", Some(TEN)),
    ("'2026-02-28T11:00:00+01:00'", Some(TEN)),
    ("'2026-02-28'", Some(TEN - 36_000)),
    ("'1066-10-14'", Some(0)),
];

#[rstest]
#[case(Kind::Postgres, &[
    ("true", Some(0)),
    ("false", None),
    ("timestamptz '2026-02-28 11:00:00.5+01'", Some(TEN)),
    ("timestamp '2026-02-28 10:00:00'", Some(TEN)),
    ("date '2026-02-28'", Some(TEN - 36_000)),
    ("timestamptz 'infinity'", None),
])]
#[case(Kind::MySql, &[("cast('2026-02-28 10:00:00.5' as datetime(6))", Some(TEN)), ("true", Some(0))])]
#[case(Kind::Sqlite, &[("datetime('2026-02-28 10:00')", Some(TEN)), ("false", None)])]
#[tokio::test]
async fn it_is_yes_no_or_a_time(#[case] kind: Kind, #[case] own: &[(&str, Option<u64>)]) {
    let database = Database::new(kind).await;
    for (expression, expected) in EVERYWHERE.iter().chain(own) {
        let leaves = column(&database, "offboard", expression).await.map(|tenant| tenant.offboard);
        assert_eq!(leaves, Ok(*expected), "{expression}");
    }
    for bad in ["'yes'", "2", "'2026-02-30'", "'[true]'"] {
        let reason = column(&database, "offboard", bad).await.unwrap_err();
        assert!(reason.starts_with("offboard is ") && reason.contains("none of true, false"), "{reason}");
        assert!(!reason.contains(bad.trim_matches('\'')) || bad == "2", "no value is quoted: {reason}");
    }
}

#[rstest]
#[case(Kind::Postgres, "timestamp '2026-02-28 11:00:00'")]
#[case(Kind::Postgres, "timestamptz '2026-02-28 10:00:00+00'")]
#[case(Kind::MySql, "cast('2026-02-28 11:00:00' as datetime)")]
#[tokio::test]
async fn a_time_without_an_offset_is_of_the_sessions_zone(#[case] kind: Kind, #[case] expression: &str) {
    let database = Database::new(kind).await;
    let query = format!("select 'x' as provided_id, {expression} as offboard");
    let timezone = Timezone::parse("+01:00").unwrap();
    let read = rows(SqlSettings { timezone, ..settings(&database.url, &query) }).await.unwrap();
    assert_eq!(read[0].as_ref().map(|tenant| tenant.offboard), Ok(Some(TEN)));
}

#[test]
fn a_record_has_it_like_a_row() {
    let expressions = |offboard: &str| {
        let column = |name: &str, expression: &str| (name.to_owned(), vec![expression.to_owned()]);
        Mapping::new(&[column("provided_id", "/id"), column("offboard", offboard)], &[]).map(drop)
    };
    assert_eq!(expressions("/deleted_at"), Ok(()));
}

//! The table as the last version made it gets all columns at once, and loses nothing.

use rstest::rstest;
use serde_json::json;

use super::{held, ids, world};
use crate::support::{Database, Kind, Program, endpoints, writes};

/// What `ledger --print-sql` printed then.
fn last_table(kind: Kind) -> String {
    let (instance, id, fingerprint, time) = match kind {
        Kind::Postgres => ("text", "text", "text", "timestamptz"),
        Kind::Sqlite => ("text", "text", "text", "text"),
        Kind::MySql => {
            ("varchar(64) CHARACTER SET ascii COLLATE ascii_bin", "varbinary(2048)", "varchar(16)", "datetime")
        }
    };
    format!(
        "CREATE TABLE explo_customers (instance {instance} NOT NULL, provided_id {id} NOT NULL, token text, \
         parent_provided_id {id}, wanted {fingerprint}, seen {fingerprint}, unsettled text, last_error text, \
         failures integer NOT NULL DEFAULT 0, runs_to_wait integer NOT NULL DEFAULT 0, next_try {time}, \
         parents_checked_at {time}, synced_at {time}, PRIMARY KEY (instance, provided_id)){}",
        if kind == Kind::MySql { " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" } else { "" }
    )
}

/// The columns that the contract names beyond.
const NEW: [&str; 4] = ["row_gone_since", "customer_gone_since", "offboarded", "listed_at"];

/// Rows as the last version left them: two in sync, one that was spared, one that failed.
async fn fill(database: &Database, tokens: &[String]) {
    let time = if database.kind == Kind::Sqlite { "'2026-01-02T03:04:05Z'" } else { "'2026-01-02 03:04:05'" };
    let (hash, sides) = ("'00c59f3100c59f31'", "00c59f3100c59f31:9f3100c59f3100c5");
    let columns = "instance, provided_id, token, wanted, seen, unsettled, failures, runs_to_wait, synced_at";
    let row = |n: usize, unsettled: &str, failures: u8| {
        format!("('default', 't-00{n}', '{}', {hash}, {hash}, {unsettled}, {failures}, {failures}, {time})", tokens[n])
    };
    let spared = format!("'emails {sides} added; name {sides} acknowledged'");
    let rows = [row(0, "null", 0), row(1, "null", 0), row(2, &spared, 0), row(3, "null", 1)];
    database.execute(&format!("insert into explo_customers ({columns}) values {}", rows.join(","))).await;
    database.execute("insert into explo_customers (instance, provided_id, token) values ('other', 'x', 'y')").await;
}

async fn columns(database: &Database) -> Vec<String> {
    let sql = match database.kind {
        Kind::Sqlite => "select name from pragma_table_info('explo_customers')".to_owned(),
        Kind::Postgres | Kind::MySql => {
            let schema = if database.kind == Kind::MySql { "database()" } else { "current_schema()" };
            format!(
                "select column_name from information_schema.columns \
                 where table_name = 'explo_customers' and table_schema = {schema}"
            )
        }
    };
    database.rows(&sql).await.into_iter().filter_map(|mut row| row.remove(0)).collect()
}

/// The tenants, their customers, and the table of the last version.
async fn last_version(kind: Kind) -> (Database, explo_sync::sandbox::Sandbox, Program) {
    let (database, sandbox, program) = world(kind, ids(0..4)).derived().start().await;
    database.execute(&last_table(kind)).await;
    fill(&database, &held(&sandbox).into_values().flatten().collect::<Vec<_>>()).await;
    (database, sandbox, program)
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn the_table_of_the_last_version_gets_all_columns_and_keeps_its_rows(#[case] kind: Kind) {
    let (database, sandbox, program) = last_version(kind).await;
    let before = database.tokens("default").await;
    let check = program.run(&["check"]).await;
    let added = check.stdout.matches("ADD COLUMN ").count();
    assert!(check.code == 0 && added == NEW.len(), "{}", check.stdout);
    assert!(NEW.iter().all(|column| check.stdout.contains(&format!("ADD COLUMN {column} "))), "{}", check.stdout);
    assert_eq!(program.sync(&["--dry-run"]).await.0, 0);
    assert_eq!(columns(&database).await.len(), 13, "check and a dry run change nothing");

    drop(sandbox.take_calls());
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["counts"]["unchanged"], &report["changes"]), (0, &json!(4), &json!([])), "{report}");
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"]);
    let after = columns(&database).await;
    assert!(after.len() == 17 && NEW.iter().all(|new| after.iter().any(|column| column == new)), "{after:?}");
    assert_eq!(database.tokens("default").await, before);
    assert_eq!(database.tokens("other").await.len(), 1);
    let healed = "select provided_id from explo_customers where instance = 'default' and provided_id <> '' \
                  and wanted like '2:%' and seen = wanted and failures = 0";
    assert_eq!(database.rows(healed).await.len(), 4, "what had no version is written anew");
    for column in NEW {
        let set = format!("select provided_id from explo_customers where {column} is not null");
        assert!(database.rows(&set).await.is_empty(), "{column} is for later");
    }
    let printed = program.run(&["ledger", "--print-sql"]).await.stdout;
    assert!(after.iter().all(|column| printed.contains(&format!("  {column} "))), "{printed}");
    assert!(program.run(&["check"]).await.stdout.contains("it has all columns"));
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[tokio::test]
async fn a_role_that_may_not_alter_meets_it_once(#[case] kind: Kind) {
    let (database, sandbox, owner) = last_version(kind).await;
    let role = format!("r{}", &uuid::Uuid::now_v7().simple().to_string()[16..]);
    let create = match kind {
        Kind::MySql => format!("create user {role} identified by 'my-secret'"),
        Kind::Postgres | Kind::Sqlite => format!("create role {role} login password 'pg-secret'"),
    };
    database.execute(&create).await;
    database.execute(&format!("grant select, insert, update on explo_customers to {role}")).await;
    let mut url: url::Url = database.url.parse().unwrap();
    url.set_username(&role).unwrap();
    let limited = owner.with("EXPLO_SYNC__LEDGER__URL", url.as_str());
    let check = limited.run(&["check"]).await;
    let (_, statements) = check.stdout.split_once("let its owner run ").unwrap_or_else(|| panic!("{check:?}"));
    assert_eq!(limited.sync(&["--dry-run"]).await.0, 0, "what is there is read");
    let (code, report) = limited.sync(&[]).await;
    let statements = statements.lines().next().unwrap();
    assert!(code == 1 && report["error"].as_str().unwrap().contains(statements), "{report}");
    assert!(writes(&sandbox.take_calls()).is_empty());
    database.execute(statements).await;
    assert_eq!((limited.run(&["check"]).await.code, limited.sync(&[]).await.0), (0, 0));
    assert_eq!((columns(&database).await.len(), database.tokens("default").await), (17, held(&sandbox)));
    assert_eq!(limited.run(&["ledger", "--adopt"]).await.code, 0, "nor does adopting take more");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn findings_and_fingerprints_of_another_version_are_not_believed_and_are_written_anew(#[case] kind: Kind) {
    let (database, sandbox, program) = world(kind, ids(0..3)).start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let texts = "select wanted, seen from explo_customers where provided_id <> '' order by provided_id";
    let right = database.rows(texts).await;
    for (column, text) in [("wanted", "1:3w5e11264sgsf"), ("seen", "1:3w5e11264sgsf"), ("wanted", "ffffffffffffffff")] {
        let set = format!("update explo_customers set {column} = '{text}' where provided_id = 't-001'");
        database.execute(&set).await;
        assert_eq!(program.sync(&[]).await.0, 0);
        assert_eq!(database.rows(texts).await, right, "{column} = {text}");
    }
    assert!(writes(&sandbox.take_calls()).len() == 3, "which cost no call");
}

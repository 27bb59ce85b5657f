//! A ledger that fails with the words of a trigger, or of the database about a value: no token is in the log.

use rstest::rstest;
use serde_json::json;

use super::{held, ids, world};
use crate::support::{Database, Kind, customer};

/// Makes an insert or an update of a row fail with these words, in this database's language for triggers.
async fn refuse(database: &Database, event: &str, raise: &str) {
    let raise = raise.replace("ROW", if event == "insert" { "new" } else { "old" });
    if database.kind == Kind::Postgres {
        let function = "create or replace function refuse() returns trigger as";
        database.execute(&format!("{function} $$ begin {raise}; return new; end $$ language plpgsql")).await;
    }
    let action = match database.kind {
        Kind::Postgres => "execute function refuse()".to_owned(),
        Kind::MySql => raise,
        Kind::Sqlite => format!("begin {raise}; end"),
    };
    let trigger = format!("create trigger refuse before {event} on explo_customers for each row {action}");
    database.execute(&trigger).await;
}

#[rstest]
#[case::in_its_own_words(Kind::Postgres, "raise exception 'no % and no %', new.token, old.token")]
#[case::the_row(Kind::Postgres, "raise exception 'refused: %', new")]
#[case::as_denied(
    Kind::Postgres,
    "raise exception using errcode = 'insufficient_privilege', message = 'not ' || new.token"
)]
#[case::as_a_check(
    Kind::Postgres,
    "raise exception using errcode = '23514', message = new.token, constraint = new.token"
)]
#[case::as_a_cancel(Kind::Postgres, "raise exception using errcode = '57014', message = 'not ' || new.token")]
#[case::of_its_own_code(Kind::Postgres, "raise exception using errcode = 'U0001', message = 'not ' || new.token")]
#[case::a_value(Kind::Postgres, "perform new.token::integer")]
#[case::an_assertion(Kind::Postgres, "assert false, new.token")]
#[case::a_warning(Kind::Postgres, "raise warning 'no %', new.token; raise exception 'no'")]
#[case::in_its_own_words(
    Kind::MySql,
    "begin set @words = concat('no ', ROW.token); signal sqlstate '45000' set message_text = @words; end"
)]
#[case::of_its_own_number(
    Kind::MySql,
    "begin set @words = concat('no ', ROW.token); signal sqlstate '45000' set mysql_errno = 31001, message_text = @words; end"
)]
#[case::as_read_only(
    Kind::MySql,
    "begin set @words = concat('no ', ROW.token); signal sqlstate 'HY000' set mysql_errno = 1290, message_text = @words; end"
)]
#[case::as_a_value(
    Kind::MySql,
    "begin set @words = concat('no ', ROW.token); signal sqlstate '22001' set message_text = @words; end"
)]
#[case::a_value(Kind::MySql, "set @n = extractvalue('<a/>', concat('~', ROW.token))")]
#[case::in_its_own_words(Kind::Sqlite, "select raise(abort, 'no ' || ROW.token)")]
#[case::for_good(Kind::Sqlite, "select raise(fail, '[' || ROW.token || ']')")]
#[case::rolled_back(Kind::Sqlite, "select raise(rollback, ROW.token)")]
#[tokio::test]
async fn what_a_trigger_says_of_a_row_is_not_told(#[case] kind: Kind, #[case] raise: &str) {
    // What a server says under its own numbers is told, without what may be a token; a trigger's words are not told at all.
    let words = if raise.contains("1290") { "0123456789abcdef" } else { "in-plain-words" };
    let [old, new] = ["old", "new"].map(|age| format!("sandbox-token-{age}-{words}"));
    let listed = ids(0..2).map(|id| {
        customer(json!({"provided_id": id, "name": format!("Name of {id}"), "token": format!("{new}-{id}")}))
    });
    let (database, sandbox, program) = world(kind, ids(0..2)).having(listed).start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    // A run of all tenants learns another token; one of a single tenant finds its own and writes the rest of its row.
    let own = if kind == Kind::MySql { "concat('TOKEN-', provided_id)" } else { "'TOKEN-' || provided_id" };
    let commands = [
        ("update", format!("'{old}'"), &["sync"][..]),
        ("insert", own.replace("TOKEN", &new), &["sync", "--only", "t-000", "--output", "json"]),
    ];
    for (event, token, arguments) in commands {
        database
            .execute(&format!("update explo_customers set token = {token}, wanted = '' where provided_id <> ''"))
            .await;
        refuse(&database, event, raise).await;
        let output = program.run(arguments).await;
        let printed = output.stdout + &output.stderr;
        assert!(!printed.contains("sandbox-token-"), "{event}: {printed}");
        assert!(printed.contains("code ") || printed.contains("not kept"), "{event}: {printed}");
        let on = if kind == Kind::Postgres { " on explo_customers" } else { "" };
        database.execute(&format!("drop trigger refuse{on}")).await;
    }
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn what_a_constraint_says_of_a_row_is_not_told(#[case] kind: Kind) {
    let (database, sandbox, program) = world(kind, ids(0..2)).start().await;
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    database.execute("create unique index tokens on explo_customers (token)").await;
    assert_eq!(program.sync(&["--max-changes", "1"]).await.0, 75);
    let (_, tokens) = held(&sandbox).pop_first().unwrap();
    let taken = format!("update explo_customers set instance = 'other' where token = '{}'", tokens.clone().unwrap());
    database.execute(&taken).await;
    let output = program.run(&["sync"]).await;
    assert!(output.code == 3 && output.stderr.contains("not kept in the ledger"), "{output:?}");
    assert!(!output.stderr.contains(&tokens.unwrap()), "{output:?}");
}

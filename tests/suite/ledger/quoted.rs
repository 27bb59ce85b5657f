//! A ledger that fails with the words of a trigger, or of the database about a value: no token is in the log.

use rstest::rstest;

use super::{held, ids, kept, program, tenants};
use crate::support::{Database, Kind, sandbox};

/// Makes every write of a customer's row fail with these words, in this database's language for triggers.
async fn refuse(database: &Database, raise: &str) {
    if database.kind == Kind::Postgres {
        let function = format!("create function refuse() returns trigger as $$ begin {raise}; return new; end $$");
        database.execute(&format!("{function} language plpgsql")).await;
    }
    for (event, row) in [("insert", "new"), ("update", "old")] {
        let trigger = format!("create trigger refuse_{event} before {event} on explo_customers for each row");
        let action = match database.kind {
            Kind::Postgres => "execute function refuse()".to_owned(),
            Kind::MySql => format!("begin set @words = concat('no ', ROW.token); {raise}; end").replace("ROW", row),
            Kind::Sqlite => format!("begin {}; end", raise.replace("ROW", row)),
        };
        database.execute(&format!("{trigger} {action}")).await;
    }
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
#[case::in_its_own_words(Kind::MySql, "signal sqlstate '45000' set message_text = @words")]
#[case::of_its_own_number(Kind::MySql, "signal sqlstate '45000' set mysql_errno = 31001, message_text = @words")]
#[case::as_read_only(Kind::MySql, "signal sqlstate 'HY000' set mysql_errno = 1290, message_text = @words")]
#[case::as_a_value(Kind::MySql, "signal sqlstate '22001' set message_text = @words")]
#[case::a_value(Kind::MySql, "set @n = extractvalue('<a/>', concat('~', ROW.token))")]
#[case::in_its_own_words(Kind::Sqlite, "select raise(abort, 'no ' || ROW.token)")]
#[case::for_good(Kind::Sqlite, "select raise(fail, '[' || ROW.token || ']')")]
#[case::rolled_back(Kind::Sqlite, "select raise(rollback, ROW.token)")]
#[tokio::test]
async fn what_a_trigger_says_of_a_row_is_not_told(#[case] kind: Kind, #[case] raise: &str) {
    let database = tenants(kind, ids(0..2)).await;
    let sandbox = sandbox([]).await;
    let program = program(&database, &sandbox);
    assert_eq!(program.sync(&["--max-changes", "1"]).await.0, 75);
    // An old token, too, may be quoted.
    let is_as_servers = raise.contains("1290");
    let old = if is_as_servers { "sandbox-token-0123456789abcdef" } else { "sandbox-token-in-plain-words" };
    database.execute(&format!("update explo_customers set token = '{old}' where provided_id <> ''")).await;
    refuse(&database, raise).await;
    let mut secrets = vec![Some(old.to_owned())];
    for arguments in [&["sync"][..], &["sync", "--output", "json"], &["sync", "--only", "t-000"]] {
        let output = program.run(arguments).await;
        secrets.extend(held(&sandbox).into_values());
        let printed = output.stdout + &output.stderr;
        for secret in secrets.iter().flatten() {
            assert!(!printed.contains(secret.as_str()), "{secret} in {printed}");
        }
        assert!(printed.contains("code ") || printed.contains("not kept"), "{printed}");
    }
    for event in ["insert", "update"] {
        let on = if kind == Kind::Postgres { " on explo_customers" } else { "" };
        database.execute(&format!("drop trigger refuse_{event}{on}")).await;
    }
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(kept(&database, "default").await, held(&sandbox));
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn what_a_constraint_says_of_a_row_is_not_told(#[case] kind: Kind) {
    let database = tenants(kind, ids(0..2)).await;
    let sandbox = sandbox([]).await;
    let program = program(&database, &sandbox);
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    database.execute("create unique index tokens on explo_customers (token)").await;
    assert_eq!(program.sync(&["--max-changes", "1"]).await.0, 75);
    let (_, tokens) = held(&sandbox).pop_first().unwrap();
    let taken = format!("update explo_customers set instance = 'other' where token = '{}'", tokens.clone().unwrap());
    database.execute(&taken).await;
    let output = program.run(&["sync"]).await;
    assert!(output.code == 0 && output.stderr.contains("not kept in the ledger"), "{output:?}");
    assert!(!output.stderr.contains(&tokens.unwrap()), "{output:?}");
}

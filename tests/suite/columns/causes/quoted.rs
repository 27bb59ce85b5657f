//! A database that fails at a row, with the words of a function or with its own: no value of the row is told, anywhere. What
//! the user wrote is.

use rstest::rstest;

use crate::support::{Database, Kind, Program, sandbox};

/// A name and a number that stand in no query.
const VALUES: [&str; 3] = ["Zyx", "Quux", "471147"];

/// A function that fails with this statement, in which `t` is a name.
async fn failing(database: &Database, raise: &str) {
    let function = match database.kind {
        Kind::Postgres => {
            format!(
                "create function f(t text) returns text language plpgsql as $$ begin {raise}; return ''; end $$;
                 create function g(t text) returns integer language sql as 'select t::integer'"
            )
        }
        Kind::MySql => {
            format!(
                "create function f(t text) returns text deterministic begin declare w text default concat('bad tenant ', t); \
                 {raise}; return ''; end"
            )
        }
        Kind::Sqlite => return,
    };
    database.execute(&function).await;
}

#[rstest]
#[case::in_its_own_words(Kind::Postgres, "raise exception 'bad tenant %', t", "f(name)", "by hand to see it")]
#[case::of_its_own_code(Kind::Postgres, "raise exception using errcode = 'U0001', message = t", "f(name)", "check")]
#[case::as_denied(
    Kind::Postgres,
    "raise exception using errcode = '42501', message = t",
    "f(name)",
    "(code 42501); check source.query"
)]
#[case::as_if_full(
    Kind::Postgres,
    "raise exception using errcode = '53300', message = t",
    "f(name)",
    "(code 53300); check source.query"
)]
#[case::as_if_ended(
    Kind::Postgres,
    "raise exception using errcode = '57P01', message = t",
    "f(name)",
    "(code 57P01); check source.query"
)]
#[case::denied_inside_a_function(Kind::Postgres, "perform pg_read_file('/' || t)", "f(name)", "reads a file")]
#[case::an_assertion(Kind::Postgres, "assert false, t", "f(name)", "by hand to see it")]
#[case::a_notice(Kind::Postgres, "raise warning 'bad %', t; raise exception 'no'", "f(name)", "by hand to see it")]
#[case::a_setting(Kind::Postgres, "null", "current_setting(name)", "unrecognized configuration parameter \\\"***\\\"")]
#[case::a_search(Kind::Postgres, "null", "to_tsquery(name)::text", "syntax error in tsquery: \\\"***\\\"")]
#[case::a_file(Kind::Postgres, "null", "pg_read_file(name)", "reads a file that the server does not have")]
#[case::a_table(Kind::Postgres, "null", "name::regclass::text", "check source.query")]
#[case::a_number(Kind::Postgres, "null", "lo_get(number)::text", "large object *** does not exist")]
#[case::of_a_type(Kind::Postgres, "null", "name::integer::text", "invalid input syntax for type integer: \\\"***\\\"")]
#[case::inside_a_function(Kind::Postgres, "null", "g(name)::text", "check source.query")]
#[case::in_its_own_words(
    Kind::MySql,
    "signal sqlstate '45000' set message_text = w",
    "f(name)",
    "by hand to see it (code 45000, number 1644); check source.query"
)]
#[case::of_another_class(Kind::MySql, "signal sqlstate '42000' set message_text = w", "f(name)", "number 1644")]
#[case::of_its_own_number(
    Kind::MySql,
    "signal sqlstate '42000' set mysql_errno = 31001, message_text = w",
    "f(name)",
    "number 31001"
)]
#[case::as_read_only(
    Kind::MySql,
    "signal sqlstate 'HY000' set mysql_errno = 1290, message_text = w",
    "f(name)",
    "number 1290"
)]
#[case::several_rows(
    Kind::MySql,
    "set @none = 1",
    "(select name from tenants)",
    "Subquery returns more than 1 row (code 21000, number 1242)"
)]
#[case::a_path(Kind::Sqlite, "", "json_extract('{}', name)", "check source.query")]
#[case::a_tokenizer(Kind::Sqlite, "", "fts3_tokenizer(name)", "check source.query")]
#[tokio::test]
async fn what_a_database_says_of_a_row_is_not_told(
    #[case] kind: Kind,
    #[case] raise: &str,
    #[case] expression: &str,
    #[case] told: &str,
) {
    let (database, sandbox) = (Database::new(kind).await, sandbox([]).await);
    database.execute("create table tenants (id varchar(9), name varchar(99), number integer)").await;
    database.execute("insert into tenants values ('a', 'Zyx Quux', 471147), ('b', 'Zyx Quux', 471147)").await;
    failing(&database, raise).await;
    let query = format!("select id as provided_id, {expression} as name from tenants");
    let program = Program::between(&database, &sandbox, &query);
    for arguments in [["check", "-v"], ["sync", "--dry-run"], ["explain", "a"]] {
        let output = program.run(&arguments).await;
        let printed = output.stdout + &output.stderr;
        assert!(!VALUES.iter().any(|value| printed.contains(value)), "{arguments:?}: {printed}");
        let is_told = printed.contains(told) || printed.contains(&told.replace('\\', ""));
        assert!(output.code != 0 && printed.contains("(code ") && is_told, "{arguments:?}: {printed}");
    }
}

#[rstest]
#[case::a_column(Kind::Postgres, "select nmae as provided_id from tenants", "column \"nmae\" does not exist")]
#[case::a_table(Kind::Postgres, "select 1 as provided_id from tenant", "relation \"tenant\" does not exist")]
#[case::a_schema(Kind::Postgres, "select app.f(1) as provided_id", "schema \"app\" does not exist")]
#[case::a_value(
    Kind::Postgres,
    "select id as provided_id from tenants where id > 'Pro'",
    "invalid input syntax for type integer: \"Pro\""
)]
#[case::a_setting(
    Kind::Postgres,
    "select current_setting(coalesce('app.tenant', id::text)) as provided_id from tenants",
    "unrecognized configuration parameter \"app.tenant\""
)]
#[case::a_column(Kind::MySql, "select nmae as provided_id from tenants", "Unknown column 'nmae' in")]
#[case::a_table(Kind::MySql, "select 1 as provided_id from tenant", ".tenant' doesn't exist")]
#[case::a_function(Kind::MySql, "select f(1) as provided_id from tenants", ".f does not exist")]
#[case::a_column(Kind::Sqlite, "select nmae as provided_id from tenants", "no such column: nmae")]
#[case::a_table(Kind::Sqlite, "select 1 as provided_id from tenant", "no such table: tenant")]
#[tokio::test]
async fn what_the_user_wrote_is_told(#[case] kind: Kind, #[case] query: &str, #[case] words: &str) {
    let database = Database::new(kind).await;
    database.execute("create table tenants (id integer); insert into tenants values (1)").await;
    let told = super::refusal(crate::support::settings(&database.url, query)).await;
    assert!(told.contains(words) && told.contains("check source.query"), "{told}");
}

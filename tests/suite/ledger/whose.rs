//! Whose ledger it is: of one source and one Explo. Another pair of the same name is refused before anything is written.

use std::{path::Path, time::Duration};

use explo_sync::sandbox::Sandbox;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{QUERY, held, ids, program, tenants, world};
use crate::support::{Database, Kind, Program, customer, endpoints, sandbox, writes};

/// All that the table holds, but for what is of no matter.
async fn table(database: &Database) -> Vec<Vec<Option<String>>> {
    let columns = "instance, provided_id, token, wanted, seen, unsettled, failures";
    database.rows(&format!("select {columns} from explo_customers order by instance, provided_id")).await
}

/// What the row without an id says.
async fn said(database: &Database) -> Value {
    let rows = database.rows("select unsettled from explo_customers where provided_id = ''").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    serde_json::from_str(rows[0][0].as_ref().unwrap()).unwrap()
}

/// An Explo that lists the tenants under other tokens.
async fn another(ids: impl Iterator<Item = String>) -> Sandbox {
    let listed = ids.map(|id| {
        let token = format!("sandbox-token-of-another-{id}");
        customer(json!({"provided_id": id, "name": format!("Name of {id}"), "token": token}))
    });
    sandbox(listed).await
}

/// `sync` is refused: before Explo is asked, and with both pairs and both ways out in the message.
async fn refused(program: &Program, sandbox: &Sandbox, parts: &[&str]) {
    drop(sandbox.take_calls());
    for arguments in [&[][..], &["--only", "t-000"]] {
        let (code, report) = program.sync(arguments).await;
        let error = report["error"].as_str().unwrap_or_else(|| panic!("{report}"));
        assert_eq!((code, &report["exit"]), (78, &json!(78)), "{error}");
        let ways_out = ["another `name`", "`explo-sync ledger --adopt`"];
        assert!(parts.iter().chain(&ways_out).all(|part| error.contains(part)), "{parts:?} in {error}");
    }
    assert!(sandbox.take_calls().is_empty());
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn another_explo_under_the_same_name_is_refused_until_it_adopts_the_ledger(#[case] kind: Kind) {
    let database = tenants(kind, ids(0..5)).await;
    let (here, there) = (sandbox([]).await, another(ids(0..5)).await);
    let (ours, theirs) = (program(&database, &here), program(&database, &there));
    assert!(ours.run(&["check"]).await.stdout.contains("the first run claims it for the "));
    assert_eq!(ours.sync(&[]).await.0, 0);
    let before = table(&database).await;
    refused(&theirs, &there, &[&here.url(), &there.url()]).await;

    let dry = theirs.run(&["sync", "--dry-run", "--output", "json"]).await;
    assert!(dry.code == 0 && dry.stderr.contains(&here.url()) && dry.stderr.contains("--adopt"), "{dry:?}");
    assert_eq!(dry.json()["counts"]["unchanged"], json!(5), "what is known of others' customers is no matter");
    let check = theirs.run(&["check"]).await;
    assert!(check.code == 0 && check.stdout.contains("warn  ledger"), "{check:?}");
    assert!(check.stdout.contains(&here.url()) && check.stdout.contains(&there.url()), "{check:?}");
    let explained = theirs.run(&["explain", "t-000"]).await;
    assert!(explained.code == 0 && explained.stderr.contains("--adopt"), "{explained:?}");
    assert_eq!(theirs.run(&["tokens", "--missing"]).await.code, 3, "these tokens are not theirs");
    assert_eq!(table(&database).await, before);
    let check = ours.run(&["check"]).await.stdout;
    assert!(check.contains("ok    ledger    it belongs to the ") && check.contains(&here.url()), "{check}");
    assert_eq!(theirs.clone().with("EXPLO_SYNC__NAME", "theirs").sync(&[]).await.0, 0, "another name is one way out");

    let adopted = theirs.run(&["ledger", "--adopt"]).await;
    assert_eq!(adopted.code, 0, "{adopted:?}");
    let told = [&*here.url(), &*there.url(), "5 tokens are forgotten"];
    assert!(told.iter().all(|part| adopted.stdout.contains(part)), "{adopted:?}");
    assert!(database.tokens("default").await.values().all(Option::is_none), "no token of the former pair is served");
    assert_eq!(database.tokens("theirs").await, held(&there), "nor one of another instance touched");
    refused(&ours, &here, &[&here.url(), &there.url()]).await;
    let (code, report) = theirs.sync(&[]).await;
    assert_eq!((code, &report["changes"]), (0, &json!([])), "{report}");
    assert_eq!(database.tokens("default").await, held(&there));
    assert_eq!(theirs.run(&["tokens", "--missing"]).await.code, 0, "whose it is is no tenant");
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn another_source_under_the_same_name_is_refused(#[case] kind: Kind) {
    let (one, two, ledger) =
        (tenants(kind, ids(0..3)).await, tenants(kind, ids(0..3)).await, Database::new(kind).await);
    let sandbox = sandbox([]).await;
    let [first, second] =
        [&one, &two].map(|source| program(source, &sandbox).with("EXPLO_SYNC__LEDGER__URL", &ledger.url));
    assert_eq!(first.sync(&[]).await.0, 0);
    let before = table(&ledger).await;
    let name = |database: &Database| database.url.rsplit_once('/').unwrap().1.to_owned();
    let parts = if kind == Kind::Sqlite {
        [one.file(), two.file()].map(|file| file.display().to_string())
    } else {
        [name(&one), name(&two)]
    };
    refused(&second, &sandbox, &[&parts[0], &parts[1]]).await;
    assert_eq!(table(&ledger).await, before);
    assert_eq!((second.run(&["ledger", "--adopt"]).await.code, second.sync(&[]).await.0), (0, 0));
    refused(&first, &sandbox, &[]).await;
    assert_eq!(ledger.tokens("default").await, held(&sandbox));
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn of_two_first_runs_at_once_one_gets_the_ledger_and_the_other_is_refused(#[case] kind: Kind) {
    for _ in 0..3 {
        let database = tenants(kind, ids(0..30)).await;
        let (here, there) = (sandbox([]).await, sandbox([]).await);
        let (ours, theirs) = (program(&database, &here), program(&database, &there));
        let (one, other) = tokio::join!(ours.sync(&[]), theirs.sync(&[]));
        let (winner, loser) = match (one.0, other.0) {
            (0, 78) => (here, there),
            (78, 0) => (there, here),
            _ => panic!("{one:?} {other:?}"),
        };
        assert!(loser.take_calls().is_empty());
        assert_eq!(database.tokens("default").await, held(&winner));
    }
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[tokio::test]
async fn another_way_to_the_same_database_and_another_token_are_the_same_pair(#[case] kind: Kind) {
    let (database, sandbox, program) = world(kind, ids(0..3)).start().await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let role = format!("r{}", &uuid::Uuid::now_v7().simple().to_string()[16..]);
    let (create, grant) = match kind {
        Kind::MySql => {
            (format!("create user {role} identified by 'my-secret'"), format!("grant select on * to {role}"))
        }
        Kind::Postgres | Kind::Sqlite => {
            (format!("create role {role} login password 'pg-secret'"), format!("grant select on tenants to {role}"))
        }
    };
    database.execute(&create).await;
    database.execute(&grant).await;
    let mut url: url::Url = database.url.parse().unwrap();
    url.set_host(Some("localhost")).unwrap();
    url.set_username(&role).unwrap();
    let moved = program.with("EXPLO_SYNC__LEDGER__URL", &database.url).with("DATABASE_URL", url.as_str());
    let rotated = moved.with("EXPLO_TOKEN", "another-team-token-9876543210");
    assert_eq!(rotated.sync(&[]).await.0, 0);
    assert_eq!(rotated.run(&["check"]).await.code, 0);
    let base_url = sandbox.url().to_uppercase().replace("HTTP", "http") + "/";
    assert_eq!(rotated.with("EXPLO_SYNC__EXPLO__BASE_URL", &base_url).sync(&[]).await.0, 0, "{base_url}");
}

#[tokio::test]
async fn a_link_to_the_same_file_is_the_same_pair_and_a_copy_is_not() {
    let (database, sandbox, program) = world(Kind::Sqlite, ids(0..3)).start().await;
    let directory = tempfile::tempdir().unwrap();
    let (link, copy) = (directory.path().join("link.db"), directory.path().join("tenants.db"));
    std::os::unix::fs::symlink(database.file(), &link).unwrap();
    let program = program.with("EXPLO_SYNC__LEDGER__URL", &database.url);
    let at = |path: &Path| program.clone().with("DATABASE_URL", &format!("sqlite://{}", path.display()));
    assert_eq!((program.sync(&[]).await.0, at(&link).sync(&[]).await.0), (0, 0));
    std::fs::copy(database.file(), &copy).unwrap();
    refused(&at(&copy), &sandbox, &[]).await;
}

#[tokio::test]
async fn a_system_identifier_that_is_not_told_any_more_is_no_other_source_and_another_one_is() {
    let (database, sandbox, program) = world(Kind::Postgres, ids(0..3)).start().await;
    let role = format!("r{}", &uuid::Uuid::now_v7().simple().to_string()[16..]);
    database
        .execute(&format!("create role {role} login password 'pg-secret'; grant select on tenants to {role}"))
        .await;
    let mut url: url::Url = database.url.parse().unwrap();
    url.set_username(&role).unwrap();
    let program = program.with("EXPLO_SYNC__LEDGER__URL", &database.url).with("DATABASE_URL", url.as_str());
    database.execute("revoke execute on function pg_control_system() from public").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(said(&database).await["source"]["system"], Value::Null, "the role may not ask");
    database.execute("grant execute on function pg_control_system() to public").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    let told = said(&database).await;
    assert!(told["source"]["system"].as_str().is_some_and(|system| system.len() > 10), "it is noted: {told}");
    database.execute("revoke execute on function pg_control_system() from public").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(said(&database).await, told);
    database.execute("grant execute on function pg_control_system() to public").await;
    let system = told["source"]["system"].as_str().unwrap();
    let moved = "update explo_customers set unsettled = replace(unsettled, ";
    database.execute(&format!("{moved}'{system}', '7000000000000000000') where provided_id = ''")).await;
    refused(&program, &sandbox, &[system, "7000000000000000000"]).await;
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_ledger_that_does_not_say_whose_it_is_becomes_that_of_the_first_real_run(#[case] kind: Kind) {
    let database = tenants(kind, ids(0..2)).await;
    let (here, there) = (sandbox([]).await, another(ids(0..2)).await);
    // Of more than two, the tokens alone would tell.
    let (ours, theirs) = (program(&database, &here), program(&database, &there));
    assert_eq!(ours.sync(&[]).await.0, 0);
    let tokens = database.tokens("default").await;
    // As a version left it that knew nothing of this, or somebody broke it.
    for broken in ["delete from explo_customers where provided_id = ''", "update explo_customers set unsettled = null"]
    {
        database.execute(broken).await;
        let before = table(&database).await;
        let dry = theirs.run(&["sync", "--dry-run"]).await;
        assert!(dry.code == 0 && !dry.stderr.contains("--adopt"), "it is nobody's: {dry:?}");
        assert!(theirs.run(&["check"]).await.stdout.contains("the first run claims it for"));
        assert_eq!(table(&database).await, before);
        assert_eq!(ours.sync(&[]).await.0, 0);
        assert_eq!(database.tokens("default").await, tokens, "and nothing is lost");
        refused(&theirs, &there, &[]).await;
    }
}

#[tokio::test]
async fn a_daemon_whose_ledger_was_adopted_is_refused_at_its_next_run() {
    let database = tenants(Kind::Sqlite, ids(0..3)).await;
    let (here, there) = (sandbox([]).await, another(ids(0..3)).await);
    let (ours, theirs) = (program(&database, &here), program(&database, &there));
    let daemon = ours.with("EXPLO_SYNC__SCHEDULE__CRON", "* * * * * *").with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0");
    let mut child = daemon.watch(&["run"]);
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stderr.take().unwrap()));
    let mut says = async |part: &str| {
        let found = async {
            loop {
                let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended before {part:?}"));
                if line.contains(part) {
                    return line;
                }
            }
        };
        timeout(Duration::from_secs(20), found).await.unwrap_or_else(|_| panic!("it does not say {part:?}"))
    };
    says("run ended").await;
    assert_eq!(theirs.run(&["ledger", "--adopt"]).await.code, 0);
    let line = says("run failed").await;
    assert!(line.contains(&there.url()) && line.contains("--adopt"), "{line}");
    assert!(database.tokens("default").await.values().all(Option::is_none));
    child.kill().await.unwrap();
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn a_run_whose_ledger_is_adopted_meanwhile_brings_no_token_into_it(#[case] kind: Kind) {
    let database = tenants(kind, ids(0..4)).await;
    let (here, there) = (sandbox([]).await, another(ids(0..2)).await);
    let (ours, theirs) = (program(&database, &here), program(&database, &there));
    let child = ours.with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "60").start(&["sync", "--output", "json"]);
    while !endpoints(&here.take_calls()).contains(&"create_customer") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(theirs.run(&["ledger", "--adopt"]).await.code, 0);
    let output = child.wait_with_output().await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["outcomes"]["applied"]), (Some(1), &json!(4)), "{report}");
    assert!(report["error"].as_str().unwrap().contains("was adopted"), "{report}");
    assert!(database.tokens("default").await.values().all(Option::is_none));
}

#[tokio::test]
async fn adopting_what_is_ones_own_forgets_the_tokens_too_and_a_missing_table_is_made() {
    let (database, sandbox, program) = world(Kind::Postgres, ids(0..3)).start().await;
    let adopted = program.run(&["ledger", "--adopt"]).await;
    assert!(adopted.code == 0 && adopted.stdout.contains("had no owner before"), "{adopted:?}");
    assert_eq!(program.sync(&[]).await.0, 0);
    // So it is when another team of the same Explo takes over.
    let adopted = program.run(&["ledger", "--adopt"]).await;
    assert!(adopted.code == 0 && adopted.stdout.contains("So it did before"), "{adopted:?}");
    assert!(database.tokens("default").await.values().all(Option::is_none));
    drop(sandbox.take_calls());
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["changes"], writes(&sandbox.take_calls()).len()), (0, &json!([]), 0), "{report}");
    assert_eq!(database.tokens("default").await, held(&sandbox));
    let without = program.with("EXPLO_SYNC__LEDGER__URL", "").run(&["ledger", "--adopt"]).await;
    assert!(without.code == 78 && without.stderr.contains("ledger.url is empty"), "{without:?}");
}

#[tokio::test]
async fn an_api_is_told_by_its_address() {
    let sandbox = crate::rest::upstream([]).await;
    let (program, _directory) = crate::rest::between(&sandbox);
    let ledger = Database::new(Kind::Sqlite).await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", &ledger.url);
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(
        said(&ledger).await["source"],
        json!({"kind": "rest", "url": format!("{}/v2/customers", sandbox.url())})
    );
    let asked = program.clone().with("EXPLO_SYNC__SOURCE__PARAMETERS", r#"["sortBy=id"]"#);
    assert_eq!(asked.sync(&[]).await.0, 0, "what is asked of it is no matter");
    let elsewhere = program.with("EXPLO_SYNC__SOURCE__URL", &format!("{}/v1/customers", sandbox.url()));
    refused(&elsewhere, &sandbox, &["/v1/customers", "/v2/customers"]).await;
}

#[rstest]
#[case(&[("EXPLO_SYNC__LEDGER__URL", "postgres://u:secret-password-1@db.internal/app")], "timestamptz")]
#[case(&[("EXPLO_SYNC__LEDGER__URL", "mysql://db.internal/app")], "varbinary(2048)")]
#[case(&[("EXPLO_SYNC__LEDGER__URL", "sqlite:ledger.db"), ("EXPLO_SYNC__SOURCE__KIND", "rest")], "provided_id text")]
#[case(&[("DATABASE_URL", "mysql://db.internal/app")], "varbinary(2048)")]
#[case(&[("DATABASE_URL", "mysql://db.internal/app"), ("EXPLO_SYNC__LEDGER__URL", "source")], "varbinary(2048)")]
#[tokio::test]
async fn the_statements_are_printed_before_there_is_a_query_or_a_token(
    #[case] variables: &[(&str, &str)],
    #[case] part: &str,
) {
    let program = variables.iter().fold(Program::default(), |program, (name, value)| program.with(name, value));
    let output = program.run(&["ledger", "--print-sql"]).await;
    assert!(output.code == 0 && output.stdout.contains(part), "{output:?}");
    let adopting = program.run(&["ledger", "--adopt"]).await;
    assert_eq!(adopting.code, 78, "which takes all of it: {adopting:?}");
    assert_eq!(Program::default().run(&["ledger", "--print-sql"]).await.code, 78, "in which database?");
    assert_eq!(program.with("EXPLO_SYNC__LEDGER__TABLE", "a b").run(&["ledger", "--print-sql"]).await.code, 78);
}

#[tokio::test]
async fn two_teams_of_one_source_and_one_name_keep_ledgers_of_their_own() {
    let database = tenants(Kind::Postgres, ids(0..3)).await;
    let sandbox = sandbox([]).await;
    let programs = [("here", "one"), ("there", "two")].map(|(name, team)| {
        Program::between(&database, &sandbox, QUERY)
            .with("EXPLO_SYNC__LEDGER__URL", "source")
            .with("EXPLO_SYNC__LEDGER__TABLE", name)
            .with("EXPLO_TOKEN", &format!("test-team-token-of-{team}"))
    });
    let (one, two) = tokio::join!(programs[0].sync(&[]), programs[1].sync(&[]));
    // The sandbox knows no teams: what one has made, the other finds.
    let codes = [one.0, two.0];
    assert!(!codes.contains(&5), "neither waits for the other: {one:?} {two:?}");
    assert_eq!(sandbox.customers().len(), 3);
}

#[rstest]
#[case(Kind::Postgres, "foreign key (provided_id) references tenants (id)")]
#[case(Kind::MySql, "check (length(provided_id) > 0)")]
#[case(Kind::Sqlite, "check (length(provided_id) > 0)")]
#[tokio::test]
async fn a_table_that_takes_no_row_without_an_id_keeps_the_tokens_all_the_same(
    #[case] kind: Kind,
    #[case] constraint: &str,
) {
    let (database, sandbox, program) = world(kind, ids(0..3)).start().await;
    database.execute("create unique index by_id on tenants (id)").await;
    let printed = program.run(&["ledger", "--print-sql"]).await.stdout;
    let (key, constrained) = ("PRIMARY KEY (instance, provided_id)", "PRIMARY KEY (instance, provided_id), ");
    database.execute(&printed.replacen(key, &(constrained.to_owned() + constraint), 1)).await;
    for _ in 0..2 {
        let output = program.run(&["sync"]).await;
        assert!(output.code == 0 && output.stderr.contains("can't store its pair"), "{output:?}");
        assert_eq!(database.tokens("default").await, held(&sandbox));
    }
}

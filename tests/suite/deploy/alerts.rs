//! The alerts: when each fires, by the word of promtool, and what runs tell them.

use std::fs;

use rstest::rstest;

use super::{deploy, read, run};
use crate::{
    faults::reach::tls,
    support::{Answer, Asked, Kind, Program, World},
};

/// What `promtool` has to say about rules.
fn tested(rules: &str) -> (bool, String) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("rules.yaml"), rules).unwrap();
    let tests = directory.path().join("rules_test.yaml");
    fs::copy(deploy("prometheus/rules_test.yaml"), &tests).unwrap();
    run("promtool", &["test", "rules", tests.to_str().unwrap()])
}

#[test]
fn each_alert_fires_in_its_case_alone() {
    let rules = read("prometheus/rules.yaml");
    let (success, said) = tested(&rules);
    assert!(success, "{said}");
    let cases = read("prometheus/rules_test.yaml");
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(cases.contains(alert), "{alert} has no case");
    }
}

/// Every part that keeps an alert quiet on standbys, or with a daemon's counters.
#[rstest]
#[case::for_standbys(" unless explo_sync_standby == 1", "")]
#[case::for_standbys_by_class(" unless ignoring (class) explo_sync_standby == 1", "")]
#[case::for_daemons(" unless explo_sync_standby)", ")")]
fn the_cases_would_tell_of_a_mistake_in_an_alert(#[case] right: &str, #[case] wrong: &str) {
    let rules = read("prometheus/rules.yaml");
    let places: Vec<_> = rules.match_indices(right).collect();
    assert!(!places.is_empty());
    for (place, _) in places {
        let mistaken = [&rules[..place], wrong, &rules[place + right.len()..]].concat();
        assert!(!tested(&mistaken).0, "{mistaken}");
    }
}

/// The samples that a run writes to its file.
async fn file_of(program: &Program, code: i32) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("explo.prom");
    assert_eq!(program.run(&["sync", "--metrics-file", file.to_str().unwrap()]).await.code, code);
    fs::read_to_string(file).unwrap()
}

#[tokio::test]
async fn what_the_alerts_look_at_is_told_by_the_runs() {
    let world = World::of([("a", "Ann"), ("b", "Bob")]).on(Kind::Postgres).with_ledger();
    let (database, sandbox, program) = world.start().await;
    let function = "create function no() returns trigger as $$ begin
        if new.provided_id = 'a' then raise 'no'; end if; return new; end $$ language plpgsql";
    let trigger = "create trigger no before update on explo_customers for each row execute function no()";
    let refuses = |asked: &Asked<'_>| (asked.endpoint == "create_customer").then(|| Answer::new(422, "no")).flatten();
    let program = program.behind(&sandbox, refuses).await;
    let has = |told: &str, sample: &str| assert!(told.lines().any(|line| line == sample), "{sample} in {told}");
    for is_behind in [false, true] {
        let told = file_of(&program, 3).await;
        has(&told, r#"explo_sync_failing{sync_instance="default"} 2"#);
        has(&told, r#"explo_sync_last_run_exit_code{sync_instance="default"} 3"#);
        has(&told, &format!(r#"explo_sync_ledger_behind{{sync_instance="default"}} {}"#, u8::from(is_behind)));
        if !is_behind {
            database.execute(&format!("{function}; {trigger}")).await;
        }
    }

    let address = format!("https://localhost:{}", tls(&sandbox, "expired", 0).await);
    let program = program
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &address)
        .with("EXPLO_SYNC__EXPLO__CA_FILE", &std::env::var("TEST_CA_FILE").unwrap())
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2")
        .with("EXPLO_SYNC__LEDGER__URL", "");
    let told = file_of(&program, 1).await;
    has(&told, r#"explo_sync_calls_total{sync_instance="default",endpoint="customers",status="certificate"} 2"#);
    has(&told, r#"explo_sync_last_run_exit_code{sync_instance="default"} 1"#);
}

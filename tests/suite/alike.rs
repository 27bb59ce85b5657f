//! The report as text: changes that are alike, names beside ids, and the command that goes on.

use rstest::rstest;
use serde_json::json;

use crate::support::World;

const DRY: [&str; 2] = ["sync", "--dry-run"];

/// Tenants whose mapping is wanted as 7.
fn mapped(count: usize) -> World {
    let tenant =
        |n: usize| json!({"provided_id": format!("t{n:03}"), "name": format!("Name {n}"), "mapping": {"40": "7"}});
    World::of((0..count).map(tenant)).derived()
}

fn mapping<T: serde::de::DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn updates_that_are_alike_are_one_line_and_three_samples() {
    let world = mapped(30).each(|customer| customer.parent_schema_datasource_mapping = mapping(r#"{"40":"6"}"#));
    let world = world.but("t029", |customer| customer.name = "Other".to_owned());
    let (_database, _sandbox, program) = world.start().await;
    let shown = program.run(&[&DRY[..], &["--show-values"]].concat()).await.stdout;
    assert!(
        shown.contains(
            "~ 29 × mapping  40: \"6\" → \"7\"\n      for example t000  Name 0, t001  Name 1, t002  Name 2\n"
        ),
        "{shown}"
    );
    assert!(shown.contains("~ t029  Name 29\n      name  \"Other\" → \"Name 29\"\n      mapping  40"), "{shown}");
    let hidden = program.run(&DRY).await.stdout;
    assert!(hidden.contains("~ 29 × mapping\n      for example t000, t001, t002\n"), "{hidden}");
    assert!(!hidden.contains("Name 0") && !hidden.contains("\"7\""), "{hidden}");
    let all = program.run(&[&DRY[..], &["-v"]].concat()).await.stdout;
    assert_eq!((all.matches("\n  ~ t").count(), all.contains('×')), (30, false), "{all}");
}

#[tokio::test]
async fn updates_of_the_same_field_are_one_line_with_three_values() {
    let world = mapped(25).each(|customer| customer.name.push('?'));
    let (_database, _sandbox, program) = world.start().await;
    let shown = program.run(&[&DRY[..], &["--show-values"]].concat()).await.stdout;
    let samples = "~ 25 × name, for example\n      t000  Name 0  name  \"Name 0?\" → \"Name 0\"\n      t001";
    assert!(shown.contains(samples), "{shown}");
    assert!(!shown.contains("t003"), "{shown}");
}

#[tokio::test]
async fn twenty_updates_are_told_one_by_one() {
    let world = mapped(20).each(|customer| customer.parent_schema_datasource_mapping = mapping("{}"));
    let (_database, _sandbox, program) = world.start().await;
    let shown = program.run(&DRY).await.stdout;
    assert_eq!((shown.matches("\n  ~ t").count(), shown.contains('×')), (20, false), "{shown}");
}

#[tokio::test]
async fn a_held_plan_prints_one_command_that_lets_all_of_it_through() {
    let world = mapped(30).each(|customer| customer.parent_schema_datasource_mapping = mapping(r#"{"40":"6"}"#));
    let (_database, _sandbox, program) = world.start().await;
    let held = program.run(&["sync", "--log-format", "text"]).await;
    let command = "explo-sync sync --allow update=30 --allow mapping=30";
    assert_eq!((held.code, held.stdout.matches("--allow").count()), (4, 2), "{held:?}");
    assert!(held.stdout.ends_with(&format!("let it through once:\n  {command}\n")), "{}", held.stdout);
    assert!(held.stderr.contains("WARN") && held.stderr.contains(command), "{}", held.stderr);
    let (code, report) = program.sync(&[]).await;
    assert!(code == 4 && report["error"].as_str().unwrap().ends_with(command), "{report}");
    assert_eq!(program.sync(&["--allow", "update=30", "--allow", "mapping=30"]).await.0, 0);
}

#[rstest]
#[case::within_the_limits(30, "explo-sync sync\n")]
#[case::over_them(300, "explo-sync sync --allow create=298\n")]
#[tokio::test]
async fn a_run_that_is_stopped_lists_what_is_done_and_prints_the_command_that_carries_it_on(
    #[case] count: usize,
    #[case] command: &str,
) {
    let tenants = (0..count).map(|n| (format!("t{n:03}"), "T"));
    let (_database, _sandbox, program) = World::of(tenants).start().await;
    let stopped = program.run(&["sync", "--max-changes", "2", "--allow", "create=300"]).await;
    assert_eq!(stopped.code, 75, "{stopped:?}");
    assert!(stopped.stdout.contains("✓ t000  create\n  ✓ t001  create\n"), "{}", stopped.stdout);
    assert!(stopped.stdout.ends_with(&format!("To carry it on: {command}")), "{}", stopped.stdout);
}

#[tokio::test]
async fn counts_agree_with_their_nouns() {
    let (_database, _sandbox, program) =
        World::of([("a", "Ann")]).and([json!({"provided_id": "b", "name": "B"})]).start().await;
    let shown = program.run(&DRY).await.stdout;
    for part in [": 1 tenant in ", ", 1 customer in ", "takes 1 call (1 create_customer)"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[tokio::test]
async fn colours_are_as_asked_for() {
    let (_database, _sandbox, program) = World::of([("a", "Ann")]).start().await;
    for (arguments, has_colours) in [(&[][..], false), (&["--color", "always"], true), (&["--color", "never"], false)] {
        let shown = program.run(&[&DRY[..], arguments].concat()).await.stdout;
        assert_eq!(shown.contains("\u{1b}["), has_colours, "{arguments:?}: {shown}");
    }
}

#[tokio::test]
async fn on_a_terminal_the_logs_say_only_what_the_report_does_not() {
    let (_database, sandbox, program) = World::of([("a", "Ann"), ("b", "Bob")]).start().await;
    sandbox.adjust(|api| api.faults = vec!["status=400,id=a".parse().unwrap()]);
    let shown = program.on_terminal("sync").await;
    assert_eq!((shown.matches("answered 400").count(), shown.contains("INFO")), (1, false), "{shown}");
    let all = program.on_terminal("-v sync --retry-failed").await;
    assert!(all.contains("run begins") && all.matches("answered 400").count() == 2, "{all}");
}

#[tokio::test]
async fn a_printed_command_names_the_configuration_that_a_flag_named() {
    let (_database, _sandbox, program) = World::of((0..5).map(|n| (n, "T"))).start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("its own.toml");
    std::fs::write(&path, "[guard]\ncreate_floor = 1\n").unwrap();
    let path = path.to_str().unwrap();
    let command = format!("  explo-sync --config '{path}' sync --allow create=5\n");
    let held = program.run(&["--config", path, "sync"]).await.stdout;
    assert!(held.ends_with(&command), "{held}");
    let (_directory, saved) = program.saved().await;
    let stopped = program.run(&["sync", "--plan", &saved, "--max-changes", "1"]).await.stdout;
    assert!(stopped.ends_with("To carry it on, give the same command again.\n"), "{stopped}");
}

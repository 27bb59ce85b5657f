//! `probe` finds what the sandbox's switches say, and whatever happens, nobody but its own customer is written to, and
//! that one is removed or named.

mod harm;

use explo_sync::sandbox::{Api, Sandbox, Store};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Program, World, behaviour, customer, endpoints, keys, sandbox_of, writes};

const TOKEN: &str = "test-team-token-0123456789";

/// What the sandbox does without a switch.
const USUAL: [(&str, &str); 25] = [
    ("listing", "v2"),
    ("page_size", "both"),
    ("unknown_parameters", "ignored"),
    ("total", "total_count"),
    ("counted", "listed"),
    ("past_end", "404"),
    ("keys", "snake"),
    ("property_keys", "stored"),
    ("unknown_id", "404"),
    ("refusal", "success"),
    ("ids", "exact"),
    ("existing", "left"),
    ("emails", "replace"),
    ("properties", "replace"),
    ("mapping", "replace"),
    ("mapping_values", "sent"),
    ("address_case", "kept"),
    ("spaces", "kept"),
    ("unicode", "kept"),
    ("markup", "kept"),
    ("numbers", "kept"),
    ("long_name", "kept"),
    ("nulls", "ignored"),
    ("tag_calls", "present"),
    ("gone", "refused"),
];

/// A sandbox with five customers that behaves so, and the program before it, without a source.
async fn explo(flags: &str) -> (Sandbox, Program) {
    let customers = (1..=5).map(|n| {
        customer(json!({"provided_id": format!("c{n}"), "name": format!("Secret {n} Ltd"), "group_tags": ["eu"],
            "emails": [format!("{n}@secret.example")], "properties": {"plan": "secret"}, "access_group": "Production"}))
    });
    let mut api = Api::new(Store::new(customers), 7);
    api.behaviour = behaviour(flags);
    let sandbox = sandbox_of(api).await;
    let program = Program::default()
        .with("EXPLO_TOKEN", TOKEN)
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &sandbox.url())
        .with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "6000000");
    (sandbox, program)
}

async fn probed(program: &Program) -> (i32, Value) {
    let output = program.run(&["probe", "--yes", "--output", "json"]).await;
    assert!(!format!("{output:?}").contains("sandbox-token"), "{output:?}");
    (output.code, output.json())
}

/// The customers and tags.
fn state(sandbox: &Sandbox) -> String {
    let tags = sandbox.adjust(|api| api.store().tags().clone());
    serde_json::to_string(&(sandbox.customers(), tags)).unwrap()
}

/// Its answers that are not the usual ones; to one question it never has an answer.
fn unusual(report: &Value) -> String {
    let findings = report["findings"].as_array().unwrap().iter();
    let answers = findings.map(|finding| (finding["question"].as_str().unwrap(), finding["here"].as_str()));
    let unusual = answers.filter(|(question, here)| {
        let usual = USUAL.iter().find(|(known, _)| known == question).map(|(_, usual)| *usual);
        usual != *here && *question != "unknown_tags"
    });
    unusual.map(|(question, here)| format!("{question} {}", here.unwrap_or("-"))).collect::<Vec<_>>().join("; ")
}

#[rstest]
#[case::as_documented("", "", 19, "")]
#[case::page_size("--page-size-name page_size", "page_size page_size", 19, "")]
#[case::page_size_in_camel_case("--page-size-name pageSize", "page_size pageSize", 19, "")]
#[case::no_page_size("--page-size-name neither", "page_size neither", 19, "")]
#[case::small_pages("--largest-page 4", "", 20, "")]
#[case::unknown_parameters("--unknown-parameters refused", "unknown_parameters refused", 20, "")]
#[case::one_name_alone(
    "--unknown-parameters refused --page-size-name pageSize",
    "page_size pageSize; unknown_parameters refused",
    19,
    ""
)]
#[case::no_name_at_all(
    "--unknown-parameters refused --page-size-name neither",
    "page_size neither; unknown_parameters refused",
    19,
    ""
)]
#[case::count("--total count", "total count", 19, "")]
#[case::count_as_well("--total both", "total both", 19, "")]
#[case::no_total("--total missing", "total missing; counted -", 19, "explo.trust_total=false")]
#[case::no_total_and_no_end("--total missing --past-end first", "total missing; counted -; past_end first", 19, "")]
#[case::total_too_high("--total-plus 3000", "counted more", 20, "explo.trust_total=false")]
#[case::total_too_high_and_repeated("--total-plus 3000 --past-end first", "counted more; past_end first", 20, "")]
#[case::total_too_low("--total-plus -1", "counted fewer", 19, "")]
#[case::past_end_empty("--past-end empty", "past_end empty", 19, "")]
#[case::past_end_first("--past-end first", "past_end first", 19, "")]
#[case::past_end_last("--past-end last", "past_end last", 19, "")]
#[case::newest_first("--order newest --largest-page 4", "", 20, "")]
#[case::shuffled("--order shuffled", "", 19, "")]
#[case::shuffled_pages("--order shuffled --largest-page 5", "", 20, "")]
#[case::no_v2(
    "--v2 missing",
    "listing v1; page_size -; unknown_parameters -; total -; counted -; past_end -",
    17,
    r#"explo.listing="v1""#
)]
#[case::camel_case("--keys camel", "keys camel", 19, "")]
#[case::snake_listed("--property-keys snake-listed", "property_keys snake-listed", 19, "")]
#[case::camel_listed("--property-keys camel-listed", "property_keys camel-listed", 19, "")]
#[case::snake_everywhere("--property-keys snake", "property_keys snake", 19, "")]
#[case::camel_everywhere("--property-keys camel", "property_keys camel", 19, "")]
#[case::mapping_numbers("--mapping-values numbers", "mapping_values numbers", 19, "")]
#[case::nothing_to_see("--empty-objects null --level-shown missing --access-group null --success true", "", 19, "")]
#[case::refused_with_200("--failure-shape ok", "unknown_id 200", 19, "")]
#[case::refused_in_html("--failure-shape html", "refusal text", 19, "")]
#[case::refused_in_another_shape("--failure-shape unknown", "refusal json", 19, "")]
#[case::refused_with_a_mark("--refusal-mark request-id", "", 19, "")]
#[case::unknown_400("--unknown-id 400", "unknown_id 400", 19, "")]
#[case::unknown_200("--unknown-id 200", "unknown_id 200", 19, "")]
#[case::unknown_500("--unknown-id 500", "unknown_id 500", 27, "")]
#[case::emails_added("--emails merge", "emails merge", 19, r#"fields.emails="add""#)]
#[case::properties_added("--properties merge", "properties merge", 19, "")]
#[case::mapping_added("--mapping merge", "mapping merge", 19, "")]
#[case::trimmed("--spaces trimmed", "spaces trimmed", 19, "")]
#[case::collapsed("--spaces collapsed", "spaces collapsed", 19, "")]
#[case::cut("--cut-at 255", "long_name cut", 19, "")]
#[case::cut_short("--cut-at 20", "long_name cut", 19, "")]
#[case::too_long("--longest-name 255", "long_name refused", 19, "")]
#[case::too_large("--largest-body 1000", "long_name refused", 19, "")]
#[case::lower_case("--address-case lower", "address_case lower", 19, "")]
#[case::composed("--unicode nfc", "unicode nfc", 19, "")]
#[case::escaped("--markup escaped", "markup escaped", 19, "")]
#[case::doubles("--numbers doubles", "numbers doubles", 19, "")]
#[case::folded("--ids folded", "ids folded", 19, "")]
#[case::padded("--ids trimmed", "ids trimmed", 19, "")]
#[case::updated("--existing updated", "existing updated", 19, "")]
#[case::no_tag_calls("--tag-calls missing", "tag_calls missing", 19, "")]
#[case::tags_made("--unknown-tags made", "", 19, "")]
#[case::cleared("--nulls cleared", "nulls cleared", 19, "")]
#[case::gone("--gone success", "gone success", 19, "")]
#[case::levels("--levels Root,Customer", "", 19, "")]
#[case::all_texts(
    "--spaces trimmed --unicode nfc --markup escaped --numbers doubles --address-case lower",
    "address_case lower; spaces trimmed; unicode nfc; markup escaped; numbers doubles",
    19,
    ""
)]
#[case::all_merged(
    "--emails merge --properties merge --mapping merge --keys camel --total count",
    "total count; keys camel; emails merge; properties merge; mapping merge",
    19,
    r#"fields.emails="add""#
)]
#[tokio::test]
async fn it_finds_what_the_switch_says(
    #[case] flags: &str,
    #[case] answers: &str,
    #[case] calls: usize,
    #[case] follows: &str,
) {
    let (sandbox, program) = explo(flags).await;
    let before = state(&sandbox);
    let (code, report) = probed(&program).await;
    assert_eq!(code, 0, "{report}");
    assert_eq!(unusual(&report), answers);
    let settings = report["settings"].as_array().unwrap().iter();
    let settings = settings.map(|one| format!("{}={}", one["key"].as_str().unwrap(), one["value"].as_str().unwrap()));
    assert_eq!(settings.collect::<Vec<_>>().join(" "), follows);
    let made = sandbox.take_calls();
    assert_eq!((made.len(), &report["calls"]), (calls, &json!(calls)), "{:?}", endpoints(&made));
    assert_eq!(state(&sandbox), before);
    for write in writes(&made) {
        let id = report["provided_id"].as_str().unwrap();
        assert!(write.body.contains(id) || write.path == "/api/delete_customer/", "{write:?}");
    }
}

/// With them a run plans, where it did not without them.
#[rstest]
#[case("--total missing")]
#[case("--total-plus 3000")]
#[case("--v2 missing")]
#[case("--emails merge")]
#[tokio::test]
async fn the_settings_that_follow_are_keys_and_help(#[case] flags: &str) {
    let tenants = [json!({"provided_id": "a", "name": "Ann", "emails": ["a@a.example"]})];
    let world = World::of(tenants).derived().each(|one| one.emails.push("old@a.example".to_owned()));
    let (_database, _sandbox, mut program) = world.behaving(flags).start().await;
    assert_ne!(program.sync(&["--dry-run", "--exit-code"]).await.0, 0);
    let output = program.run(&["probe", "--yes"]).await;
    assert!(output.code == 0 && output.stdout.contains("The settings that follow:\n"), "{output:?}");
    let (_, report) = probed(&program).await;
    for setting in report["settings"].as_array().unwrap() {
        let (key, value) = (setting["key"].as_str().unwrap(), setting["value"].as_str().unwrap().trim_matches('"'));
        program = program.with(&format!("EXPLO_SYNC__{}", key.to_uppercase().replace('.', "__")), value);
    }
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["error"]), (0, &Value::Null), "{report}");
}

#[tokio::test]
async fn a_small_explo_leaves_open_what_only_others_show() {
    let (sandbox, program) = explo("").await;
    sandbox.change(|store| *store = Store::default());
    let (code, report) = probed(&program).await;
    assert_eq!((code, &*unusual(&report)), (0, "page_size -"), "{report}");
    assert!(sandbox.customers().is_empty());
}

#[tokio::test]
async fn the_table_has_a_row_for_each_question_and_fits_a_terminal() {
    let (_sandbox, program) = explo("--longest-name 100 --failure-shape html").await;
    let output = program.run(&["probe", "--yes"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    for (question, _) in USUAL {
        let rows = output.stdout.lines().filter(|line| line.split(' ').next() == Some(question)).count();
        assert_eq!(rows, 1, "{question} in {}", output.stdout);
    }
    for line in output.stdout.lines() {
        assert!(line.chars().count() <= 100 && line.trim_end() == line, "{line:?}");
    }
    assert!(output.stdout.contains("not tried, because a tag"), "{}", output.stdout);
}

#[tokio::test]
async fn its_json_can_be_sent_with_a_bug_report() {
    let (sandbox, program) = explo("--longest-name 255").await;
    let output = program.run(&["-vv", "probe", "--yes", "--output", "json"]).await;
    let report = output.json();
    let top =
        ["calls", "error", "exit", "findings", "leftovers", "program", "provided_id", "removed", "settings", "version"];
    assert_eq!(keys(&report), top);
    assert_eq!(report["findings"].as_array().unwrap().len(), USUAL.len() + 1);
    for finding in report["findings"].as_array().unwrap() {
        assert_eq!(keys(finding), ["detail", "documented", "effect", "here", "question"]);
    }
    let long =
        report["findings"].as_array().unwrap().iter().find(|finding| finding["question"] == "long_name").unwrap();
    assert!(long["detail"].as_str().unwrap().contains("has more than 255 characters"), "{long}");
    assert_eq!((&report["removed"], &report["error"], &report["exit"]), (&json!(true), &Value::Null, &json!(0)));
    let (shown, url) = (format!("{output:?}"), sandbox.url());
    for secret in ["ecret", "sandbox-token", TOKEN] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(!output.stdout.contains(&url), "{}", output.stdout);
}

#[tokio::test]
async fn off_a_terminal_it_takes_a_yes_and_on_one_it_asks() {
    let (sandbox, program) = explo("").await;
    let output = program.run(&["probe"]).await;
    assert!(output.code == 64 && output.stderr.contains("--yes"), "{output:?}");
    let shown = program.on_terminal("probe").await;
    assert!(shown.contains("Begin? [y/N]") && shown.contains("nothing was done"), "{shown}");
    assert!(sandbox.take_calls().is_empty());
    let shown = program.on_terminal("probe --yes").await;
    assert!(shown.contains("is deleted again; 19 calls") && shown.contains("\u{1b}[32mboth"), "{shown}");
}

#[tokio::test]
async fn it_needs_a_token_and_no_source() {
    let (sandbox, program) = explo("").await;
    let output = program.clone().with("EXPLO_TOKEN", "").run(&["probe", "--yes", "--output", "json"]).await;
    assert!(output.code == 78 && output.stderr.contains("EXPLO_TOKEN"), "{output:?}");
    assert_eq!(keys(&output.json()), ["error", "exit", "version"]);
    assert!(sandbox.take_calls().is_empty());
    sandbox.adjust(|api| api.token = Some("another".to_owned()));
    let (code, report) = probed(&program).await;
    assert_eq!((code, &report["removed"], endpoints(&sandbox.take_calls())), (77, &json!(true), vec!["get_customer"]));
}

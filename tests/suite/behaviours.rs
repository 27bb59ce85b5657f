//! Every way in which Explo may behave: the program converges, or tells what does not settle, and sends it no more.

use std::{collections::BTreeSet, time::Duration};

use explo_sync::sandbox::{Api, Sandbox, Store, StoredCustomer};
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use crate::support::{Database, Kind, Program, World, behaviour, body, customer, sandbox_of, writes};

const QUERY: &str = "select id as provided_id, name, emails, tags as group_tags, properties, mapping, \
                     demo as is_demo_group, level as hierarchy_level_name from tenants";

/// Tenants, in the order of the columns: one to create, three to update, the others equal.
const TENANTS: &str = r#"
    ('new', 'New', '["new@t.example"]', '["eu"]', '{"plan":"pro"}', '{"40":"213"}', 0, 'Customer'),
    ('moved', 'Moved', '["moved@t.example"]', '["eu"]', '{"plan":"pro"}', '{"40":"213"}', 1, 'Customer'),
    ('spaced', ' Spaced ', null, null, null, null, 0, null),
    ('long', 'Longer than twenty characters', null, null, null, null, 0, null),
    ('parent', 'Parent', '["parent@t.example"]', '["eu"]', '{"plan":"pro"}', '{"40":"213"}', 0, null),
    ('child', 'Child', null, null, null, null, 0, null),
    ('camel', 'Camel', null, null, '{"filterValue":1}', null, 0, null),
    ('snake', 'Snake', null, null, '{"filter_value":1}', null, 0, null)"#;

/// So many tenants more that are equal: enough for a second page.
const EQUAL: usize = 20;

/// What a row of the table may add.
const FURTHER: [(&str, &str); 4] = [
    ("hidden", "('hidden', 'Hidden', '[\"hidden@t.example\"]', null, null, null, 0, null)"),
    ("tagged", "('tagged', 'Tagged', null, '[\"unknown\"]', null, null, 0, null)"),
    ("folded", "('MOVED', 'Folded', null, null, null, null, 0, null)"),
    ("padded", "(' padded', 'Padded', null, null, null, null, 0, null)"),
];

/// Where neither of the two could be written.
const MOVED_NOT: &str = "moved emails; moved group_tags; moved hierarchy_level_name; moved is_demo_group; moved mapping; \
                         moved name; moved properties; new there 0 times";

/// The switches as the command line has them.
/// Both sides, the sandbox behaving so, and the program between them. What is added is one of [`FURTHER`], or a key of the
/// section `explo` with its value.
async fn sides(flags: &str, further: &str) -> (Database, Sandbox, Program) {
    let database = Database::new(Kind::Sqlite).await;
    let added = further.split_whitespace().filter_map(|word| FURTHER.iter().find(|(name, _)| *name == word));
    let equal = (0..EQUAL).map(|n| format!("('e{n:02}', 'Equal', null, null, null, null, 0, null)"));
    let rows: Vec<_> =
        [TENANTS.to_owned()].into_iter().chain(added.map(|(_, row)| (*row).to_owned())).chain(equal).collect();
    let columns = "id text, name text, emails text, tags text, properties text, mapping text, demo int, level text";
    database.execute(&format!("create table tenants ({columns}); insert into tenants values {}", rows.join(","))).await;

    let full = json!({"plan": "pro"});
    let mut held = vec![
        json!({"provided_id": "moved", "name": "Before", "emails": ["former@t.example"], "group_tags": ["us"],
               "properties": {"plan": "free", "gone": 1}, "hierarchy_level": "Root",
               "parent_schema_datasource_mapping": {"40": "1", "41": "2"}}),
        json!({"provided_id": "spaced", "name": "Before"}),
        json!({"provided_id": "long", "name": "Before"}),
        json!({"provided_id": "parent", "name": "Parent", "emails": ["parent@t.example"], "group_tags": ["eu"],
               "properties": full, "parent_schema_datasource_mapping": {"40": "213"}}),
        json!({"provided_id": "child", "name": "Child", "parent_provided_id": "parent"}),
        json!({"provided_id": "camel", "name": "Camel", "properties": {"filterValue": 1}}),
        json!({"provided_id": "snake", "name": "Snake", "properties": {"filter_value": 1}}),
        json!({"name": "without an id"}),
    ];
    held.extend((1..=3).map(|n| json!({"provided_id": format!("stranger-{n}"), "name": "made by hand"})));
    held.extend((0..EQUAL).map(|n| json!({"provided_id": format!("e{n:02}"), "name": "Equal"})));
    if further.contains("hidden") {
        held.push(json!({"provided_id": "hidden", "name": "Before"}));
    }
    for one in &mut held {
        one["access_group"] = json!("Production");
    }
    let mut store = Store::new(held.into_iter().map(customer));
    store.hide(["hidden".to_owned()]);
    let mut api = Api::new(store, 7);
    api.behaviour = behaviour(flags);
    let sandbox = sandbox_of(api).await;
    // One page at a time, so that what others do meanwhile is always the same.
    let mut program = Program::between(&database, &sandbox, QUERY).with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1");
    for (key, value) in further.split_whitespace().filter_map(|word| word.split_once('=')) {
        program = program.with(&format!("EXPLO_SYNC__EXPLO__{key}"), value);
    }
    (database, sandbox, program)
}

/// The ids and fields in which the sandbox is not what is wanted.
fn amiss(sandbox: &Sandbox, further: &str) -> String {
    let mut amiss = BTreeSet::new();
    let customers = sandbox.customers();
    let added = FURTHER.iter().filter(|(name, _)| further.split_whitespace().any(|word| word == *name));
    let rows = TENANTS.lines().skip(1).chain(added.map(|(_, row)| *row));
    for row in rows {
        let row =
            row.trim().trim_start_matches('(').trim_end_matches(',').trim_end_matches(')').replace("null", "'null'");
        let values: Vec<_> = row.split(", ").map(|value| value.trim_matches('\'')).collect();
        let [id, name, emails, tags, properties, mapping, demo, level] = values[..] else { panic!("{row}") };
        let held: Vec<_> = customers.iter().filter(|customer| customer.provided_id.as_deref() == Some(id)).collect();
        let [held] = held[..] else {
            amiss.insert(format!("{id} there {} times", held.len()));
            continue;
        };
        let held = serde_json::to_value(held).unwrap();
        let json = |text: &str, null: &str| -> Value {
            serde_json::from_str(if text == "null" { null } else { text }).unwrap()
        };
        let filled = |field: &str, null: Value| if held[field].is_null() { null } else { held[field].clone() };
        let fields = [
            ("name", held["name"] == json!(name)),
            ("emails", held["emails"] == json(emails, "[]")),
            ("group_tags", held["group_tags"] == json(tags, "[]")),
            ("properties", filled("properties", json!({})) == json(properties, "{}")),
            ("mapping", mapping == "null" || held["parent_schema_datasource_mapping"] == json(mapping, "{}")),
            ("is_demo_group", held["is_demo_group"] == json!(demo == "1")),
            ("hierarchy_level_name", level == "null" || held["hierarchy_level"] == json!(level)),
        ];
        amiss.extend(fields.into_iter().filter(|(_, is_equal)| !is_equal).map(|(field, _)| format!("{id} {field}")));
    }
    amiss.into_iter().collect::<Vec<_>>().join("; ")
}

/// What did not settle and what failed, in a report.
fn told(report: &Value) -> String {
    let unsettled = report["unsettled"].as_array().into_iter().flatten();
    let unsettled =
        unsettled.map(|one| ["provided_id", "field", "rule"].map(|key| one[key].as_str().unwrap()).join(" "));
    let changes = report["changes"].as_array().into_iter().flatten();
    let failed = changes
        .filter(|change| change["outcome"] == "failed")
        .map(|change| format!("{} failed", change["provided_id"].as_str().unwrap()));
    unsettled.chain(failed).collect::<Vec<_>>().join("; ")
}

#[rstest]
#[case::as_documented("", "", (0, 0), 0, "", "")]
#[case::page_size("--page-size-name page_size", "", (0, 0), 0, "", "")]
#[case::page_size_in_camel_case("--page-size-name pageSize", "", (0, 0), 0, "", "")]
#[case::no_page_size("--page-size-name neither", "", (0, 0), 0, "", "")]
#[case::small_pages("--largest-page 7", "", (0, 0), 0, "", "")]
#[case::unknown_parameters("--unknown-parameters refused", "", (0, 0), 0, "", "")]
#[case::count("--total count", "", (0, 0), 0, "", "")]
#[case::count_as_well("--total both", "", (0, 0), 0, "", "")]
#[case::no_total("--total missing", "", (1, 1), 0, "", "all")]
#[case::no_total_and_none_trusted("--total missing", "TRUST_TOTAL=false", (0, 0), 0, "", "")]
#[case::total_of_all("--total-of all", "hidden", (1, 1), 0, "", "all")]
#[case::total_of_all_and_none_trusted("--total-of all", "hidden TRUST_TOTAL=false", (0, 0), 1, "", "")]
#[case::total_too_high("--total-plus 3000", "", (1, 1), 0, "", "all")]
#[case::total_too_high_and_none_trusted("--total-plus 3000", "TRUST_TOTAL=false", (0, 0), 0, "", "")]
#[case::total_too_high_of_small_pages("--total-plus 3000 --largest-page 7 --past-end empty", "TRUST_TOTAL=false", (0, 0), 0, "", "")]
#[case::total_too_low("--total-plus -1", "", (0, 0), 0, "", "")]
#[case::empty_page("--past-end empty", "", (0, 0), 0, "", "")]
#[case::newest_first("--order newest", "", (0, 0), 0, "", "")]
#[case::shuffled("--order shuffled", "", (0, 0), 0, "", "")]
#[case::others_add("--churn add", "", (0, 0), 0, "", "")]
#[case::others_delete("--churn delete", "", (0, 0), 0, "", "")]
#[case::others_rename("--churn rename", "", (0, 0), 0, "", "")]
#[case::others_touch("--churn touch", "", (0, 0), 0, "", "")]
#[case::others_reorder("--churn reorder", "", (0, 0), 0, "", "")]
#[case::others_rarely("--churn add,delete,rename,touch,reorder --churn-every 2", "", (0, 0), 0, "", "")]
#[case::descendants("--parent-filter descendants", "", (0, 0), 0, "", "")]
#[case::filters_in_the_body("--v1-filters body", "LISTING=v1", (0, 0), 0, "", "")]
#[case::no_v2("--v2 missing", "", (1, 1), 0, "", "all")]
#[case::no_v2_and_v1_asked("--v2 missing", "LISTING=v1", (0, 0), 0, "", "")]
#[case::camel_case("--keys camel", "", (0, 0), 0, "", "")]
#[case::snake_listed("--property-keys snake-listed", "", (0, 0), 0, "", "")]
#[case::camel_listed("--property-keys camel-listed", "", (0, 0), 0, "", "")]
#[case::snake_everywhere("--property-keys snake", "", (3, 3), 1, "camel properties re-cased", "")]
#[case::camel_everywhere("--property-keys camel", "", (3, 3), 1, "snake properties re-cased", "")]
#[case::inherited_listed("--inherited-tags listed", "", (0, 0), 1, "", "")]
#[case::inherited_everywhere("--inherited-tags everywhere", "", (3, 3), 1, "child group_tags inherited", "")]
#[case::numbers("--mapping-values numbers", "", (0, 0), 0, "", "")]
#[case::null_for_empty("--empty-objects null", "", (0, 0), 0, "", "")]
#[case::braces_for_empty("--empty-objects braces", "", (0, 0), 0, "", "")]
#[case::level_null("--level-shown null", "", (3, 3), 2, "moved hierarchy_level_name changed by Explo; new hierarchy_level_name changed by Explo", "")]
#[case::level_missing("--level-shown missing", "", (3, 3), 2, "moved hierarchy_level_name changed by Explo; new hierarchy_level_name changed by Explo", "")]
#[case::success_is_true("--success true", "", (0, 0), 0, "", "")]
#[case::refused("--tag-calls missing", "tagged", (3, 3), 1, "tagged failed", "tagged there 0 times")]
#[case::refused_with_200("--tag-calls missing --failure-shape ok", "tagged", (3, 3), 1, "tagged failed", "tagged there 0 times")]
#[case::refused_in_html("--tag-calls missing --failure-shape html", "tagged", (3, 3), 1, "tagged failed", "tagged there 0 times")]
#[case::refused_in_another_shape("--tag-calls missing --failure-shape unknown", "tagged", (3, 3), 1, "tagged failed", "tagged there 0 times")]
#[case::slash("--missing-slash 301", "", (0, 0), 0, "", "")]
#[case::emails_added("--emails merge", "", (3, 3), 1, "moved emails added, not replaced", "moved emails")]
#[case::properties_added("--properties merge", "", (3, 3), 1, "moved properties added, not replaced", "moved properties")]
#[case::mapping_added("--mapping merge", "", (3, 3), 1, "moved mapping added, not replaced", "moved mapping")]
#[case::trimmed("--spaces trimmed", "", (3, 3), 1, "spaced name trimmed", "spaced name")]
#[case::cut("--cut-at 20", "", (3, 3), 1, "long name cut", "long name")]
#[case::folded("--ids folded", "folded", (3, 3), 1, "MOVED failed", "MOVED there 0 times")]
#[case::padded("--ids trimmed", "padded", (3, 3), 1, " padded failed", " padded there 0 times")]
#[case::hidden("", "hidden", (0, 0), 1, "", "")]
#[case::hidden_and_updated("--existing updated", "hidden", (0, 0), 1, "", "")]
#[case::hidden_and_unknown("--hidden unknown", "hidden", (3, 3), 2, "hidden failed", "hidden emails; hidden name")]
#[case::no_such_tag("", "tagged", (3, 3), 0, "", "tagged there 0 times")]
#[case::no_such_tag_in_camel_case("--keys camel --success true", "tagged", (3, 3), 0, "", "tagged there 0 times")]
#[case::tags_made("--unknown-tags made --tag-calls missing", "tagged", (0, 0), 0, "", "")]
#[case::nulls("--nulls cleared", "", (0, 0), 0, "", "")]
#[case::levels("--levels Root,Customer", "", (0, 0), 0, "", "")]
#[case::no_such_level("--levels Root", "", (3, 3), 2, "new failed; moved failed", MOVED_NOT)]
#[case::combined_writes("--emails merge --spaces trimmed --cut-at 20", "", (3, 3), 3, "long name cut; moved emails added, not replaced; spaced name trimmed", "long name; moved emails; spaced name")]
#[case::combined_merges("--emails merge --properties merge --mapping merge --keys camel", "", (3, 3), 1, "moved emails added, not replaced; moved properties added, not replaced; moved mapping added, not replaced", "moved emails; moved mapping; moved properties")]
#[case::combined_styles("--property-keys snake --properties merge --keys camel --success true", "", (3, 3), 2, "camel properties re-cased; moved properties added, not replaced", "moved properties")]
#[case::combined_answers("--tag-calls missing --keys camel --success true --failure-shape ok --empty-objects null --mapping-values numbers", "tagged", (3, 3), 1, "tagged failed", "tagged there 0 times")]
#[case::one_size_known("--page-size-name page_size --unknown-parameters refused", "", (0, 0), 0, "", "")]
#[case::the_other_size_known("--page-size-name pageSize --unknown-parameters refused --keys camel --total count", "", (0, 0), 0, "", "")]
#[case::no_size_known("--page-size-name neither --unknown-parameters refused --keys camel --total count", "", (0, 0), 0, "", "")]
#[case::no_size_no_total("--page-size-name neither --total missing --past-end empty", "TRUST_TOTAL=false", (0, 0), 0, "", "")]
#[case::last_page_full("--largest-page 31 --total missing", "TRUST_TOTAL=false", (0, 0), 0, "", "")]
#[case::last_page_full_then_empty("--largest-page 31 --total missing --past-end empty", "TRUST_TOTAL=false", (0, 0), 0, "", "")]
#[case::shuffled_pages("--order shuffled --largest-page 16", "", (0, 0), 0, "", "")]
#[case::pages_with_churn("--churn add,delete,rename,touch,reorder --churn-every 3 --largest-page 7", "", (0, 0), 0, "", "")]
#[case::pages_that_shrink("--churn delete --largest-page 7", "", (0, 0), 0, "", "")]
#[case::v1_in_camel_case("--v2 missing --keys camel --success true --order shuffled", "LISTING=v1", (0, 0), 0, "", "")]
#[tokio::test]
async fn a_run_converges_or_tells_what_does_not_settle(
    #[case] flags: &str,
    #[case] further: &str,
    #[case] codes: (i32, i32),
    #[case] again: usize,
    #[case] unsettled: &str,
    #[case] not_wanted: &str,
) {
    let (_database, sandbox, program) = sides(flags, further).await;
    let not_wanted = if not_wanted == "all" { amiss(&sandbox, further) } else { not_wanted.to_owned() };
    let (first, report) = program.sync(&[]).await;
    drop(sandbox.take_calls());
    let (second, _) = program.sync(&[]).await;
    let calls = sandbox.take_calls();
    let seen = ((first, second), writes(&calls).len(), told(&report), amiss(&sandbox, further));
    assert_eq!(seen, (codes, again, unsettled.to_owned(), not_wanted), "{flags}: {report}");
}

/// What a daemon meets, how the tenant's side is changed then, and how Explo's.
struct Watched {
    flags: &'static str,
    id: &'static str,
    /// As it is sent.
    field: &'static str,
    sql: &'static str,
    meddle: fn(&mut StoredCustomer),
    /// The writes: at first, after either change.
    writes: [usize; 3],
    /// The exit codes of the runs; equal ones in a row are one.
    exits: &'static [u64],
}

const WATCHED: [Watched; 8] = [
    Watched {
        flags: "--emails merge",
        id: "moved",
        field: "emails",
        sql: "emails = '[\"other@t.example\"]'",
        meddle: |held| held.emails.push("third@t.example".to_owned()),
        writes: [1, 1, 1],
        exits: &[3],
    },
    Watched {
        flags: "--inherited-tags everywhere",
        id: "child",
        field: "group_tags",
        sql: "tags = '[\"us\"]'",
        meddle: |held| held.group_tags = Vec::new(),
        writes: [1, 1, 1],
        exits: &[3],
    },
    // Here the write changes what is listed, so that a second one has to show that it does not help.
    Watched {
        flags: "--inherited-tags listed",
        id: "child",
        field: "group_tags",
        sql: "tags = '[\"us\"]'",
        meddle: |held| held.group_tags = Vec::new(),
        writes: [1, 2, 2],
        exits: &[0, 3, 0, 3, 0, 3],
    },
    Watched {
        flags: "--spaces trimmed",
        id: "spaced",
        field: "name",
        sql: "name = ' Other '",
        meddle: |held| held.name = "Meddled".into(),
        writes: [1, 1, 1],
        exits: &[3, 0, 3, 0, 3, 0],
    },
    Watched {
        flags: "--cut-at 20",
        id: "long",
        field: "name",
        sql: "name = 'Still longer than twenty characters'",
        meddle: |held| held.name = "Meddled".into(),
        writes: [1, 1, 1],
        exits: &[3, 0, 3, 0, 3, 0],
    },
    Watched {
        flags: "--property-keys snake",
        id: "camel",
        field: "properties",
        sql: "properties = '{\"filterValue\":2}'",
        meddle: |held| held.properties = customer(json!({"properties": {"other": 3}})).properties,
        writes: [1, 1, 1],
        exits: &[3, 0, 3, 0, 3, 0],
    },
    Watched {
        flags: "--mapping merge",
        id: "moved",
        field: "mapping",
        sql: "mapping = '{\"40\":\"9\"}'",
        meddle: |held| drop(held.parent_schema_datasource_mapping.as_mut().and_then(|members| members.remove("40"))),
        writes: [1, 1, 1],
        exits: &[3, 0, 3, 0, 3, 0],
    },
    // What is never shown can't be seen to change.
    Watched {
        flags: "--level-shown missing",
        id: "moved",
        field: "hierarchy_level_name",
        sql: "level = 'Root'",
        meddle: |held| held.hierarchy_level = Some("Meddled".to_owned()),
        writes: [1, 1, 0],
        exits: &[3, 0, 3, 0],
    },
];

#[tokio::test]
async fn a_daemon_writes_what_does_not_settle_once_until_either_side_changes() {
    join_all(WATCHED.iter().map(watch)).await;
}

async fn watch(watched: &Watched) {
    let Watched { flags, id, field, .. } = watched;
    let (database, sandbox, program) = sides(flags, "").await;
    let program =
        program.with("EXPLO_SYNC__SCHEDULE__CRON", "* * * * * *").with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0");
    let mut daemon = program.watch(&["run", "--log-format", "json"]);
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines();
    let mut says = async |part: &str| loop {
        let line = timeout(Duration::from_secs(20), lines.next_line()).await.unwrap().unwrap().unwrap();
        if line.contains(part) {
            break serde_json::from_str::<Value>(&line).unwrap();
        }
    };
    let address = says("ops server listens").await["address"].as_str().unwrap().to_owned();
    let mut written = Vec::new();
    for phase in 0..3 {
        match phase {
            0 => {}
            1 => database.execute(&format!("update tenants set {} where id = '{id}'", watched.sql)).await,
            _ => sandbox.change(|store| (watched.meddle)(store.customer(id).unwrap())),
        }
        // The first of them may have been under way.
        for _ in 0..4 {
            says("run ended").await;
        }
        let calls = sandbox.take_calls();
        let sent = writes(&calls).into_iter().map(body);
        written.push(sent.filter(|sent| sent["provided_id"] == *id && !sent[*field].is_null()).count());
    }
    let status = reqwest::get(format!("http://{address}/status")).await.unwrap().text().await.unwrap();
    let status: Value = serde_json::from_str(&status).unwrap();
    let runs = status["last_runs"].as_array().unwrap().iter().rev();
    let mut exits: Vec<_> = runs.map(|run| run["exit"].as_u64().unwrap()).collect();
    exits.dedup();
    assert_eq!((&written[..], &exits[..]), (&watched.writes[..], watched.exits), "{flags}: {status}");
}

#[tokio::test]
async fn after_three_strikes_a_field_alone_is_sent_no_more_and_the_spared_are_named() {
    let ids: Vec<_> = (0..30).map(|n| format!("t{n:02}")).collect();
    let tenant = |id| json!({"provided_id": id, "name": "After", "emails": [format!("{id}@t.example")]});
    let world = World::of(ids.iter().map(tenant)).derived().behaving("--emails merge").each(|customer| {
        customer.name = "Before".into();
        customer.emails.push("former@t.example".to_owned());
    });
    let (_database, sandbox, program) = world.with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "4").start().await;
    let (code, report) = program.sync(&["--allow", "update=30"]).await;
    let calls = sandbox.take_calls();
    let sent: Vec<_> = writes(&calls).into_iter().map(body).collect();
    let with_emails = sent.iter().filter(|sent| !sent["emails"].is_null()).count();
    assert!((3..=3 + 3).contains(&with_emails), "{with_emails} updates carried addresses");
    assert_eq!((code, sent.len()), (3, 30), "{report}");
    assert!(sent.iter().all(|sent| sent["name"] == "After"), "the other field is sent all the same");
    assert!(sandbox.customers().iter().all(|held| held.name == "After"));
    let named: Vec<_> =
        ids.iter().map(|id| json!({"provided_id": id, "field": "emails", "rule": "added, not replaced"})).collect();
    assert_eq!(report["unsettled"], json!(named));
    assert_eq!(report["outcomes"], json!({"applied": 0, "failed": 0, "unsettled": 30, "deferred": 0}));
}

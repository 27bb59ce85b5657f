//! The page of a dry run: what it shows, what it leaves out, and that foreign text is only text.

use std::fs;

use base64::{Engine, prelude::BASE64_STANDARD};
use explo_sync::sandbox::Sandbox;
use html5gum::{DefaultEmitter, Token, Tokenizer};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser;
use crate::support::{Database, Kind, Program, customer, endpoints, sandbox, writes};

const QUERY: &str = r#"select id as provided_id, name, emails, plan as "properties.plan" from tenants"#;

/// Text that would be more than text if it were not escaped.
const HOSTILE: [&str; 8] = [
    "</script><script>document.title = 'taken'</script>",
    "<img src=x onerror=\"document.title = 'taken'\">",
    "<!--<script>",
    "\u{202e}gnp.exe",
    "a\u{2028}b\u{2029}c\u{feff}",
    "\" autofocus onfocus='document.title = `taken`' & &lt; &#60; ]]>",
    "{{script}} \\u003c \\ {\"name\":[",
    "</title></textarea></style><style>*{display:none}</style>",
];

/// Of each text: a tenant to create, one to update, one that is invalid, and an orphan.
async fn sides(texts: &[&str]) -> (Database, Sandbox, Program) {
    let database = Database::new(Kind::Sqlite).await;
    database.execute("create table tenants (id text, name text, emails text, plan text)").await;
    let mut customers = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        let quoted = text.replace('\'', "''");
        let emails = json!([format!("{n}@acme.example"), text]).to_string().replace('\'', "''");
        database
            .execute(&format!(
                "insert into tenants values
                 ('create {n} {quoted}', '{quoted}', '{emails}', '{quoted}'),
                 ('update {n} {quoted}', '{quoted} Ltd', '{emails}', '{quoted}'),
                 ('invalid {n} {quoted}', null, null, null)"
            ))
            .await;
        customers.push(json!({
            "provided_id": format!("update {n} {text}"), "name": format!("{text} Limited"),
            "emails": [format!("{n}@former.example")], "properties": {"plan": "former", "other": 1},
        }));
        customers.push(json!({"provided_id": format!("orphan {n} {text}"), "name": text}));
    }
    let sandbox = sandbox(customers.into_iter().map(customer)).await;
    let program = Program::between(&database, &sandbox, QUERY)
        .with("EXPLO_SYNC__GUARD__FLOOR", "2")
        .with("EXPLO_SYNC__GUARD__PERCENT", "0");
    (database, sandbox, program)
}

async fn page(program: &Program, more: &[&str]) -> String {
    let output = program.run(&[&["sync", "--dry-run", "--output", "html"], more].concat()).await;
    assert_eq!(output.code, 0, "{output:?}");
    output.stdout
}

/// What a browser makes of a page.
#[derive(Default)]
struct Parsed {
    /// Each tag with the names of its attributes.
    tags: Vec<String>,
    /// The values of attributes, by name.
    attributes: Vec<(String, String)>,
    /// The text outside of scripts and styles.
    text: String,
    /// The changes.
    data: Value,
    script: String,
    style: String,
}

fn parsed(page: &str) -> Parsed {
    let (mut parsed, mut open, mut data) = (Parsed::default(), String::new(), String::new());
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    for Ok(token) in Tokenizer::new_with_emitter(page, emitter) {
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                let attributes = tag.attributes.iter().map(|(name, value)| {
                    let [name, value] = [name, &**value].map(|text| String::from_utf8_lossy(text).into_owned());
                    (name, value)
                });
                let attributes: Vec<_> = attributes.collect();
                let names: Vec<_> = attributes.iter().map(|(name, _)| name.as_str()).collect();
                parsed.tags.push(format!("{name} {}", names.join(" ")));
                let is_data = attributes.contains(&("id".to_owned(), "data".to_owned()));
                open = if is_data { "data".to_owned() } else { name };
                parsed.attributes.extend(attributes);
            }
            Token::EndTag(tag) => {
                parsed.tags.push(format!("/{}", String::from_utf8_lossy(&tag.name)));
                open.clear();
                parsed.text.push(' ');
            }
            Token::String(text) => match &*open {
                "data" => data.push_str(&String::from_utf8_lossy(&text)),
                "script" => parsed.script.push_str(&String::from_utf8_lossy(&text)),
                "style" => parsed.style.push_str(&String::from_utf8_lossy(&text)),
                _ => parsed.text.push_str(&String::from_utf8_lossy(&text)),
            },
            Token::Comment(_) => panic!("a comment in {page}"),
            Token::Doctype(_) => {}
            Token::Error(error) => panic!("{error:?} in {page}"),
        }
    }
    parsed.data = if data.is_empty() { json!([]) } else { serde_json::from_str(&data).unwrap() };
    parsed
}

#[tokio::test]
async fn a_page_is_for_a_dry_run_alone() {
    let (_database, sandbox, program) = sides(&["Ann"]).await;
    let output = program.run(&["sync", "--output", "html"]).await;
    assert_eq!((output.code, &*output.stdout), (64, ""), "{output:?}");
    assert!(output.stderr.contains("--output html is a page of a plan: add --dry-run"), "{}", output.stderr);
    assert_eq!(sandbox.take_calls(), []);
}

#[tokio::test]
async fn without_a_plan_nothing_is_on_stdout() {
    let (_database, _sandbox, program) = sides(&["Ann"]).await;
    for (name, value, code) in
        [("EXPLO_SYNC__SOURCE__QUERY", "select", 1), ("EXPLO_SYNC__NAME", "", 0), ("EXPLO_SYNC__X", "1", 78)]
    {
        let output = program.clone().with(name, value).run(&["sync", "--dry-run", "--output", "html"]).await;
        assert_eq!((output.code, output.stdout.is_empty()), (code, code != 0), "{output:?}");
    }
}

#[tokio::test]
async fn foreign_text_is_only_text() {
    let tame = ["Ann"; HOSTILE.len()];
    let (_database, _sandbox, program) = sides(&tame).await;
    let expected = parsed(&page(&program, &["--show-values"]).await);
    let (_database, _sandbox, program) = sides(&HOSTILE).await;
    let page = page(&program, &["--show-values"]).await;
    let parsed = parsed(&page);
    assert_eq!(parsed.tags, expected.tags, "the same elements with the same attributes");
    assert_eq!((parsed.script, parsed.style), (expected.script, expected.style));
    for hidden in ['\u{202e}', '\u{2028}', '\u{2029}', '\u{feff}'] {
        assert!(!page.contains(hidden), "{hidden:?}");
    }
    // The text itself is there, as the text report shows it.
    for text in HOSTILE.map(explo_sync::model::printable) {
        let names: Vec<_> = parsed.data.as_array().unwrap().iter().map(|change| &change[3]["name"][0][1]).collect();
        assert!(names.contains(&&json!(text)), "{text} in {names:?}");
        assert!(parsed.text.contains(&text), "{text} among orphans and invalid ones");
    }
}

#[tokio::test]
async fn a_page_fetches_nothing_and_runs_only_its_own_script() {
    let (_database, _sandbox, program) = sides(&["Ann"]).await;
    let parsed = parsed(&page(&program, &[]).await);
    let values = |name: &str| -> Vec<&str> {
        parsed.attributes.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    };
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes())));
    let policy = values("content").into_iter().find(|value| value.starts_with("default-src")).unwrap();
    let directives: Vec<_> = policy.split("; ").collect();
    assert_eq!(
        directives,
        [
            "default-src 'none'",
            &format!("script-src {}", hash(&parsed.script)),
            &format!("style-src {}", hash(&parsed.style)),
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'"
        ]
    );
    assert!(values("href").iter().all(|target| target.starts_with('#')), "{:?}", values("href"));
    assert!(values("src").is_empty() && values("style").is_empty(), "the policy forbids both");
    assert!(!parsed.attributes.iter().any(|(name, _)| name.starts_with("on")), "the policy forbids handlers");
    assert!(!parsed.style.contains("url(") && !parsed.style.contains("@import") && !parsed.script.contains("http"));
}

#[tokio::test]
async fn ids_fields_and_counts_are_always_shown_and_values_only_if_asked_for() {
    let (_database, _sandbox, program) = sides(&["Ann"]).await;
    let page_of_ids = page(&program, &[]).await;
    for value in ["Ann Ltd", "Limited", ".example", "former"] {
        assert!(!page_of_ids.contains(value), "{value}");
    }
    let data = parsed(&page_of_ids).data;
    let ids_alone = json!([
        ["create", "create 0 Ann", [], {"name": [], "emails": [], "properties": []}],
        ["update", "update 0 Ann", [], {"name": [], "emails": [], "properties": []}],
    ]);
    assert_eq!(data, ids_alone);
    let data = parsed(&page(&program, &["--show-values"]).await).data;
    let none = json!([]);
    let expected = json!([
        ["create", "create 0 Ann", [], {
            "name": [[none, "Ann"]],
            "emails": [[none, "0@acme.example"], [none, "Ann"]],
            "properties": [[none, "\"Ann\"", "plan"]],
        }],
        ["update", "update 0 Ann", "Ann Ltd", {
            "name": [["Ann Limited", "Ann Ltd"]],
            "emails": [[none, "0@acme.example"], ["0@former.example", none], [none, "Ann"]],
            "properties": [["\"former\"", "\"Ann\"", "plan"]],
        }],
    ]);
    assert_eq!(data, expected);
}

#[tokio::test]
async fn a_rename_shows_both_ids() {
    let (database, sandbox) = (Database::new(Kind::Sqlite).await, sandbox([]).await);
    database.execute("create table tenants (id text, former text, name text)").await;
    database.execute("insert into tenants values ('b', 'a', 'Ann')").await;
    sandbox.change(|store| store.add(customer(json!({"provided_id": "a", "name": "Ann"}))));
    let query = "select id as provided_id, former as previous_provided_id, name from tenants";
    let parsed = parsed(&page(&Program::between(&database, &sandbox, query), &[]).await);
    assert_eq!(parsed.data, json!([["rename", "b", [], {"provided_id": [["a", "b"]]}]]));
    assert!(parsed.text.contains("JWTs name the provided_id"), "{}", parsed.text);
}

#[tokio::test]
async fn what_matters_can_be_read_without_a_script_and_equals_the_json() {
    let (_database, sandbox, program) = sides(&["Ann", "Bob", "Cat"]).await;
    let (_, report) = program.sync(&["--dry-run"]).await;
    let text = parsed(&page(&program, &[]).await).text.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "9 tenants in sqlite:",
        "6 customers in http://127.0.0.1:",
        "Held by the guard. Nothing was written, and a run would write nothing",
        "to create 3 to update 3 to rename 0 to offboard 0 unchanged 0 invalid tenants 3 orphans (left alone) 3 known not to \
         settle 0",
        "explo-sync sync --allow update=3 Class",
        "create 3 100 passes update 3 2 held rename 0 2 passes mapping 0 2 passes orphan 3 3 passes",
        "Applying it takes 9 calls: about 1 s at 6000000 per minute. Call Number get_customer 3 create_customer 3",
        "Field Updates Creates name 3 3 emails 3 3 properties 3 3",
        "Invalid tenants: 3",
        "invalid 0 Ann : name is NULL or not in the query, and a new customer needs one",
        "Orphans: 3",
        "orphan 2 Cat",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    let counts = json!({"create": 3, "update": 3, "rename": 0, "offboard": 0, "unchanged": 0, "orphan": 3, "invalid": 3, "unsettled": 0});
    assert_eq!((&report["counts"], &report["held"][0]["limit"]), (&counts, &json!(2)));
    let planned = report["calls"]["planned"].as_object().unwrap();
    let planned: u64 = planned.iter().filter(|(name, _)| *name != "customers").filter_map(|(_, n)| n.as_u64()).sum();
    assert_eq!((planned, &report["calls"]["estimated_seconds"]), (9, &json!(1)));

    let allowed = program.run(&["sync", "--allow", "update=3"]).await;
    assert_eq!(allowed.code, 3, "{allowed:?}");
    assert_eq!(writes(&sandbox.take_calls()).len(), 6, "the command of the page lets the plan through");
    let text = parsed(&page(&program, &[]).await).text;
    assert!(text.contains("Nothing to change.") && text.contains("There are no changes."), "{text}");
}

#[tokio::test]
async fn a_page_says_that_the_guard_does_not_judge_named_tenants() {
    let (_database, sandbox, program) = sides(&["Ann"]).await;
    let text = parsed(&page(&program, &["--only", "create 0 Ann"]).await).text;
    assert!(text.contains("The guard does not apply to tenants that were named with --only"), "{text}");
    assert!(!endpoints(&sandbox.take_calls()).contains(&"create_customer"));
}

/// The page in the browser of `tests/run --browser`, after its script ran, and whatever the browser complained about.
async fn shown(page: &str, state: &str) -> (String, Vec<String>) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("plan.html");
    fs::write(&path, page).unwrap();
    let url = format!("file://{}{state}", path.display());
    browser::open(&url, &["--virtual-time-budget=5000".to_owned()]).await
}

/// The text of a part of the shown page.
fn between<'p>(page: &'p str, from: &str, to: &str) -> &'p str {
    page.split_once(from).and_then(|(_, rest)| rest.split_once(to)).unwrap_or_else(|| panic!("{page}")).0
}

#[ignore = "needs a browser: tests/run --browser"]
#[tokio::test]
async fn in_a_browser_foreign_text_runs_nothing_and_each_change_is_found() {
    let (_database, _sandbox, program) = sides(&HOSTILE).await;
    let page = page(&program, &["--show-values"]).await;
    let (all, complaints) = shown(&page, "").await;
    assert_eq!(complaints, [""; 0], "no error, and nothing that the policy refuses");
    assert!(!between(&all, "<title>", "</title>").starts_with("taken"), "a script of the names ran");
    assert!(!between(&all, "<table id=\"table\"", "</table>").contains("<img"), "an element of the names");
    assert!(all.contains("1 to 16 of 16 changes</p>"), "{all}");
    assert!(all.contains("&lt;img src=x onerror="), "{all}");
    assert!(all.contains("<del><bdi>0@former.example</bdi></del>"), "{all}");
    assert!(all.contains("<ins><bdi>0@acme.example</bdi></ins>"), "{all}");
    for (state, found) in [
        ("#kind=update", "1 to 8 of 8 matching changes, of 16"),
        ("#kind=create&field=emails", "1 to 8 of 8 matching changes, of 16"),
        ("#query=ONERROR%20create", "1 to 1 of 1 matching changes, of 16"),
        ("#query=%3Cimg", "1 to 2 of 2 matching changes, of 16"),
        ("#query=%5Cu%7B202e%7D", "1 to 2 of 2 matching changes, of 16"),
        ("#query=%5Cu003c", "1 to 2 of 2 matching changes, of 16"),
        ("#query=3%40former.example", "1 to 1 of 1 matching changes, of 16"),
        ("#query=nobody", "No change matches."),
    ] {
        let (page, complaints) = shown(&page, state).await;
        let told = between(&page, "<p id=\"found\" role=\"status\">", "</p>");
        assert_eq!((told, complaints), (found, Vec::new()), "{state}");
    }
}

#[ignore = "needs a browser: tests/run --browser"]
#[tokio::test]
async fn in_a_browser_many_changes_are_shown_page_by_page() {
    let (database, sandbox) = (Database::new(Kind::Sqlite).await, sandbox([]).await);
    let numbers = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 1234)";
    let query = format!("{numbers} select 't' || substr('000' || n, -4) as provided_id, 'Tenant ' || n as name from n");
    let page = page(&Program::between(&database, &sandbox, &query), &[]).await;
    for (state, found, first) in [
        ("", "1 to 100 of 1,234 changes", "t0001"),
        ("#page=13", "1,201 to 1,234 of 1,234 changes", "t1201"),
        ("#page=99", "1,201 to 1,234 of 1,234 changes", "t1201"),
        ("#query=t12&page=1", "1 to 35 of 35 matching changes, of 1,234", "t1200"),
    ] {
        let (page, _) = shown(&page, state).await;
        assert_eq!(between(&page, "<p id=\"found\" role=\"status\">", "</p>"), found, "{state}");
        let ids: Vec<_> = page.split("<bdi class=\"id\">").skip(1).map(|rest| &rest[..5]).collect();
        assert_eq!((ids.first(), ids.len() <= 100), (Some(&first), true), "{state}");
    }
}

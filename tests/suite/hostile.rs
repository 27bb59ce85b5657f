//! Tenants that are out to break something: what they are arrives as it is, and breaks no line, report, file or terminal.

use std::{collections::BTreeMap, fmt::Write};

use explo_sync::{
    model::told_id,
    sandbox::{Sandbox, TagCalls, UnknownTags},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Database, Kind, Output, Program, World, before, customer, sandbox};

const QUERY: &str = "select id as provided_id, name, emails, tags as group_tags, properties from tenants";

/// What ids, names, addresses, tags, and keys and values of properties are made of.
const HOSTILE: [&str; 20] = [
    "plain",
    "' or '1'='1'; drop table tenants; --",
    "\"quoted\" `ticks` $(id) ${HOME} && ||",
    "back\\slash \\n \\u0041 ../../etc/passwd",
    "%s %n %x %2F%00 + ?a=b&c#d",
    "{} {0} {name} {{",
    "<script>alert(1)</script> &amp;",
    "line\nbreak\r\nINFO forged level=info\ttab",
    "\u{1b}]0;title\u{7}\u{1b}[6n\u{1b}[31mred",
    "c1 \u{9b}31m \u{85} \u{7f} \u{8}",
    "bidi \u{202e}desrever\u{202c} \u{2066}isolated\u{2069} \u{200e}\u{200f}\u{61c}",
    "zero\u{200b}width\u{200c}\u{200d}\u{2060}\u{feff}",
    "soft\u{ad}hyphen \u{34f}\u{180e}\u{3164}\u{ffa0}\u{fff9}",
    "lines\u{2028}paragraphs\u{2029}",
    "tags \u{e0001}\u{e0041}\u{e007f}",
    "e\u{301} \u{e9} 👩\u{200d}👩\u{200d}👧 👍\u{fe0f} ﷽",
    " spaces around \u{a0}",
    "[\"looks like\", {\"json\": null}]",
    "a,b;c|d",
    "null",
];

/// 64 KB of letters, and of what is escaped, as that may be listed.
fn long() -> [String; 2] {
    ["long ".to_owned() + &"x".repeat(65_531), "escaped ".to_owned() + &"\u{202e}\"".repeat(8_191)]
}

fn all(kind: Kind) -> Vec<String> {
    // A text of PostgreSQL has no NUL.
    let nul = (kind != Kind::Postgres).then(|| "nul\0byte".to_owned());
    HOSTILE.iter().map(|text| (*text).to_owned()).chain(long()).chain(nul).collect()
}

/// What a customer is to be, in the shape of the listing.
fn wanted(text: &str) -> Value {
    json!({
        "provided_id": text,
        "name": text,
        "emails": [format!("{text}@t.example")],
        "group_tags": [text],
        "properties": {text: text, "nested": {text: [text]}},
    })
}

/// Both sides: all tenants are to be written, every second one exists.
async fn sides(kind: Kind) -> (Database, Sandbox) {
    let database = Database::new(kind).await;
    let hex = |text: &str| {
        text.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    };
    let literal = |text: &str| match kind {
        Kind::Postgres => format!("convert_from('\\x{}', 'UTF8')", hex(text)),
        Kind::MySql => format!("convert(x'{}' using utf8mb4)", hex(text)),
        Kind::Sqlite => format!("cast(x'{}' as text)", hex(text)),
    };
    let text = if kind == Kind::MySql { "longtext character set utf8mb4" } else { "text" };
    database
        .execute(&format!(
            "create table tenants (id {text}, name {text}, emails {text}, tags {text}, properties {text})"
        ))
        .await;
    for text in all(kind) {
        let wanted = wanted(&text);
        let columns = [
            &text,
            &text,
            &wanted["emails"].to_string(),
            &wanted["group_tags"].to_string(),
            &wanted["properties"].to_string(),
        ];
        let row = columns.map(|column| literal(column)).join(", ");
        database.execute(&format!("insert into tenants values ({row})")).await;
    }
    let held = |(_, text): (usize, String)| {
        customer(
            json!({"provided_id": text, "name": "Before", "emails": [format!("former {text}")], "properties": {text: 1}, "access_group": "Production"}),
        )
    };
    (database, sandbox(all(kind).into_iter().enumerate().filter(|(n, _)| n % 2 == 0).map(held)).await)
}

fn program(database: &Database, sandbox: &Sandbox) -> Program {
    Program::between(database, sandbox, QUERY).with("EXPLO_SYNC__GUARD__FLOOR", "100")
}

/// Whether a reader or a terminal could take this character for anything but itself.
fn is_dangerous(c: char) -> bool {
    let invisible = "\u{ad}\u{34f}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{3164}\u{feff}\u{ffa0}\u{fff9}";
    let ranges = ['\u{202a}'..='\u{202e}', '\u{2060}'..='\u{206f}', '\u{e0000}'..='\u{e007f}'];
    c.is_control() || invisible.contains(c) || ranges.iter().any(|range| range.contains(&c))
}

/// Text for people: each line safe, and none endless.
fn assert_safe(text: &str, what: &str) {
    for line in text.lines() {
        let found: Vec<_> = line.chars().filter(|c| is_dangerous(*c)).collect();
        assert!(found.is_empty(), "{what} has {found:?} in {line:?}");
        assert!(line.chars().count() < 2000, "{what} has a line of {} characters: {}", line.len(), &line[..100]);
    }
}

/// The lines of a JSON log, which must be all that there is.
fn log_lines(stderr: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"));
    stderr.lines().map(parse).collect()
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn hostile_texts_arrive_as_they_are_and_break_nothing_on_their_way(#[case] kind: Kind) {
    let (database, sandbox) = sides(kind).await;
    let program = program(&database, &sandbox);
    let ids = all(kind);

    // No tag exists yet: the tenants are invalid, or the tags are to be made, or Explo does not tell.
    let creating = program.clone().with("EXPLO_SYNC__FIELDS__CREATE_MISSING_TAGS", "true");
    for (program, tag_calls) in
        [(&program, TagCalls::Present), (&creating, TagCalls::Present), (&program, TagCalls::Missing)]
    {
        sandbox.adjust(|api| api.behaviour.tag_calls = tag_calls);
        let shown = program.run(&["sync", "--dry-run", "--show-values", "-v", "--log-format", "text"]).await;
        assert_eq!(shown.code, 0, "{}", shown.stderr);
        assert_safe(&shown.stdout, "the report");
        assert_safe(&shown.stderr, "the log");
    }

    let (code, report) = program.sync(&["--dry-run", "--show-values"]).await;
    let mut named: Vec<_> =
        report["changes"].as_array().unwrap().iter().map(|change| change["provided_id"].as_str().unwrap()).collect();
    let mut expected: Vec<_> = ids.iter().map(String::as_str).collect();
    named.sort_unstable();
    expected.sort_unstable();
    assert_eq!((code, named), (0, expected));
    for change in report["changes"].as_array().unwrap() {
        let id = change["provided_id"].as_str().unwrap();
        assert_eq!(change["fields"]["name"]["new"], id, "a report has every value as it is");
        assert_eq!(change["fields"]["properties"]["new"], wanted(id)["properties"]);
    }

    // Each tenant fails for want of its tag, and each failure is logged and reported.
    let failed = program.run(&["sync", "--log-format", "json", "-v", "--output", "json"]).await;
    let logged = log_lines(&failed.stderr);
    let told: Vec<_> =
        logged.iter().filter(|line| line["level"] == "ERROR").map(|line| line["tenant.id"].as_str().unwrap()).collect();
    assert_eq!((failed.code, failed.json()["outcomes"]["failed"].as_u64()), (3, Some(ids.len() as u64)));
    let all_told = ids.iter().all(|id| told.contains(&&*told_id(id)));
    assert_eq!((told.len(), all_told), (ids.len(), true));
    let failed = program.run(&["sync", "--log-format", "text", "-v"]).await;
    assert_safe(&failed.stdout, "the report of failures");
    assert!(failed.stderr.lines().filter(|line| line.contains("ERROR")).count() == ids.len(), "one line each");
    for line in failed.stderr.lines() {
        assert!(!line.contains(is_dangerous), "the log has {line:?}");
    }
    assert!(sandbox.customers().iter().all(|held| held.name == "Before"), "nothing was written");

    sandbox.adjust(|api| api.behaviour.unknown_tags = UnknownTags::Made);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (plan, metrics) = (path("plan"), path("metrics.prom"));
    assert_eq!(program.sync(&["--dry-run", "--out", &plan]).await.0, 0);
    let (code, report) = program.sync(&["--plan", &plan, "--metrics-file", &metrics]).await;
    assert_eq!((code, report["outcomes"]["applied"].as_u64()), (0, Some(ids.len() as u64)), "{}", report["error"]);
    assert_exposition(&std::fs::read_to_string(metrics).unwrap());

    let customers = sandbox.customers().into_iter();
    let held: BTreeMap<_, _> =
        customers.map(|held| (held.provided_id.clone(), serde_json::to_value(held).unwrap())).collect();
    assert_eq!(held.len(), ids.len());
    for id in ids {
        for (field, value) in wanted(&id).as_object().unwrap() {
            assert_eq!(&held[&Some(id.clone())][field], value, "{field}");
        }
    }
    assert_eq!(program.sync(&[]).await.1["changes"], json!([]));
}

/// Lines of a comment, or of a name with labels and a number.
fn assert_exposition(text: &str) {
    assert!(text.ends_with('\n'));
    assert_safe(text, "the metrics");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let is_ours = ["explo_sync_", "process_"].iter().any(|prefix| name.starts_with(prefix));
        assert!(is_ours && value.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn a_terminal_gets_no_sequence_of_a_tenants() {
    let (database, sandbox) = sides(Kind::Sqlite).await;
    for arguments in ["sync --dry-run -v", "sync -v", "check"] {
        let output = program(&database, &sandbox).on_terminal(arguments).await;
        assert!(output.contains("plain") || arguments == "check", "{output}");
        assert!(!["\u{1b}]", "\u{1b}[6n", "\u{9b}"].iter().any(|theirs| output.contains(theirs)), "{output:?}");
        // What remains are our own colours and the moves of the progress bar.
        let ours = |c: &char| !"\n\r\u{1b}".contains(*c) && is_dangerous(*c);
        let found: Vec<_> = output.chars().filter(ours).collect();
        assert!(found.is_empty(), "{arguments} shows {found:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_out_to_break_something_is_told_on_one_safe_line() {
    let (database, sandbox) = sides(Kind::Sqlite).await;
    let body = format!("no\n\u{1b}[31m \u{202e}evil\u{200b} \u{e0041} {}", "x ".repeat(10_000));
    let url = before(&sandbox, move |_| Answer::new(400, body.clone())).await;
    let program = program(&database, &sandbox).with("EXPLO_SYNC__EXPLO__BASE_URL", &url);
    for arguments in
        [&["sync", "--log-format", "text"][..], &["sync", "--log-format", "text", "--output", "json"], &["check"]]
    {
        let Output { code, stdout, stderr } = program.run(arguments).await;
        assert_eq!(code, 1);
        assert_safe(&stderr, "stderr");
        if arguments.contains(&"json") {
            assert!(
                serde_json::from_str::<Value>(&stdout).unwrap()["error"]
                    .as_str()
                    .unwrap()
                    .contains("answered 400: no ")
            );
        } else {
            assert_safe(&stdout, "stdout");
        }
    }
    // The last line is for people, in any format.
    let stderr = program.run(&["sync", "--log-format", "json"]).await.stderr;
    let (log, last) = stderr.trim_end().rsplit_once('\n').unwrap();
    assert!(log_lines(log).iter().any(|line| line["message"].as_str().unwrap().contains("answered 400: no ")), "{log}");
    assert!(last.starts_with("explo-sync: "), "{last}");
}

#[tokio::test]
async fn a_hostile_column_is_told_on_one_safe_line() {
    let (database, sandbox) = sides(Kind::Sqlite).await;
    for text in HOSTILE.iter().map(|text| (*text).to_owned()).chain(long()) {
        let column = text.replace('"', "\"\"");
        for prefix in ["", "properties."] {
            let query = format!("select id as provided_id, 1 as \"{prefix}{column}\" from tenants where id = 'plain'");
            let program = Program::between(&database, &sandbox, &query);
            for arguments in [&["sync", "--dry-run"][..], &["check"]] {
                let output = program.run(arguments).await;
                assert!([0, 78].contains(&output.code), "{output:?}");
                assert_safe(&output.stderr, "stderr");
                assert_safe(&output.stdout, "stdout");
            }
        }
    }
}

#[rstest]
#[case::text("EXPLO_SYNC__EXPLO__LISTING")]
#[case::number("EXPLO_SYNC__EXPLO__PAGE_SIZE")]
#[case::address("EXPLO_SYNC__EXPLO__BASE_URL")]
#[case::url("DATABASE_URL")]
#[case::list("EXPLO_SYNC__FIELDS__LEAVE_NULL")]
#[case::name("EXPLO_SYNC__NAME")]
#[case::cron("EXPLO_SYNC__SCHEDULE__CRON")]
#[case::zone("EXPLO_SYNC__SCHEDULE__TIMEZONE")]
#[case::file("EXPLO_SYNC__EXPLO__CA_FILE")]
#[case::config("EXPLO_SYNC_CONFIG")]
#[tokio::test]
async fn a_hostile_value_of_the_configuration_is_shown_escaped_and_cut(#[case] variable: &str) {
    let (_database, _sandbox, program) = World::empty().start().await;
    let directory = tempfile::tempdir().unwrap();
    for text in HOSTILE
        .iter()
        .map(|text| (*text).to_owned())
        .chain(long())
        .filter(|text| text.contains(is_dangerous) || text.len() > 1000)
    {
        let program = program.clone().within(directory.path());
        let output = program.clone().with(variable, &text).run(&["check"]).await;
        assert_eq!(output.code, 78, "{variable} {output:?}");
        assert_safe(&(output.stderr + &output.stdout), variable);
        // As a key of a file, and of a variable.
        let quoted = serde_json::to_string(&text).unwrap().replace('\u{7f}', "\\u007f");
        for section in ["", "[explo]\n"] {
            std::fs::write(directory.path().join("explo-sync.toml"), format!("{section}{quoted} = 1\n")).unwrap();
            let output = program.run(&["check"]).await;
            assert_eq!(output.code, 78, "{output:?}");
            assert_safe(&(output.stderr + &output.stdout), "a key");
        }
        std::fs::remove_file(directory.path().join("explo-sync.toml")).unwrap();
        let output = program.with(&format!("EXPLO_SYNC__EXPLO__{}", text.replace('=', "")), "1").run(&["check"]).await;
        assert_eq!(output.code, 78, "{output:?}");
        assert_safe(&(output.stderr + &output.stdout), "a variable");
    }
}

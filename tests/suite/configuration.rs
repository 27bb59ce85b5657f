//! The configuration: every key counts, every mistake is told at once, and no message shows a secret.

use std::path::Path;

use explo_sync::{
    config::{Config, DEFAULT, Environment, Layers},
    files::Reading,
    source::{AnySource, Source},
};
use proptest::prelude::*;
use rstest::rstest;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::support::{Answer, Database, Kind, Program, before, sandbox};

/// What a configuration needs at the least.
const LEAST: [(&str, &str); 3] = [
    ("DATABASE_URL", "sqlite:tenants.db"),
    ("EXPLO_SYNC__SOURCE__QUERY", "select 1 as provided_id"),
    ("EXPLO_TOKEN", "from-the-environment"),
];

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn load(directory: &Path, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let environment: Environment = variables.iter().copied().collect();
    let layers =
        Layers::read(Some(directory.join("explo-sync.toml")), environment, Reading::Once).map_err(|error| error.0)?;
    Config::load(&layers).map_err(|error| error.0)
}

/// The same, with no file at all.
fn load_variables(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    Config::load(&Layers::of_environment(variables.iter().copied().collect())).map_err(|error| error.0)
}

/// The mistakes of a file, beside what is needed at the least; the directory is left out.
fn mistakes(text: &str) -> Vec<String> {
    let directory = directory(&[("explo-sync.toml", text)]);
    let mistakes = load(directory.path(), &LEAST).unwrap_err();
    let prefix = format!("{}/", directory.path().display());
    mistakes.into_iter().map(|mistake| mistake.replace(&prefix, "")).collect()
}

/// The dotted keys of the embedded default with their values, read with another parser than the program's walk.
fn keys() -> Vec<(String, toml::Value)> {
    let mut keys = Vec::new();
    for (name, value) in toml::from_str::<toml::Table>(DEFAULT).unwrap() {
        match value {
            toml::Value::Table(section) => {
                keys.extend(section.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => keys.push((name, value)),
        }
    }
    keys
}

fn variable(key: &str) -> String {
    format!("EXPLO_SYNC__{}", key.replace('.', "__").to_uppercase())
}

#[test]
fn every_key_of_the_default_is_read_from_the_file_and_from_its_variable() {
    for (key, value) in keys() {
        // Nothing but a table is wrong for every key.
        if let Some((section, name)) = key.split_once('.') {
            let text = format!("[{section}]\n{name} = {{ wrong = true }}\n");
            let told = load(directory(&[("explo-sync.toml", &text)]).path(), &LEAST[2..]).unwrap_err();
            let expected = format!("explo-sync.toml:2: {key} ");
            assert!(told.iter().any(|mistake| mistake.contains(&expected)), "{key} is not read: {told:?}");
        }
        // What stands in the default may be said again in a variable, and changes nothing.
        let (name, text) = (variable(&key), value.to_string().trim_matches('"').to_owned());
        let said_again = load_variables(&[&[(name.as_str(), text.as_str())], &LEAST[..]].concat());
        let plain = load_variables(&LEAST).unwrap();
        assert_eq!(format!("{:?}", said_again.unwrap()), format!("{plain:?}"), "{name}={text}");
    }
    let is_key = |line: &&str| line.split_once(" = ").is_some_and(|(key, _)| !key.starts_with('#'));
    assert_eq!(DEFAULT.lines().filter(is_key).count(), keys().len(), "every key stands on a line of its own");
}

#[test]
fn the_default_is_what_is_used() {
    let directory = directory(&[("explo-sync.toml", DEFAULT)]);
    let written = load(directory.path(), &LEAST).unwrap();
    let embedded = load_variables(&LEAST).unwrap();
    assert_eq!(format!("{written:?}"), format!("{embedded:?}"));
    let seconds = |seconds| std::time::Duration::from_secs(seconds);
    let explo = &embedded.explo;
    assert_eq!(explo.base_url.as_str(), "https://api.explo.co/");
    assert_eq!((explo.timeout, explo.pause_on_429), (seconds(30), seconds(60)));
    assert_eq!((explo.listing.page_size, explo.max_attempts), (1000, 6));
    assert_eq!((embedded.requests_per_minute, embedded.max_in_flight), (120, 8));
    let guard = embedded.guard;
    assert_eq!((guard.floor, guard.create_floor, guard.percent, guard.max_orphan_percent), (10, 100, 10, 50));
}

#[test]
fn variables_are_over_the_file_and_common_ones_only_fill_gaps() {
    let text = "[source]\nurl = \"mysql://h/filed\"\n[explo]\npage_size = 7\nmax_attempts = 3\n";
    let directory = directory(&[("explo-sync.toml", text)]);
    let over = [("EXPLO_SYNC__EXPLO__PAGE_SIZE", "9"), ("EXPLO_SYNC__FIELDS__LEAVE_NULL", r#"["emails"]"#)];
    let config = load(directory.path(), &[&LEAST[..], &over].concat()).unwrap();
    assert_eq!((config.explo.listing.page_size, config.explo.max_attempts), (9, 3));
    assert_eq!(config.source.place(), "mysql://h/filed", "DATABASE_URL fills a gap only");
    let told = load_variables(&[&LEAST[..], &[("EXPLO_SYNC__FIELDS__LEAVE_NULL", "a,b")]].concat()).unwrap_err();
    assert!(told.len() == 1 && told[0].contains("fields.leave_null = \"a,b\" must be a list of strings"), "{told:?}");
}

#[test]
fn what_is_missing_is_named_with_the_ways_to_give_it() {
    let mistakes = load_variables(&[]).unwrap_err().join("\n");
    for part in ["source.url is not set", "DATABASE_URL", "source.query is not set", "EXPLO_TOKEN"] {
        assert!(mistakes.contains(part), "{part} in {mistakes}");
    }
}

#[test]
fn every_mistake_is_told_at_once_in_the_order_of_the_lines_and_then_of_the_variables() {
    let text = "nmae = \"x\"\nname = 123.10\n[source]\nurl = \"oracle:x\"\nquery_file = \"missing.sql\"\ntimeout = 30\n\
                [explo]\npage_size = 5000\nmax_in_flight = true\nrequests_per_minute = 10.5\nmax_attempts = [1, \"x\"]\n\
                trust_total = \"yes\"\n[fields]\nemails = \"ad\"\nleave_null = [\"emails\", 1]\n[guard]\nfloor = -1\n\
                percent = 101\nmax_orphan_percent = \"many\"\n[log]\nlevel = \"loud\"\n";
    let directory = directory(&[("explo-sync.toml", text)]);
    let variables = [("EXPLO_TOKEN", "x"), ("EXPLO_SYNC__GUARD__CREATE_FLOOR", "many")];
    let told = load(directory.path(), &variables).unwrap_err().join("\n");
    let prefix = format!("{}/", directory.path().display());
    let expected = "\
explo-sync.toml:1: there is no key nmae; did you mean name?
explo-sync.toml:2: name = 123.1 must be a name of 1 to 64 letters, digits, dots, dashes or underscores, in quotes
explo-sync.toml:4: source.url begins with 'oracle:', not with postgres:, mysql:, mariadb: or sqlite:
explo-sync.toml:5: source.query_file names missing.sql, which can't be read: No such file or directory (os error 2)
explo-sync.toml:6: source.timeout = 30 must be a time such as \"500ms\", \"30s\" or \"4m\", at most a day, in quotes
explo-sync.toml:8: explo.page_size = 5000 must be a whole number from 1 to 1000
explo-sync.toml:9: explo.max_in_flight = true must be a whole number from 1 to 256
explo-sync.toml:10: explo.requests_per_minute = 10.5 must be a whole number from 1 to 60000000
explo-sync.toml:11: explo.max_attempts = [1, \"x\"] must be a whole number from 1 to 100
explo-sync.toml:12: explo.trust_total = \"yes\" must be true or false
explo-sync.toml:14: fields.emails = \"ad\" must be one of \"replace\", \"add\"
explo-sync.toml:15: fields.leave_null = [\"emails\", 1] must be a list of strings, such as [\"emails\"] (in a variable: the same, a JSON array)
explo-sync.toml:17: guard.floor = -1 must be a whole number from 0
explo-sync.toml:18: guard.percent = 101 must be a whole number from 0 to 100
explo-sync.toml:19: guard.max_orphan_percent = \"many\" must be a whole number from 0 to 100
explo-sync.toml:21: log.level = \"loud\" must be one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"
EXPLO_SYNC__GUARD__CREATE_FLOOR: guard.create_floor = \"many\" must be a whole number from 0";
    assert_eq!(told.replace(&prefix, ""), expected);
}

#[rstest]
#[case("name = \"not allowed!\"", "1: name = \"not allowed!\" must be a name of 1 to 64 letters, ")]
#[case("[source]\nurl = \"host/database\"", "2: source.url is not a URL")]
#[case("[source]\ntimeout = \"soon\"", "2: source.timeout = \"soon\" must be a time such as \"500ms\", \"30s\"")]
#[case(
    "[explo]\nbase_url = \"ftp://x\"",
    "2: explo.base_url = \"ftp://x\" must be an address that begins with https://"
)]
#[case("[explo]\ntimeout = \"0s\"", "2: explo.timeout = \"0s\" must be a time such as ")]
#[case("[explo]\nmax_attempts = 0", "2: explo.max_attempts = 0 must be a whole number from 1 to 100")]
#[case("[ledger]\nurl = \"redis://h\"", "2: ledger.url must be empty, \"source\" or a URL: it begins with 'redis:', ")]
#[case("[ledger]\nurl = \"tenants.db\"", "2: ledger.url must be empty, \"source\" or a URL: it is not a URL ")]
#[case("[ledger]\nurl = \"postgres://u:a/b@h/d\"", "2: ledger.url must be empty, \"source\" or a URL: it ")]
#[case("[ledger]\ntable = \"a.b.c\"", "2: ledger.table = \"a.b.c\" must be the name of a table ")]
#[case("[fields]\nleave_null = \"emails\"", "2: fields.leave_null = \"emails\" must be a list of strings, ")]
fn a_value_of_the_right_type_may_be_wrong_too(#[case] text: &str, #[case] expected: &str) {
    let told = mistakes(text);
    assert!(told.len() == 1 && told[0].starts_with(&format!("explo-sync.toml:{expected}")), "{told:?}");
}

#[rstest]
#[case("[source]\ntimout = \"5s\"", "2: there is no key source.timout; did you mean source.timeout?")]
#[case("[explo]\ntimout = \"5s\"", "2: there is no key explo.timout; did you mean explo.timeout?")]
#[case("[explo]\ntoken = \"x\"", "2: there is no key explo.token; did you mean explo.token_file?")]
#[case("[source]\npassword = \"x\"", "2: there is no key source.password; did you mean source.password_file?")]
#[case("[Explo]\nPage_Size = 5", "2: there is no key Explo.Page_Size; did you mean explo.page_size?")]
#[case("page_size = 5", "1: there is no key page_size; did you mean explo.page_size?")]
#[case("[guards]\nfloor = 1", "2: there is no key guards.floor; did you mean guard.floor?")]
#[case("[source.more]\nx = 1", "1: there is no key source.more")]
#[case("[weather]\nforecast = \"rain\"", "2: there is no key weather.forecast")]
#[case("[explo.page_size]\nmore = 5", "1: explo.page_size = {…} must be a whole number from 1 to 1000")]
#[case("[[source]]\nurl = \"x\"", "1: source is a section: write [source], and its keys below")]
#[case("\"\\u001b[31m\" = 5", "1: there is no key \\u{1b}[31m")]
fn an_unknown_key_is_a_mistake_with_its_line_and_the_nearest_key(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(mistakes(text), [format!("explo-sync.toml:{expected}")]);
}

#[rstest]
#[case("EXPLO_SYNC__EXPLO__PAGESIZE", "there is no key explo.pagesize; did you mean explo.page_size?")]
#[case("EXPLO_SYNC__SOURCE__QUERRY", "there is no key source.querry; did you mean source.query?")]
#[case("EXPLO_SYNC__EXPLO", "explo is a section: write [explo], and its keys below")]
#[case("EXPLO_SYNC_EXPLO_PAGE_SIZE", "there is no such variable; did you mean EXPLO_SYNC__EXPLO__PAGE_SIZE?")]
#[case("EXPLO_SYNC__EXPLO_PAGE_SIZE", "there is no key explo_page_size; did you mean explo.page_size?")]
fn an_unknown_variable_is_a_mistake_with_the_nearest_one(#[case] name: &str, #[case] expected: &str) {
    let with = |name| load_variables(&[&[(name, "5")], &LEAST[..]].concat());
    assert_eq!(with(name).unwrap_err(), [format!("{name}: {expected}")]);
    // What Kubernetes says of a service of our name is nobody's mistake.
    with("EXPLO_SYNC_SERVICE_PORT").unwrap();
}

#[rstest]
#[case::unquoted("[source]\nurl = postgres://u:hunter2@h/d", 2, 7)]
#[case::unclosed("[source]\nurl = \"postgres://u:hunter2@h/d", 2, 32)]
#[case::no_equals_sign("[source]\nurl \"postgres://u:hunter2@h/d\"", 2, 5)]
#[case::two_values("é = \"x\" \"hunter2\"", 1, 9)]
#[case::twice("[source]\n\nurl = \"a\"\nurl = \"hunter2\"", 4, 1)]
#[case::bad_escape("[source]\r\nurl = \"\\hunter2\"", 2, 9)]
#[case::leading_zero("name = 00123 # hunter2", 1, 8)]
#[case::too_large("source = { url = \"postgres://u:hunter2@h/d\", timeout = 99999999999999999999 }", 1, 56)]
#[case::too_large_in_a_list("fields = { emails = \"hunter2\", leave_null = [99999999999999999999] }", 1, 46)]
fn broken_toml_is_told_by_line_and_column_without_the_line(
    #[case] text: &str,
    #[case] line: usize,
    #[case] column: usize,
) {
    let told = mistakes(text);
    assert!(told.len() == 1 && told[0].starts_with(&format!("explo-sync.toml:{line}: column {column}: ")), "{told:?}");
    assert!(!told[0].contains("hunter2"), "{told:?}");
}

#[test]
fn a_query_that_a_nul_would_end_is_refused() {
    let directory = directory(&[
        ("explo-sync.toml", "[source]\nquery_file = \"query.sql\"\nquery_one = \"select \\u0000\""),
        ("query.sql", "select 1 as provided_id,\n 'x\0' as name"),
    ]);
    let told = load(directory.path(), &[("DATABASE_URL", "sqlite:a.db"), ("EXPLO_TOKEN", "t")]).unwrap_err();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|told| told.contains("source.query_file has a NUL byte in line 2")), "{told:?}");
    assert!(told.iter().any(|told| told.contains("source.query_one has a NUL byte in line 1")), "{told:?}");
}

#[tokio::test]
async fn files_are_found_beside_the_configuration_and_fill_what_the_environment_would() {
    let toml = "[source]\nquery_file = \"query.sql\"\npassword_file = \"sub/../password\"\nca_file = \"ca.pem\"\n\
                [explo]\ntoken_file = \"token\"\nca_file = \"ca.pem\"\n";
    let pem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";
    let files = [
        ("explo-sync.toml", toml),
        ("query.sql", "select 2 as provided_id, 'x' as name"),
        ("token", " from-the-file\n\n"),
        ("password", "p\n"),
        ("ca.pem", pem),
    ];
    let directory = directory(&files);
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    let database = Database::new(Kind::Sqlite).await;
    let url = ("DATABASE_URL", database.url.as_str());
    let config = load(directory.path(), &[url, ("EXPLO_TOKEN", "from-the-environment")]).unwrap();
    assert_eq!(config.explo.token.expose_secret(), "from-the-file", "EXPLO_TOKEN only fills a gap");
    assert_eq!(config.explo.ca.as_deref(), Some(pem.trim_end().as_bytes()));
    assert!(!format!("{config:?}").contains("from-the-file"), "no debug form shows the token");
    let columns = config.source.columns().await.unwrap();
    assert_eq!(columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["provided_id", "name"]);

    for (name, _) in &files[1..] {
        std::fs::write(directory.path().join(name), " \n").unwrap();
        let told = load(directory.path(), &[url]).unwrap_err();
        assert!(told.iter().all(|mistake| mistake.contains(name) && mistake.contains("is empty")), "{told:?}");
        std::fs::remove_file(directory.path().join(name)).unwrap();
        let told = load(directory.path(), &[url]).unwrap_err();
        assert!(told.iter().any(|mistake| mistake.contains(name) && mistake.contains("can't be read")), "{told:?}");
        std::fs::write(directory.path().join(name), files.iter().find(|file| file.0 == *name).unwrap().1).unwrap();
    }
    std::fs::write(directory.path().join("ca.pem"), "not a certificate").unwrap();
    let told = load(directory.path(), &[url]).unwrap_err();
    assert!(told.len() == 2 && told.iter().all(|mistake| mistake.contains("PEM")), "{told:?}");
}

#[test]
fn the_ledger_is_in_memory_in_the_sources_database_or_elsewhere() {
    let directory = directory(&[("explo-sync.toml", "[ledger]\npassword_file = \"password\"\n"), ("password", "p\n")]);
    let place = |url| {
        let config = load_variables(&[&[("EXPLO_SYNC__LEDGER__URL", url)], &LEAST[..]].concat());
        config.unwrap().ledger.map(|ledger| ledger.place())
    };
    assert_eq!(place(""), None);
    assert_eq!(place("source").as_deref(), Some("sqlite:tenants.db (explo_customers)"));
    assert_eq!(place("mysql://u:p@h/d").as_deref(), Some("mysql://h/d (explo_customers)"));
    let with = |url| load(directory.path(), &[&[("EXPLO_SYNC__LEDGER__URL", url)], &LEAST[..]].concat());
    assert!(with("postgres://u@h/d").is_ok());
    let told = with("source").unwrap_err();
    assert!(told.len() == 1 && told[0].contains("\"source\" has source.password_file"), "{told:?}");
}

#[rstest]
#[case::two_lines("one\ntwo", "must hold the team token alone")]
#[case::a_control_character("one\u{1}", "must hold the team token alone")]
#[case::blank(" \n", "is not set: name a file that holds it, or set EXPLO_TOKEN")]
fn a_token_that_no_call_could_carry_is_a_mistake(#[case] token: &str, #[case] expected: &str) {
    let told = load_variables(&[LEAST[0], LEAST[1], ("EXPLO_TOKEN", token)]).unwrap_err();
    assert!(told.len() == 1 && told[0].contains(&format!("explo.token_file {expected}")), "{told:?}");
}

#[rstest]
#[case::a_long_channel(
    "[source]\nlisten = \"LONG\"",
    "source.listen = \"LONG\" must be the name of a channel, of at most 63 bytes"
)]
#[case::an_ended_channel("[source]\nlisten = \"a\\u0000\"", "source.listen = ")]
#[case::a_channel_elsewhere("[source]\nlisten = \"a\"", "source.listen is for PostgreSQL")]
#[case::polling_too_often("[source]\npoll = \"99ms\"", "source.poll = \"99ms\" must be a time such as ")]
#[case::a_long_overlap("[source]\noverlap = \"25h\"", "source.overlap = \"25h\" must be a time such as ")]
#[case::no_ledger("[explo]\nlist_every = \"1h\"", "explo.list_every needs a ledger")]
#[case::listing_too_rarely("[explo]\nlist_every = \"25h\"", "explo.list_every = \"25h\" must be a time such as ")]
#[case::no_token("[ops]\ntoken_file = \"missing\"", "ops.token_file names missing, which can't be read")]
fn what_brings_changes_at_once_may_be_wrong(#[case] text: &str, #[case] expected: &str) {
    let (text, expected) = (text.replace("LONG", &"é".repeat(32)), expected.replace("LONG", &"é".repeat(32)));
    let told = mistakes(&text);
    assert!(told.len() == 1 && told[0].starts_with(&format!("explo-sync.toml:2: {expected}")), "{told:?}");
}

#[test]
fn what_brings_changes_at_once_is_read() {
    let seconds = std::time::Duration::from_secs;
    let plain = load_variables(&LEAST).unwrap();
    assert!(plain.list_every.is_zero() && plain.ops_token.is_none());
    let directory = directory(&[("explo-sync.toml", "[ops]\ntoken_file = \"token\"\n"), ("token", "post-secret-1\n")]);
    let variables = [
        ("DATABASE_URL", "postgres://h/d"),
        ("EXPLO_SYNC__SOURCE__LISTEN", &*"x".repeat(63)),
        ("EXPLO_SYNC__SOURCE__QUERY_CHANGED", "select $1"),
        ("EXPLO_SYNC__SOURCE__POLL", "100ms"),
        ("EXPLO_SYNC__SOURCE__OVERLAP", "0s"),
        ("EXPLO_SYNC__EXPLO__LIST_EVERY", "24h"),
        ("EXPLO_SYNC__LEDGER__URL", "source"),
    ];
    let config = load(directory.path(), &[&variables[..], &LEAST[1..]].concat()).unwrap();
    assert_eq!(
        (config.list_every, config.ops_token.as_ref().unwrap().expose_secret()),
        (seconds(86400), "post-secret-1")
    );
    assert!(!format!("{config:?}").contains("post-secret-1"), "no debug form shows the token");
    let AnySource::Sql(sql) = config.source else { panic!("it is a database") };
    assert!(sql.channel().is_some_and(|channel| channel.len() == 63) && sql.has_query_changed());
    std::fs::write(directory.path().join("token"), "one\ntwo").unwrap();
    let told = load(directory.path(), &LEAST).unwrap_err();
    assert!(told.len() == 1 && told[0].contains("ops.token_file must hold the token alone"), "{told:?}");
}

/// Texts with a secret at `§`, all of them wrong in some way.
const BROKEN: [&str; 20] = [
    "[source]\nurl = \"postgres://u:§@h/d",
    "[source]\nurl = postgres://u:§@h/d",
    "[source]\nurl = \"oracle://u:§@h/d\"",
    "[source]\nurl = \"postgres://u:§@h:port/d\"",
    "[source]\nurl = \"nonsense:§\"",
    "[source]\nurl = [\"postgres://u:§@h/d\"]",
    "[source]\nurl = { password = \"§\" }",
    "[source]\npassword = \"§\"",
    "[source]\npassword_file = \"§\"",
    "[explo]\ntoken = \"§\"",
    "[explo]\ntoken_file = \"§\"",
    "[explo]\nbase_url = \"https://§@api.explo.co\"",
    "[explo]\nbase_url = \"api.explo.co?token=§9a\"",
    "[explo]\nbase_url = \"§\"",
    "[fields]\nleave_null = \"§\"",
    "[ledger]\nurl = \"oracle://u:§@h/d\"",
    "[ledger]\nurl = \"postgres://u:§@h:port/d\"",
    "[ledger]\nurl = \"nonsense:§\"",
    "[ledger]\npassword_file = \"§\"",
    "[ops]\ntoken_file = \"§\"",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mistake_shows_a_secret(secret in "[a-z]{4}[0-9]{2}[A-Za-z0-9_-]{10,30}") {
        for text in BROKEN {
            let told = mistakes(&text.replace('§', &secret)).join("\n");
            prop_assert!(!told.contains(&secret), "{told}");
        }
    }

    #[test]
    fn a_password_with_any_character_is_refused_or_stays_out_of_what_is_shown(
        scheme in prop::sample::select(vec!["postgres", "mysql", "mariadb"]),
        start in "[0-9]{1,3}|[a-z]{1,6}",
        special in "[ -~]",
        end in "[a-z]{3}[0-9]{2}[a-z]{3}",
    ) {
        let url = format!("{scheme}://u:{start}{special}{end}@127.0.0.1:1/d");
        let places = |config: &Config| {
            format!("{} {:?}", config.source.place(), config.ledger.as_ref().map(explo_sync::ledger::Sql::place))
        };
        for place in ["EXPLO_SYNC__SOURCE__URL", "EXPLO_SYNC__LEDGER__URL"] {
            let shown = match load_variables(&[&[(place, &*url)], &LEAST[..]].concat()) {
                Ok(config) => format!("{config:?} {}", places(&config)),
                Err(mistakes) => mistakes.join("\n"),
            };
            prop_assert!(!shown.contains(&end), "{shown}");
        }
    }
}

#[tokio::test]
async fn no_output_shows_a_secret_of_a_configuration_that_does_not_work() {
    let database = Database::new(Kind::Postgres).await;
    let sandbox = sandbox([]).await;
    let program = Program::between(&database, &sandbox, "select 'a' as provided_id")
        .with("EXPLO_TOKEN", "secret-token-1")
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    let wrong = database.url.replace("pg-secret", "secret-password-1");
    assert_ne!(wrong, database.url);
    for (name, value) in [
        ("DATABASE_URL", wrong.as_str()),
        ("DATABASE_URL", "postgres://u:secret-password-1@127.0.0.1:1/d"),
        ("DATABASE_URL", "mysql://u:secret-password-1@127.0.0.1:1/d?ssl-mode=secret-mode"),
        ("DATABASE_URL", "postgres://u:7/secret-password-1@127.0.0.1:1/d"),
        ("EXPLO_SYNC__SOURCE__QUERY", "select 'a' as provided_id; --"),
        ("EXPLO_SYNC__SOURCE__URL", "secret-password-1"),
        ("EXPLO_SYNC__LEDGER__URL", wrong.as_str()),
        ("EXPLO_SYNC__LEDGER__URL", "mysql://u:secret-password-1@127.0.0.1:1/d"),
        ("EXPLO_SYNC__LEDGER__URL", "secret-password-1"),
        ("EXPLO_SYNC__EXPLO__BASE_URL", "http://127.0.0.1:1"),
        ("EXPLO_SYNC__EXPLO__BASE_URL", "http://secret-user:secret-password-1@127.0.0.1:1"),
        ("EXPLO_SYNC__EXPLO__TOKEN", "secret-token-1"),
        ("EXPLO_TOKEN", "secret-token\n1"),
    ] {
        let broken = program.clone().with(name, value);
        for arguments in [&["check"][..], &["-vv", "sync", "--dry-run", "--output", "json"]] {
            let output = broken.run(arguments).await;
            assert!(output.code != 0 || name.ends_with("QUERY"), "{name}={value} {output:?}");
            for text in [&output.stdout, &output.stderr] {
                assert!(!text.contains("secret-password") && !text.contains("secret-token"), "{name}={value}: {text}");
            }
        }
    }
}

#[rstest]
#[case("", "/v2/api/customers/")]
#[case("/", "/v2/api/customers/")]
#[case("/behind/a-proxy", "/behind/a-proxy/v2/api/customers/")]
#[case("/behind/a-proxy/", "/behind/a-proxy/v2/api/customers/")]
#[tokio::test]
async fn the_path_of_the_base_url_is_kept_with_and_without_a_slash(#[case] path: &str, #[case] expected: &'static str) {
    let database = Database::new(Kind::Sqlite).await;
    let sandbox = sandbox([]).await;
    let url = before(&sandbox, move |asked| {
        let is_right = asked.path.split('?').next() == Some(expected);
        let empty = r#"{"total_count": 0, "results": {"customers": []}}"#;
        Answer::new(if is_right { 200 } else { 404 }, if is_right { empty } else { asked.path })
    })
    .await;
    let program = Program::between(&database, &sandbox, "select 'a' as provided_id, 'A' as name")
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &format!("{url}{path}"));
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["counts"]["create"]), (0, &serde_json::json!(1)), "{report}");
}

#[tokio::test]
async fn the_file_is_the_flags_then_the_variables_then_the_one_of_the_working_directory() {
    let database = Database::new(Kind::Sqlite).await;
    let sandbox = sandbox([]).await;
    let here = directory(&[("explo-sync.toml", "name = \"here\"")]);
    let there = directory(&[("named.toml", "name = \"named\""), ("flagged.toml", "name = \"flagged\"")]);
    let empty = directory(&[]);
    let path = |name: &str| there.path().join(name).display().to_string();
    let program = Program::between(&database, &sandbox, "select 'a' as provided_id").within(here.path());
    let named = program.clone().with("EXPLO_SYNC_CONFIG", &path("named.toml"));
    let instance = async |program: &Program, arguments: &[&str]| {
        let output = program.run(&[&["check"], arguments].concat()).await;
        assert_eq!(output.code, 0, "{output:?}");
        output.stdout.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(instance(&named, &["--config", &path("flagged.toml")]).await, "flagged");
    assert_eq!(instance(&named, &[]).await, "named");
    assert_eq!(instance(&program, &[]).await, "here");
    let unnamed = program.clone().with("EXPLO_SYNC_CONFIG", "");
    assert_eq!(instance(&unnamed, &[]).await, "here", "an empty variable is none");
    assert_eq!(instance(&named.clone().with("EXPLO_SYNC__NAME", "00123"), &[]).await, "00123", "over every file");
    assert_eq!(instance(&program.clone().within(empty.path()), &[]).await, "default", "the environment alone");

    // One that is asked for must be there; nothing else is tried in its place.
    for (program, arguments) in [
        (&program, &["check", "--config", "missing.toml"][..]),
        (&program.clone().with("EXPLO_SYNC_CONFIG", "missing.toml"), &["check"]),
    ] {
        let output = program.run(arguments).await;
        assert_eq!((output.code, output.stdout.contains("missing.toml: can't be read")), (78, true), "{output:?}");
    }
}

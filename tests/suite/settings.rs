//! The configuration: layers, mistakes, and secrets that stay secret.

use explo_sync::config::{Config, DEFAULT, Environment, Layers};
use rstest::rstest;

/// What a valid configuration needs at the least.
const LEAST: [(&str, &str); 3] = [
    ("DATABASE_URL", "postgres://u:url-secret@db.example/app"),
    ("EXPLO_TOKEN", "token-secret"),
    ("EXPLO_SYNC__SOURCE__QUERY", "select 1 as provided_id"),
];

fn load(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("explo-sync.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
        std::fs::write(directory.path().join("token"), "  from-file \n").unwrap();
        std::fs::write(directory.path().join("empty"), "\n").unwrap();
    }
    let environment: Environment = LEAST.iter().chain(variables).copied().collect();
    Config::load(&Layers::read(file.map(|_| path), environment).unwrap()).map_err(|error| error.0)
}

#[test]
fn the_default_is_complete_and_needs_only_a_source_a_query_and_a_token() {
    let config = load(None, &[]).unwrap();
    let same = load(Some(DEFAULT), &[]).unwrap();
    assert_eq!(format!("{:?}", config.guard), format!("{:?}", same.guard));
    assert_eq!((config.requests_per_minute, config.max_in_flight, config.explo.max_attempts), (120, 8, 6));
    assert_eq!(config.explo.base_url.as_str(), "https://api.explo.co/");
}

#[test]
fn the_environment_is_over_the_file_and_common_variables_only_fill_gaps() {
    let file = "name = 'filed'\n[source]\nurl = 'mysql://h/filed'\n[explo]\npage_size = 7\nmax_attempts = 3\n";
    let config = load(Some(file), &[("EXPLO_SYNC__EXPLO__PAGE_SIZE", "9"), ("EXPLO_SYNC__NAME", "00123")]).unwrap();
    assert_eq!((config.explo.listing.page_size, config.explo.max_attempts), (9, 3));
    assert_eq!(config.name, "00123", "text stays text");
    let place = explo_sync::source::Source::place(&config.source);
    assert_eq!(place, "mysql://h/filed", "DATABASE_URL does not override");
    let listed = load(None, &[("EXPLO_SYNC__FIELDS__LEAVE_NULL", r#"["emails"]"#)]);
    assert!(listed.is_ok());
}

#[test]
fn every_mistake_is_told_at_once_with_its_place_value_and_form() {
    let file = "name = 'not allowed!'\n[source]\ntimeout = 'soon'\n[explo]\nbase_url = 'ftp://x'\npage_size = 5000\nmax_attempts = 0\n\
                trust_total = 'perhaps'\ntoken_file = 'nowhere'\n[fields]\nemails = 'merge'\n[guard]\npercent = 101\n[log]\nlevel = 'loud'\n";
    let mistakes =
        load(Some(file), &[("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "many"), ("EXPLO_SYNC__FIELDS__LEAVE_NULL", "a,b")])
            .unwrap_err();
    let expected: [(&str, &[&str]); 11] = [
        (":1: name", &["not allowed!", "letters"]),
        (":3: source.timeout", &["soon", "30s"]),
        (":5: explo.base_url", &["ftp://x", "https://"]),
        (":6: explo.page_size", &["5000", "from 1 to 1000"]),
        (":7: explo.max_attempts", &["0", "from 1"]),
        (":8: explo.trust_total", &["perhaps", "true or false"]),
        (":9: explo.token_file", &["can't be read"]),
        (":11: fields.emails", &["merge", "\"replace\", \"add\""]),
        (":13: guard.percent", &["101", "to 100"]),
        (":15: log.level", &["loud", "\"debug\""]),
        ("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT: explo.max_in_flight", &["many", "whole number"]),
    ];
    for (place, parts) in expected {
        let mistake = mistakes
            .iter()
            .find(|mistake| mistake.contains(place))
            .unwrap_or_else(|| panic!("{place} in {mistakes:#?}"));
        assert!(parts.iter().all(|part| mistake.contains(part)), "{mistake}");
    }
    assert_eq!(mistakes.len(), 12, "{mistakes:#?}");
}

#[test]
fn unknown_keys_are_mistakes_with_the_nearest_key() {
    let file = "[explo]\npagesize = 5\n[guards]\nfloor = 1\n[source.more]\nx = 1\n";
    let mistakes = load(Some(file), &[("EXPLO_SYNC__SOURCE__QUERRY", "x")]).unwrap_err().join("\n");
    for part in [
        ":2: there is no key explo.pagesize; did you mean explo.page_size?",
        "guard.floor?",
        "source.more",
        "EXPLO_SYNC__SOURCE__QUERRY",
        "source.query?",
    ] {
        assert!(mistakes.contains(part), "{part} in {mistakes}");
    }
}

#[rstest]
#[case("explo.page_size", "[explo]\npage_size = true\n")]
#[case("explo.page_size", "[explo]\npage_size = 10.5\n")]
#[case("explo.page_size", "[explo]\npage_size = [1]\n")]
#[case("source.query", "[source]\nquery_file = 'empty'\n")]
#[case("explo.token_file", "[explo]\ntoken_file = 'empty'\n")]
#[case("source.url", "[source]\nurl = 'redis://h/0'\n")]
#[case("source.url", "[source]\nurl = 'host/database'\n")]
#[case("fields.leave_null", "[fields]\nleave_null = 'emails'\n")]
#[case("explo.timeout", "[explo]\ntimeout = '0s'\n")]
fn a_wrong_value_is_named_by_its_key(#[case] key: &str, #[case] file: &str) {
    let mistakes = load(Some(file), &[]).unwrap_err();
    assert!(mistakes.iter().any(|mistake| mistake.contains(key)), "{mistakes:?}");
}

#[test]
fn what_is_missing_is_named_with_the_ways_to_give_it() {
    let mistakes = Config::load(&Layers::default()).unwrap_err().to_string();
    for part in ["source.url is not set", "DATABASE_URL", "source.query is not set", "EXPLO_TOKEN"] {
        assert!(mistakes.contains(part), "{part} in {mistakes}");
    }
}

#[test]
fn no_message_and_no_debug_form_shows_a_secret() {
    let broken = [
        "[source]\nurl = 'postgres://u:file-secret@h/d\n",
        "[source]\nurl = 'nonsense:file-secret'\n",
        "[source]\nurl = ['file-secret']\n",
    ];
    for file in broken {
        let told = load(Some(file), &[]).unwrap_err().join("\n");
        assert!(!told.contains("secret"), "{told}");
    }
    let config = load(Some("[explo]\ntoken_file = 'token'\n"), &[]).unwrap();
    let shown = format!("{:?}", config.explo);
    assert!(!shown.contains("from-file") && !shown.contains("secret"), "{shown}");
    let shown = format!("{config:?}");
    assert!(!shown.contains("url-secret") && !shown.contains("from-file"), "{shown}");
}

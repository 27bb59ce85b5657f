//! A configuration file, beside an environment that has what can't be left out.

use explo_sync::config::{Config, Environment, Error, Layers};

use super::assert_printable;

const LEAST: [(&str, &str); 3] = [
    ("DATABASE_URL", "postgres://user:hunter2@db.example/tenants"),
    ("EXPLO_TOKEN", "fuzz-team-token"),
    ("EXPLO_SYNC__SOURCE__QUERY", "select id as provided_id from tenants"),
];

pub fn target(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    // No file that this one names is there.
    let path = "/nowhere/explo-sync.toml".into();
    let layers = Layers::of_text(path, text.to_owned(), LEAST.into_iter().collect::<Environment>());
    match (Config::load(&layers), Config::load(&layers)) {
        (Ok(config), Ok(again)) => {
            let shown = format!("{config:?}");
            assert_eq!(shown, format!("{again:?}"));
            assert!(!shown.contains("hunter2") && !shown.contains("fuzz-team-token"), "{shown}");
        }
        (Err(Error(mistakes)), Err(Error(again))) => {
            assert_eq!(mistakes, again);
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert_printable(&mistake);
                assert!(!mistake.contains("hunter2") && !mistake.contains("fuzz-team-token"), "{mistake}");
            }
        }
        (first, second) => panic!("{first:?}, then {second:?}"),
    }
}

//! What a newcomer begins with.

use serde_json::Value;

use crate::support::{Database, Kind, Program, sandbox};

#[tokio::test]
async fn init_writes_a_configuration_that_is_valid_once_the_gaps_are_filled() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("explo-sync.toml");
    let file = path.to_str().unwrap();
    let all = directory.path().join("all.toml");
    let written = Program::default().run(&["init", "--all", all.to_str().unwrap()]).await;
    assert_eq!((written.code, std::fs::read_to_string(&all).unwrap().as_str()), (0, explo_sync::config::DEFAULT));
    let written = Program::default().run(&["init", file]).await;
    assert_eq!((written.code, written.stdout.contains("explo-sync check")), (0, true), "{written:?}");
    let short = std::fs::read_to_string(&path).unwrap();
    assert!(short.lines().count() < 40 && short.contains("init --all"), "{short}");

    let again = Program::default().run(&["init", file]).await;
    assert_eq!((again.code, again.stderr.contains("exists")), (1, true), "an existing file is left alone: {again:?}");

    let database = Database::new(Kind::Sqlite).await;
    database.execute("create table tenants (id text, name text)").await;
    let sandbox = sandbox([]).await;
    let program = Program::between(&database, &sandbox, "select id as provided_id, name from tenants");
    for file in [file, all.to_str().unwrap()] {
        let checked = program.run(&["--config", file, "check"]).await;
        assert_eq!(checked.code, 0, "{checked:?}");
    }
}

/// Each key of the short file is one of the whole file, with the same default unless it is there to be set.
#[test]
fn the_short_configuration_has_keys_of_the_whole_one() {
    let (first, all): (toml::Table, toml::Table) =
        (explo_sync::config::FIRST.parse().unwrap(), explo_sync::config::DEFAULT.parse().unwrap());
    for (section, keys) in &first {
        for (key, value) in keys.as_table().unwrap() {
            assert!(key == "query" || all[section][key] == *value, "{section}.{key}");
        }
    }
}

#[tokio::test]
async fn shells_readers_and_editors_are_told_every_command_and_key() {
    for shell in ["bash", "zsh", "fish"] {
        let output = Program::default().run(&["init", "--completions", shell]).await;
        assert_eq!((output.code, output.stdout.contains("dry-run")), (0, true), "{shell}");
    }
    let man = Program::default().run(&["init", "--man"]).await.stdout;
    assert!(man.starts_with(".ie") && man.contains("explo\\-sync\\-sync(1)"));
    let directory = tempfile::tempdir().unwrap();
    let written = Program::default().run(&["init", "--man", directory.path().to_str().unwrap()]).await;
    assert_eq!(written.code, 0, "{written:?}");
    for command in [
        "", "-run", "-sync", "-check", "-probe", "-explain", "-export", "-ledger", "-tokens", "-sandbox", "-init",
        "-demo",
    ] {
        let page = std::fs::read_to_string(directory.path().join(format!("explo-sync{command}.1"))).unwrap();
        let has_codes = page.contains("Exit codes");
        assert!(
            page.contains(".SH NAME")
                && (has_codes || !["", "-run", "-sync", "-check", "-probe", "-explain"].contains(&command))
        );
    }
    let schema: Value = serde_json::from_str(&Program::default().run(&["init", "--schema"]).await.stdout).unwrap();
    let defaults: toml::Table = explo_sync::config::DEFAULT.parse().unwrap();
    for (section, keys) in &defaults {
        let described = &schema["properties"][section];
        let Some(keys) = keys.as_table() else {
            assert_eq!(described["default"], keys.as_str().unwrap(), "{section}");
            continue;
        };
        assert_eq!(described["additionalProperties"], false);
        assert_eq!(described["properties"].as_object().unwrap().len(), keys.len(), "{section}");
        for (key, default) in keys {
            let expected = serde_json::to_value(default).unwrap();
            assert_eq!(described["properties"][key]["default"], expected, "{section}.{key}");
        }
    }
}

//! The audit file: who changed what, and when.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};

use crate::support::World;

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn world() -> World {
    let ann = json!({"provided_id": "ann", "name": "Ann", "mapping": {"1": "eu"}});
    let world = World::of([ann, json!({"provided_id": "new", "name": "Nia"})]);
    world.and([json!({"provided_id": "ann", "name": "Anna", "mapping": {"1": "us"}})])
}

#[tokio::test]
async fn each_acknowledged_change_is_a_line_with_digests_in_place_of_values() {
    let (database, sandbox, program) = world().start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.jsonl");
    let program = program.with("EXPLO_SYNC__LOG__AUDIT_FILE", &path);
    assert_eq!(program.run(&["sync", "--dry-run"]).await.code, 0);
    assert_eq!(lines(&path), [] as [Value; 0], "nothing was acknowledged");

    sandbox.adjust(|api| api.faults.push("status=400,id=new,times=1".parse().unwrap()));
    let output = program.run(&["sync", "--output", "json"]).await;
    assert_eq!(output.code, 3, "{}", output.stderr);
    let run: Value = serde_json::from_str(&output.stdout).unwrap();
    let told = lines(&path);
    assert_eq!(told.len(), 1, "a refused change is none: {told:?}");
    assert!(chrono::DateTime::parse_from_rfc3339(told[0]["timestamp"].as_str().unwrap()).is_ok());
    let expected = [
        ("instance", json!("default")),
        ("run.id", run["run_id"].clone()),
        ("tenant.id", json!("ann")),
        ("change", json!("update")),
        ("outcome", json!("applied")),
    ];
    for (key, value) in expected {
        assert_eq!(told[0][key], value, "{told:?}");
    }
    let fields = told[0]["fields"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["mapping", "name"]);
    for sides in fields.values() {
        assert!(sides["old"].as_str().unwrap().starts_with("sha256:") && sides["old"] != sides["new"], "{sides}");
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // It was renamed by what rotates logs.
    fs::rename(&path, directory.path().join("audit.jsonl.1")).unwrap();
    database.execute("update tenants set name = 'Anne' where id = 'ann'").await;
    let program = program.with("EXPLO_SYNC__LOG__AUDIT_VALUES", "true");
    assert_eq!(program.run(&["sync", "-q"]).await.code, 0, "the log's level does not matter");
    let mut told = lines(&path);
    told.sort_by_key(|line| line["change"].to_string());
    assert_eq!(told[0]["fields"]["name"], json!({"new": "\"Nia\""}));
    assert_eq!(told[1]["fields"], json!({"name": {"old": "\"Ann\"", "new": "\"Anne\""}}));
}

#[tokio::test]
async fn a_file_that_takes_no_lines_is_a_mistake_of_the_configuration() {
    let (_database, sandbox, program) = world().start().await;
    let directory = tempfile::tempdir().unwrap();
    for (path, cause) in [(directory.path().to_owned(), "it is a directory"), ("/nowhere/audit".into(), "No such file")]
    {
        let output = program.clone().with("EXPLO_SYNC__LOG__AUDIT_FILE", &path).run(&["sync"]).await;
        assert_eq!(output.code, 78, "{}", output.stderr);
        assert!(output.stderr.contains("log.audit_file") && output.stderr.contains(cause), "{}", output.stderr);
    }
    assert!(sandbox.take_calls().is_empty());
}

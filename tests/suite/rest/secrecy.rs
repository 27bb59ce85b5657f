//! What is not mapped is not kept: not in a log, a plan or a ledger.

use serde_json::json;

use super::{program, record, upstream};
use crate::support::{Answer, before};

/// In each record, and in nothing else.
const PRIVATE: [&str; 3] = ["DE0212030000", "Ann Holder", "+45 12345678"];

#[tokio::test]
async fn nothing_that_is_not_mapped_is_in_a_log_a_plan_or_a_ledger() {
    explo_sync::install_crypto();
    let mut records: Vec<_> = (1..=120).map(record).collect();
    records[6].as_object_mut().unwrap().remove("id");
    records[8]["id"] = json!({"iban": "DE02120300009999999999"});
    let page = json!({"data": records.clone()}).to_string();
    let sandbox = upstream(records).await;
    let (_, directory) = program("http://localhost/", &sandbox);
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (plan, ledger) = (file("plan.json"), file("ledger.db"));
    let mut printed = Vec::new();
    let bodies = [page.clone(), page[..page.len() / 2].to_owned(), format!("{{\"error\":{page}}}")];
    let statuses = bodies.into_iter().flat_map(|body| [200, 400, 401, 500].map(|status| (status, body.clone())));
    for (status, body) in [(0, String::new())].into_iter().chain(statuses) {
        let answers = status > 0;
        let url = before(&sandbox, move |asked| {
            (answers && asked.path.starts_with("/v2/customers?")).then(|| Answer::new(status, body.clone())).flatten()
        })
        .await;
        let (program, _directory) = program(&format!("{url}/v2/customers"), &sandbox);
        let program = program
            .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1")
            .with("EXPLO_SYNC__LEDGER__URL", &format!("sqlite:{ledger}"));
        for arguments in [
            &["check"] as &[&str],
            &["sync", "--dry-run", "--out", &plan, "-vv"],
            &["sync", "--show-values", "--allow", "create=200"],
            &["explain", "9"],
        ] {
            let output = program.run(arguments).await;
            printed.push((format!("{status} {arguments:?}"), output.stdout + &output.stderr));
        }
    }
    assert!(printed[2].1.contains("record without an id"), "{}", printed[2].1);
    for name in ["plan.json", "ledger.db", "ledger.db-wal"] {
        let bytes = std::fs::read(directory.path().join(name)).unwrap_or_default();
        printed.push((name.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    assert!(printed.iter().any(|(name, text)| name == "ledger.db" && text.contains("sandbox-token-")));
    for (what, text) in printed {
        for private in PRIVATE {
            assert!(!text.contains(private), "{private} in {what}: {text}");
        }
    }
}

//! An API of another shape: by configuration alone.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::Request, response::Response};
use serde_json::{Value, json};

use super::upstream;
use crate::support::{Program, stored};

const COLUMNS: &str = r#"{
    "provided_id": "acc-{/node/uid}",
    "name": ["/node/profile/display", "/node/profile/legal"],
    "emails": ["/node/owner/mail", "/node/mails"],
    "group_tags": ["/node/region", "api"],
    "properties.seats": "/node/limits/0/seats",
    "properties.plan": "{/node/tier}-plan",
    "mapping.40": "/node/store",
    "is_demo_group": "/node/flags/trial"
}"#;

/// Two nested records a page, each page naming the next; and the headers of each call.
async fn accounts() -> (String, Arc<Mutex<Vec<String>>>) {
    let node = |n: u32| {
        json!({"node": {
            "uid": n, "tier": "gold", "store": 200 + n, "region": "eu",
            "profile": {"display": if n == 2 { "" } else { "Display" }, "legal": format!("Legal {n}")},
            "owner": {"mail": format!("o{n}@a.example")}, "mails": [format!("m{n}@a.example"), format!("o{n}@a.example")],
            "limits": [{"seats": n * 10}], "flags": {"trial": n == 3},
        }})
    };
    let calls = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&calls);
    let app = Router::new().fallback(move |request: Request| {
        let key = request.headers()["x-api-key"].to_str().unwrap().to_owned();
        kept.lock().unwrap().push(format!("{} {key}", request.uri()));
        let after: u32 = request.uri().query().unwrap().split("after=").nth(1).unwrap_or("0").parse().unwrap();
        let nodes: Vec<_> = (after + 1..=5_u32).take(2).map(node).collect();
        let next = (after + 2 < 5).then(|| (after + 2).to_string());
        let page = json!({"result": {"edges": nodes, "paging": {"next": next, "all": "5"}}});
        async move { Response::new(page.to_string()) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/accounts", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, calls)
}

#[tokio::test]
async fn nested_records_behind_cursors_are_read_by_configuration_alone() {
    let (sandbox, (url, calls)) = (upstream([]).await, accounts().await);
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "my-secret-key").unwrap();
    let source = |key: &str| format!("EXPLO_SYNC__SOURCE__{key}");
    let program = [
        ("KIND", "rest"),
        ("URL", &url),
        ("TOKEN_FILE", token.to_str().unwrap()),
        ("TOKEN_HEADER", "X-Api-Key: {token}"),
        ("PAGING", "cursor"),
        ("CURSOR", "/result/paging/next"),
        ("PAGE_PARAMETER", "after"),
        ("SIZE_PARAMETER", "first"),
        ("PAGE_SIZE", "2"),
        ("RECORDS", "/result/edges"),
        ("TOTAL", "/result/paging/all"),
        ("RECORD_ID", "/node/uid"),
        ("COLUMNS", COLUMNS),
    ]
    .into_iter()
    .fold(Program::default(), |program, (key, value)| program.with(&source(key), value))
    .with("EXPLO_TOKEN", "test-team-token-0123456789")
    .with("EXPLO_SYNC__EXPLO__BASE_URL", &sandbox.url())
    .with("EXPLO_SYNC__FIELDS__CREATE_MISSING_TAGS", "true");

    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["outcomes"]["applied"]), (0, &json!(5)), "{report}");
    let asked =
        ["first=2", "first=2&after=2", "first=2&after=4"].map(|query| format!("/accounts?{query} my-secret-key"));
    assert_eq!(*calls.lock().unwrap(), asked);
    let mut second = stored(&sandbox, "acc-2");
    second["emails"].as_array_mut().unwrap().sort_by_key(Value::to_string);
    for (field, expected) in [
        ("name", json!("Legal 2")),
        ("emails", json!(["m2@a.example", "o2@a.example"])),
        ("group_tags", json!(["eu", "api"])),
        ("properties", json!({"seats": 20, "plan": "gold-plan"})),
        ("parent_schema_datasource_mapping", json!({"40": "202"})),
        ("is_demo_group", json!(false)),
    ] {
        assert_eq!(second[field], expected, "{field}");
    }
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["changes"]), (0, &json!([])));
}

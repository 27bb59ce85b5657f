//! The dashboard and the alerts in a real Prometheus that reads real daemons.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::TcpListener,
    path::Path,
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::{deploy, read};
use crate::{
    service::Daemon,
    support::{Kind, World},
};

/// A Prometheus that reads daemons each second and has the alerts.
struct Prometheus {
    url: String,
    _server: Child,
    _directory: TempDir,
}

impl Prometheus {
    fn reading(daemons: &[String]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("prometheus.yaml");
        let (rules, targets) = (deploy("prometheus/rules.yaml"), daemons.join(", "));
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{}]\nscrape_configs:\n  \
             - {{job_name: explo-sync, static_configs: [{{targets: [{targets}]}}]}}\n",
            rules.display()
        );
        fs::write(&file, config).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut server = Command::new("prometheus");
        server.args([flag("config.file", &file), flag("storage.tsdb.path", directory.path())]);
        server.arg(format!("--web.listen-address={address}")).kill_on_drop(true);
        let server = server.stderr(Stdio::null()).spawn().unwrap();
        Self { url: format!("http://{address}/api/v1"), _server: server, _directory: directory }
    }

    /// The data of an answer; `None` before it is ready.
    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let request = reqwest::Client::new().get(format!("{}/{path}", self.url)).query(query);
        let answer: Value = serde_json::from_str(&request.send().await.ok()?.text().await.ok()?).ok()?;
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        Some(answer["data"].clone())
    }

    /// The values of a query; waits until there are some.
    async fn values(&self, query: &str) -> Value {
        let found = async {
            loop {
                let data = self.ask("query", &[("query", query)]).await.unwrap_or_default();
                match data["result"].as_array() {
                    Some(values) if !values.is_empty() => return data["result"].clone(),
                    _ => sleep(Duration::from_millis(200)).await,
                }
            }
        };
        timeout(Duration::from_secs(30), found).await.unwrap_or_else(|_| panic!("no value: {query}"))
    }
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

/// The labels of each metric, in Prometheus' text.
fn labels(metrics: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut labels = BTreeMap::<_, BTreeSet<_>>::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let words = words(line);
        let names = words.windows(2).filter(|pair| pair[1] == "=").map(|pair| pair[0].clone());
        labels.entry(words[0].clone()).or_default().extend(names);
    }
    labels
}

/// The words and the other characters of a query, without its strings and spaces.
fn words(query: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in query.split('"').enumerate() {
        let mut is_open = false;
        for c in part.chars().filter(|_| number % 2 == 0) {
            let is_word = c.is_alphanumeric() || "_:$".contains(c);
            match words.last_mut() {
                Some(word) if is_word && is_open => String::push(word, c),
                _ if c == ' ' => {}
                _ => words.push(c.to_string()),
            }
            is_open = is_word;
        }
    }
    words
}

/// The metrics that a query names, and the labels: those in braces with their metric, all others with none.
fn named(query: &str) -> Vec<(Option<String>, String)> {
    let words = words(query);
    let (mut named, mut metric, mut is_list) = (Vec::new(), None, false);
    for (number, word) in words.iter().enumerate() {
        let (before, after) = (number.checked_sub(1).map(|number| &*words[number]), words.get(number + 1));
        let is_ours = ["explo_sync_", "process_"].iter().any(|prefix| word.starts_with(prefix));
        match &**word {
            "(" => is_list = matches!(before, Some("by" | "on" | "ignoring" | "without")),
            ")" => is_list = false,
            "}" => metric = None,
            _ if is_ours => {
                named.push((Some(word.clone()), String::new()));
                metric = after.filter(|after| *after == "{").map(|_| word.clone());
            }
            "{" | "," => {}
            _ if is_list => named.push((None, word.clone())),
            _ if metric.is_some() && matches!(before, Some("{" | ",")) => named.push((metric.clone(), word.clone())),
            _ => {}
        }
    }
    named
}

/// Every metric that a query names is exported, with its labels.
fn assert_exported(query: &str, exported: &BTreeMap<String, BTreeSet<String>>) {
    let named = named(query);
    let metrics: Vec<_> = named.iter().filter_map(|(metric, _)| metric.as_ref()).collect();
    assert!(!metrics.is_empty(), "{query}");
    for (metric, label) in &named {
        let of = metric.as_ref().map_or_else(|| metrics.clone(), |metric| vec![metric]);
        let missing = |name: &str| panic!("{name} is not exported: {query}");
        let labels_of = |name: &String| exported.get(name).unwrap_or_else(|| missing(name));
        let labels: BTreeSet<_> = of.into_iter().flat_map(labels_of).collect();
        let is_given = ["", "instance", "job"].contains(&&**label);
        assert!(is_given || labels.contains(label), "{label} is no label of {metric:?} in {query}");
    }
}

/// The labels in a legend.
fn shown(legend: &str) -> impl Iterator<Item = &str> {
    legend.split("{{").skip(1).map(|part| part.split("}}").next().unwrap())
}

#[tokio::test]
async fn every_query_of_the_dashboard_has_values_of_real_daemons_and_no_alert_fires() {
    let token = tempfile::NamedTempFile::new().unwrap();
    fs::write(&token, "ops-token").unwrap();
    let world = World::of([("a", "Ann"), ("b", "Bob")]).on(Kind::Postgres).with_ledger();
    let (_database, _sandbox, program) = world.start().await;
    let program = program
        .with("EXPLO_SYNC__SCHEDULE__CRON", "* * * * * *")
        .with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0")
        .with("EXPLO_SYNC__OPS__TOKEN_FILE", token.path());
    let (mut daemons, mut addresses) = (Vec::new(), Vec::new());
    for until in ["run ended", "standing by"] {
        let mut daemon = Daemon::start(&program, &[]);
        let line: Value = serde_json::from_str(&daemon.says("ops server listens").await).unwrap();
        addresses.push(line["address"].as_str().unwrap().to_owned());
        daemon.says(until).await;
        daemons.push(daemon);
    }
    daemons[0].says_until("run ended").await;
    let metrics = reqwest::get(format!("http://{}/metrics", addresses[0])).await.unwrap().text().await.unwrap();
    let exported = labels(&metrics);
    let prometheus = Prometheus::reading(&addresses);
    assert_eq!(prometheus.values("count(explo_sync_standby) == 2").await[0]["value"][1], "2");

    let dashboard: Value = serde_json::from_str(&read("grafana/dashboard.json")).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
    let mut queries = 0;
    for target in targets.flatten() {
        let query = target["expr"].as_str().unwrap();
        assert_exported(query, &exported);
        let told = named(query);
        for label in shown(target["legendFormat"].as_str().unwrap()) {
            let is_kept = told.iter().any(|(metric, kept)| metric.is_none() && kept == label);
            assert!(is_kept, "{label} is not left of {query}");
        }
        let query = query.replace("$sync_instance", "default").replace("$__rate_interval", "5s");
        prometheus.values(&query).await;
        queries += 1;
    }
    assert!(queries > 25, "{queries}");
    let variable = dashboard["templating"]["list"][1]["query"]["query"].as_str().unwrap();
    let (metric, label) = variable.strip_prefix("label_values(").unwrap().split_once(", ").unwrap();
    assert!(exported[metric].contains(label.trim_end_matches(')')), "{variable}");

    let groups = prometheus.ask("rules", &[]).await.unwrap();
    let rules = groups["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), read("prometheus/rules.yaml").matches("- alert: ").count());
    for rule in rules {
        assert_exported(rule["query"].as_str().unwrap(), &exported);
        assert_eq!((&rule["state"], &rule["health"]), (&"inactive".into(), &"ok".into()), "{rule}");
    }
}

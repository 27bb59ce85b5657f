//! Changes at once: the real daemon, with its real origins.

mod beside;
mod changed;
mod kept;
mod leaving;
mod listen;
mod post;
mod quick;

use std::time::Duration;

use explo_sync::sandbox::Sandbox;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::{
    service::Daemon,
    support::{Database, Kind, Program, World, endpoints, is_named},
};

const TOKEN: &str = "ops-token-0123456789";

/// Never while a test runs.
const NEVER: &str = "0 0 1 1 *";

/// A daemon with `POST /sync/{id}`, after its first run.
struct Woken {
    database: Database,
    sandbox: Sandbox,
    program: Program,
    daemon: Daemon,
    address: String,
    // One for all requests: to make one takes longer than a connection may be idle, if many are made at once.
    client: reqwest::Client,
    _token: NamedTempFile,
}

/// The answer to a request.
struct Answered {
    status: u16,
    body: Value,
    headers: reqwest::header::HeaderMap,
}

impl Woken {
    async fn start(world: World) -> Self {
        let (database, sandbox, program) = world.start().await;
        Self::between(database, sandbox, program).await
    }

    async fn between(database: Database, sandbox: Sandbox, program: Program) -> Self {
        let mut woken = Self::serving(database, sandbox, program).await;
        woken.daemon.says("run ended").await;
        drop(woken.sandbox.take_calls());
        woken
    }

    /// The same, in its first run.
    async fn serving(database: Database, sandbox: Sandbox, program: Program) -> Self {
        let token = NamedTempFile::new().unwrap();
        std::fs::write(token.path(), format!("{TOKEN}\n")).unwrap();
        let program = program
            .with("EXPLO_SYNC__SCHEDULE__CRON", NEVER)
            .with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0")
            .with("EXPLO_SYNC__OPS__TOKEN_FILE", token.path());
        let mut daemon = Daemon::start(&program, &[]);
        let line: Value = serde_json::from_str(&daemon.says("ops server listens").await).unwrap();
        let address = line["address"].as_str().unwrap().to_owned();
        Self { database, sandbox, program, daemon, address, client: reqwest::Client::new(), _token: token }
    }

    async fn post(&self, id: &str) -> Answered {
        self.post_with(id, &format!("Bearer {TOKEN}")).await
    }

    async fn post_with(&self, id: &str, authorization: &str) -> Answered {
        let request = self.client.post(format!("http://{}/sync/{id}", self.address));
        let answer = request.header("authorization", authorization).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        Answered { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)), headers }
    }

    async fn get(&self, path: &str) -> String {
        reqwest::get(format!("http://{}{path}", self.address)).await.unwrap().text().await.unwrap()
    }

    /// The calls since the last time, in the order of their ends.
    fn calls(&self) -> Vec<String> {
        endpoints(&self.sandbox.take_calls()).into_iter().map(str::to_owned).collect()
    }

    /// Waits until a customer with this id has this name.
    async fn has(&self, id: &str, name: &str) {
        is_named(&self.sandbox, id, name).await;
    }

    /// Waits until the wakes of an origin had these outcomes.
    async fn has_outcomes(&self, origin: &str, outcomes: &[(&str, u32)]) {
        let line = |(outcome, count): &(&str, u32)| {
            let labels = format!(r#"sync_instance="default",origin="{origin}",outcome="{outcome}""#);
            format!("explo_sync_wakes_total{{{labels}}} {count}\n")
        };
        let lines: Vec<_> = outcomes.iter().map(line).collect();
        let mut metrics = String::new();
        for _ in 0..400 {
            metrics = self.get("/metrics").await;
            if lines.iter().all(|line| metrics.contains(line)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{lines:?} are not in {metrics}");
    }

    async fn ends(self) {
        self.daemon.signal("-TERM").await;
        assert_eq!(self.daemon.ends().await, Some(0));
    }
}

/// Two tenants, one without a customer yet.
fn world(kind: Kind) -> World {
    World::of([("a", "Ann"), ("b", "Bob")]).on(kind)
}

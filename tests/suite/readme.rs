//! The README's section *From a sign-up to an embedded dashboard*, followed word by word: its blocks are read from the file and
//! carried out in their order, by a shell, with a real PostgreSQL, the real program and a sandbox.
//!
//! Only addresses are replaced: the database's host, and the daemon's port, which another program may have.

use std::{os::unix::fs::symlink, path::PathBuf, process::Stdio};

use explo_sync::sandbox::Sandbox;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use url::Url;

use crate::{
    service::Daemon,
    support::{Database, Kind, PROGRAM, Program, Server, endpoints, is_named, sandbox},
};

const README: &str = include_str!("../../README.md");

const SECTION: &str = "\n### From a sign-up to an embedded dashboard\n";

/// The host of the example's database, and where the daemon of the example answers: the default.
const HOST: &str = "db.internal";
const ADDRESS: &str = "127.0.0.1:9464";

/// Never while the test runs.
const NEVER: &str = "0 0 1 1 *";

/// The text of the section.
fn section() -> &'static str {
    README.split_once(SECTION).unwrap().1.split("\n## ").next().unwrap()
}

/// Its blocks of code in their order, each with its language; an indented one has none.
fn blocks() -> Vec<(&'static str, String)> {
    let (mut blocks, mut lines) = (Vec::new(), section().lines().peekable());
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block = lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>();
            blocks.push((language, block.join("\n")));
        } else if let Some(first) = line.strip_prefix("    ") {
            let mut block = vec![first];
            while let Some(next) = lines.peek().and_then(|line| line.strip_prefix("    ")) {
                block.push(next);
                lines.next();
            }
            blocks.push(("", block.join("\n")));
        }
    }
    blocks
}

/// How many calls the section's table claims for such a tenant.
fn claimed(tenant: &str) -> usize {
    let row = section().lines().find_map(|line| line.strip_prefix(&format!("| {tenant} | ")));
    row.unwrap().split([':', ' ']).next().unwrap().parse().unwrap()
}

/// The reader's machine: a directory to work in, the database `app`, and an Explo without customers.
struct Example {
    directory: TempDir,
    server: Server,
    app: Database,
    sandbox: Sandbox,
    program: Program,
}

impl Example {
    async fn new() -> Self {
        explo_sync::install_crypto();
        let (directory, server, sandbox) =
            (tempfile::tempdir().unwrap(), Server::postgres(&[]).await, sandbox([]).await);
        Database::at(Kind::Postgres, &server.url).execute("create database app").await;
        let app =
            Database::at(Kind::Postgres, &server.url.replace("/postgres", "/app").replace("//app@", "//postgres@"));
        app.execute(
            "create table tenants (id text primary key, name text, updated_at timestamptz not null default now());
             create role explo_sync login;
             grant select on tenants to explo_sync;
             grant create on schema public to explo_sync",
        )
        .await;
        symlink(PROGRAM, directory.path().join("explo-sync")).unwrap();
        let program = Program::default()
            .within(directory.path())
            .with("EXPLO_TOKEN", "test-team-token-0123456789")
            .with("EXPLO_SYNC__EXPLO__BASE_URL", &sandbox.url())
            .with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "6000000")
            .with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0")
            .with("EXPLO_SYNC__SCHEDULE__CRON", NEVER);
        Self { directory, server, app, sandbox, program }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn port(&self) -> String {
        self.server.url.parse::<Url>().unwrap().port().unwrap().to_string()
    }

    /// Writes the configuration to where the program looks for it.
    fn configure(&self, config: &str) {
        assert!(config.contains(HOST), "{config}");
        let config = config.replace(HOST, &format!("127.0.0.1:{}", self.port()));
        std::fs::write(self.path("explo-sync.toml"), config).unwrap();
    }

    /// Starts the daemon, and waits until its first run has ended; also returns its address.
    async fn start(&self) -> (Daemon, String) {
        let mut daemon = Daemon::start(&self.program, &[]);
        let line: Value = serde_json::from_str(&daemon.says("ops server listens").await).unwrap();
        daemon.says("run ended").await;
        drop(self.sandbox.take_calls());
        (daemon, line["address"].as_str().unwrap().to_owned())
    }

    /// What a command line prints for this user of the database.
    async fn types(&self, command: &str, user: &str) -> String {
        let path = std::env::var_os("PATH").unwrap();
        let paths = std::iter::once(self.directory.path().to_owned()).chain(std::env::split_paths(&path));
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.directory.path()).env_clear().stdin(Stdio::null());
        shell.env("PATH", std::env::join_paths(paths).unwrap());
        shell.envs([("PGHOST", "127.0.0.1"), ("PGPORT", &*self.port()), ("PGUSER", user)]);
        let output = shell.output().await.unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{command}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until a customer has this name.
    async fn has(&self, id: &str, name: &str) {
        is_named(&self.sandbox, id, name).await;
    }

    fn token_of(&self, id: &str) -> String {
        let customers = self.sandbox.customers();
        customers.into_iter().find(|one| one.provided_id.as_deref() == Some(id)).unwrap().token
    }

    /// The calls since the last time.
    fn calls(&self) -> Vec<String> {
        endpoints(&self.sandbox.take_calls()).into_iter().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn from_a_sign_up_to_an_embedded_dashboard() {
    let languages: Vec<_> = blocks().into_iter().map(|(language, _)| language).collect();
    assert_eq!(languages, ["toml", "", "json", "", "", "", "html", "js", "html"]);
    let blocks: Vec<_> = blocks().into_iter().map(|(_, block)| block).collect();
    let [config, ask, answer, apply, query_changed, select, ..] = &blocks[..] else { panic!("{blocks:?}") };
    let example = Example::new().await;
    example.configure(config);
    let secret = config.split("such as the output of: ").nth(1).unwrap().lines().next().unwrap();
    example.types(&format!("{secret} > ops-token"), "postgres").await;
    let (daemon, address) = example.start().await;
    assert!(ask.contains(ADDRESS) && explo_sync::config::DEFAULT.contains(&format!("\nlisten = \"{ADDRESS}\"\n")));
    let asked = ask.replace(ADDRESS, &address);

    // Ask, and get the token.
    let ask = async |command: &str| serde_json::from_str::<Value>(&example.types(command, "postgres").await).unwrap();
    assert_eq!(ask(&asked).await["outcome"], "invalid", "no row has the id");
    example.app.execute("insert into tenants values ('acme', 'Acme')").await;
    let answered = ask(&asked).await;
    let token = example.token_of("acme");
    assert_eq!(answered, serde_json::from_str::<Value>(&answer.replace('…', &token)).unwrap());
    assert_eq!((example.calls().len(), claimed("is not known to the ledger")), (1, 1));
    assert_eq!(ask(&asked).await["outcome"], "unchanged");
    assert_eq!((example.calls().len(), claimed("equals what the ledger remembers")), (0, 0));

    // Or just commit.
    for _ in 0..2 {
        example.types(apply, "postgres").await;
    }
    example.app.execute("insert into tenants values ('globex', 'Globex')").await;
    example.has("globex", "Globex").await;
    assert_eq!(example.calls(), ["create_customer"]);
    example.app.execute("update tenants set name = 'Globex & Co.' where id = 'globex'").await;
    example.has("globex", "Globex & Co.").await;
    assert_eq!(example.calls(), ["get_customer", "update_customer"]);
    assert_eq!(claimed("is known and differs"), 2);
    example.app.execute("update tenants set name = name").await;
    for id in ["acme", "globex"] {
        assert_eq!(ask(&asked.replace("acme", id)).await["outcome"], "unchanged");
    }
    assert_eq!(example.calls(), [""; 0]);
    let check = example.program.run(&["check"]).await;
    assert!(check.code == 0 && check.stdout.contains("notifications arrive"), "{check:?}");

    // In a process of its own.
    assert!(section().contains("`explo-sync sync --only acme`"));
    drop(example.calls());
    assert_eq!(example.program.run(&["sync", "--only", "acme"]).await.code, 0);
    assert_eq!(example.calls(), ["get_customer"]);
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));

    // Or let the daemon ask.
    example.configure(&config.replace("listen = \"explo_sync\"", query_changed));
    let (daemon, _) = example.start().await;
    example.app.execute("insert into tenants values ('initech', 'Initech')").await;
    example.has("initech", "Initech").await;
    assert_eq!(example.calls(), ["create_customer"]);
    daemon.signal("-TERM").await;
    assert_eq!(daemon.ends().await, Some(0));

    // Fewer listings.
    assert!(section().contains("`explo.list_every = \"1h\"`"));
    let rarely = example.program.clone().with("EXPLO_SYNC__EXPLO__LIST_EVERY", "1h");
    for (arguments, pages) in [(&[][..], 0), (&["--retry-failed"], 1)] {
        let (code, report) = rarely.sync(arguments).await;
        assert_eq!((code, &report["listing"]["pages"]), (0, &json!(pages)));
        assert_eq!(example.calls().len(), pages);
    }

    // With the token from the ledger.
    let selected = example.types(&format!("psql -At app -c \"{select}\""), "explo_sync").await;
    assert_eq!(selected, format!("{token}\n"));
}

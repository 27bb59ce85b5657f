//! The real binary, with an environment of its own.

use std::{
    collections::BTreeMap,
    io::{Write, pipe},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
};

use explo_sync::sandbox::Sandbox;
use serde_json::Value;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::{
    Database,
    kept::{Kept, keeping},
};

/// How the program is called. It logs everything, unless the test says how much, and all that it prints is kept.
#[derive(Clone, Default)]
pub struct Program {
    variables: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    memory: Option<u32>,
}

/// What it left behind.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    /// Between a database and a sandbox, as fast as they go.
    pub fn between(database: &Database, sandbox: &Sandbox, query: &str) -> Self {
        Self::default()
            .with("DATABASE_URL", &database.url)
            .with("EXPLO_TOKEN", "test-team-token-0123456789")
            .with("EXPLO_SYNC__SOURCE__QUERY", query)
            .with("EXPLO_SYNC__EXPLO__BASE_URL", &sandbox.url())
            .with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "6000000")
    }

    /// With one more variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// In this working directory.
    pub fn within(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// With so many KiB of memory and no more.
    pub fn in_memory(mut self, most: u32) -> Self {
        self.memory = Some(most);
        self
    }

    /// Runs it to its end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut kept = Kept::of(arguments);
        let output = self.command(arguments).output().await.unwrap();
        kept.stdout.write_all(&output.stdout).unwrap();
        kept.stderr.write_all(&output.stderr).unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs `sync --output json` with further arguments, and reads its report.
    pub async fn sync(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[&["sync", "--output", "json"], arguments].concat()).await;
        (output.code, output.json())
    }

    /// Starts it, to be waited for by the caller; its stdout can be read.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let (kept, (reader, writer)) = (Kept::of(arguments), pipe().unwrap());
        let mut child = self.command(arguments).stdout(writer).stderr(kept.stderr).spawn().unwrap();
        let stdout = OwnedFd::from(keeping(reader, kept.stdout));
        child.stdout = Some(ChildStdout::from_std(stdout.into()).unwrap());
        child
    }

    /// Runs it on a terminal of its own: all that this shows.
    pub async fn on_terminal(&self, arguments: &str) -> String {
        let line = format!("{} {arguments}", env!("CARGO_BIN_EXE_explo-sync"));
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env_clear().envs(&self.variables).env("TERM", "xterm");
        script.env("PATH", "/usr/bin:/bin").current_dir(std::env::temp_dir()).stdin(Stdio::null());
        String::from_utf8(script.output().await.unwrap().stdout).unwrap()
    }

    /// Starts it, to be waited for by the caller; its log can be read.
    pub fn watch(&self, arguments: &[&str]) -> Child {
        let (kept, (reader, writer)) = (Kept::of(arguments), pipe().unwrap());
        let mut child = self.command(arguments).stdout(kept.stdout).stderr(writer).spawn().unwrap();
        let stderr = OwnedFd::from(keeping(reader, kept.stderr));
        child.stderr = Some(ChildStderr::from_std(stderr.into()).unwrap());
        child
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_explo-sync");
        let mut command = match self.memory {
            None => Command::new(program),
            Some(most) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!(r#"ulimit -d {most} && exec "$0" "$@""#), program]);
                shell
            }
        };
        let directory = self.directory.clone().unwrap_or_else(std::env::temp_dir);
        command.args(arguments).env_clear().env("EXPLO_SYNC__LOG__LEVEL", "trace").envs(&self.variables);
        command.current_dir(directory).kill_on_drop(true);
        command
    }
}

/// Sends a signal, such as `-TERM`.
pub async fn signal(child: &Child, signal: &str) {
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
}

impl Output {
    /// The report, which must be all of stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

//! The real binary, with an environment of its own.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::{Write, pipe},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use explo_sync::sandbox::Sandbox;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::{
    Answer, Asked, Database, before,
    kept::{Kept, keeping},
};

/// The file of the program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_explo-sync");

/// How to call the program. It logs everything, unless the test sets a level, and all its output is kept.
#[derive(Clone, Default)]
pub struct Program {
    variables: BTreeMap<String, OsString>,
    directory: Option<PathBuf>,
    /// An option of `ulimit` with a number.
    limit: Option<String>,
    parent: Parent,
}

/// The way to start the program.
#[derive(Clone, Copy, Default)]
enum Parent {
    #[default]
    Test,
    /// As the first process of a container.
    Unshare,
    /// Through [`FREEZER`].
    Freezer,
    /// Without root's right to open any file.
    Setpriv,
}

/// Starts a program; at SIGUSR1 stops only its first thread, as if that thread computed.
const FREEZER: &str = "
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
libc.ptrace.argtypes = [ctypes.c_long] * 4
child = os.fork()
if child == 0:
    libc.prctl(1, signal.SIGKILL)
    os.execv(sys.argv[1], sys.argv[1:])
def freeze(*_):
    for request in 0x4206, 0x4207:
        if libc.ptrace(request, child, 0, 0):
            sys.exit('it cannot be stopped')
signal.signal(signal.SIGUSR1, freeze)
status = os.waitpid(child, 0)[1]
while os.WIFSTOPPED(status):
    status = os.waitpid(child, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status))
";

/// What the program left behind.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    /// Between a database and a sandbox, as fast as possible.
    pub fn between(database: &Database, sandbox: &Sandbox, query: &str) -> Self {
        let program = Self::at(&database.url, &sandbox.url(), query);
        program.with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "6000000")
    }

    /// Between the database and the Explo at these addresses.
    pub fn at(database: &str, explo: &str, query: &str) -> Self {
        Self::default()
            .with("DATABASE_URL", database)
            .with("EXPLO_TOKEN", "test-team-token-0123456789")
            .with("EXPLO_SYNC__SOURCE__QUERY", query)
            .with("EXPLO_SYNC__EXPLO__BASE_URL", explo)
    }

    /// The same, where some calls to the sandbox are answered by something else.
    pub async fn behind(
        &self,
        sandbox: &Sandbox,
        answer: impl Fn(&Asked<'_>) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        self.clone().with("EXPLO_SYNC__EXPLO__BASE_URL", &before(sandbox, answer).await)
    }

    /// Adds a variable.
    pub fn with(mut self, name: &str, value: &(impl AsRef<OsStr> + ?Sized)) -> Self {
        self.variables.insert(name.to_owned(), value.as_ref().to_owned());
        self
    }

    /// With all variables of another.
    pub(super) fn and(mut self, further: Self) -> Self {
        self.variables.extend(further.variables);
        self
    }

    /// Sets the working directory.
    pub fn within(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Limits its memory, in KiB.
    pub fn in_memory(mut self, most: u32) -> Self {
        self.limit = Some(format!("-d {most}"));
        self
    }

    /// Limits the size of its files, in bytes, a multiple of 512: as on a full disk.
    pub fn on_disk(mut self, most: u32) -> Self {
        self.limit = Some(format!("-f {}", most / 512));
        self
    }

    /// Limits its descriptors.
    pub fn with_descriptors(mut self, most: u32) -> Self {
        self.limit = Some(format!("-n {most}"));
        self
    }

    /// Makes it the first process of a container, where a signal without a handler does nothing. If this machine does
    /// not allow that, starts it with the signals ignored that would end it: the same effect, unless the program undoes
    /// it.
    pub fn in_container(mut self) -> Self {
        self.parent = Parent::Unshare;
        self
    }

    /// Lets [`freeze`] stop its first thread.
    pub fn freezable(mut self) -> Self {
        self.parent = Parent::Freezer;
        self
    }

    /// Runs it as a user to whom file permissions apply.
    pub fn without_rights(mut self) -> Self {
        self.parent = Parent::Setpriv;
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

    /// Saves the plan of a dry run, in a directory that goes with what is returned.
    pub async fn saved(&self) -> (TempDir, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plan.json").to_str().unwrap().to_owned();
        assert_eq!(self.sync(&["--dry-run", "--out", &path]).await.0, 0);
        (directory, path)
    }

    /// Starts it; the caller waits for its end, and can read its stdout.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let (kept, (reader, writer)) = (Kept::of(arguments), pipe().unwrap());
        let mut child = self.command(arguments).stdout(writer).stderr(kept.stderr).spawn().unwrap();
        let stdout = OwnedFd::from(keeping(reader, kept.stdout));
        child.stdout = Some(ChildStdout::from_std(stdout.into()).unwrap());
        child
    }

    /// Runs it on a terminal of its own; returns all that the terminal shows.
    pub async fn on_terminal(&self, arguments: &str) -> String {
        String::from_utf8(self.on_terminal_after("true", arguments).output().await.unwrap().stdout).unwrap()
    }

    /// The command that runs it on a terminal of its own, after another command.
    pub fn on_terminal_after(&self, before: &str, arguments: &str) -> Command {
        let line = format!("{before}; exec {PROGRAM} {arguments}");
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env_clear().env("TERM", "xterm").envs(&self.variables);
        script.env("PATH", "/usr/bin:/bin").current_dir(std::env::temp_dir()).stdin(Stdio::null());
        script
    }

    /// Starts it; the caller waits for its end, and can read its log.
    pub fn watch(&self, arguments: &[&str]) -> Child {
        let (kept, (reader, writer)) = (Kept::of(arguments), pipe().unwrap());
        let mut child = self.command(arguments).stdout(kept.stdout).stderr(writer).spawn().unwrap();
        let stderr = OwnedFd::from(keeping(reader, kept.stderr));
        child.stderr = Some(ChildStderr::from_std(stderr.into()).unwrap());
        child
    }

    /// Starts it with this stdout; the caller can read its log.
    pub fn watch_into(&self, arguments: &[&str], stdout: impl Into<Stdio>) -> Child {
        let (kept, (reader, writer)) = (Kept::of(arguments), pipe().unwrap());
        let mut child = self.command(arguments).stdout(stdout).stderr(writer).spawn().unwrap();
        let stderr = OwnedFd::from(keeping(reader, kept.stderr));
        child.stderr = Some(ChildStderr::from_std(stderr.into()).unwrap());
        child
    }

    /// Starts it with these outputs; nothing is kept.
    pub fn start_into(&self, arguments: &[&str], stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Child {
        self.command(arguments).stdout(stdout).stderr(stderr).spawn().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match (&self.limit, self.parent) {
            (None, Parent::Unshare) => first_of_a_container(PROGRAM),
            (None, Parent::Setpriv) if std::fs::metadata("/proc/self").unwrap().uid() == 0 => {
                let mut setpriv = Command::new("setpriv");
                setpriv.args(["--bounding-set=-all", "--inh-caps=-all", PROGRAM]);
                setpriv
            }
            (None, Parent::Test | Parent::Setpriv) => Command::new(PROGRAM),
            (None, Parent::Freezer) => {
                let mut python = Command::new("python3");
                python.args(["-c", FREEZER, PROGRAM]);
                python
            }
            (Some(limit), _) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!(r#"trap "" XFSZ && ulimit {limit} && exec "$0" "$@""#), PROGRAM]);
                shell
            }
        };
        let directory = self.directory.clone().unwrap_or_else(std::env::temp_dir);
        command.args(arguments).env_clear().env("EXPLO_SYNC__LOG__LEVEL", "trace").envs(&self.variables);
        command.current_dir(directory).kill_on_drop(true);
        command
    }
}

/// Sends a signal such as `-TERM`: to the first process of the container, if there is one, else to the child.
pub async fn signal(child: &Child, signal: &str) {
    let id = process(child).to_string();
    assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
}

/// Waits until the first thread of a process is in the middle of a write to its stdout.
pub async fn fills_stdout(child: &Child) {
    let write = if cfg!(target_arch = "x86_64") { "1" } else { "64" };
    is_calling(process(child), |call| call.starts_with(&format!("{write} 0x1 "))).await;
}

/// Stops only the first thread of a process, as if it computed from now on.
pub async fn freeze(child: &Child) {
    let (id, waits) = (process(child), if cfg!(target_arch = "x86_64") { ["232 ", "281 "] } else { ["22 ", "441 "] });
    is_calling(id, |call| waits.iter().any(|wait| call.starts_with(wait))).await;
    let freezer = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-USR1", &freezer]).status().await.unwrap().success());
    let is_frozen = || {
        let stat = std::fs::read_to_string(format!("/proc/{id}/task/{id}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().starts_with('t')
    };
    while !is_frozen() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until the first thread of a process is in a system call that fits.
async fn is_calling(id: u32, call: impl Fn(&str) -> bool) {
    while !call(&std::fs::read_to_string(format!("/proc/{id}/task/{id}/syscall")).unwrap()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The process of the program itself, even if another process started it.
fn process(child: &Child) -> u32 {
    let id = child.id().unwrap();
    let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap();
    if !["unshare", "python3"].contains(&name.trim()) {
        return id;
    }
    loop {
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().unwrap();
        }
        std::thread::yield_now();
    }
}

/// Runs a program as the first process of a container, in the first way that this machine allows.
fn first_of_a_container(program: &str) -> Command {
    let container = ["--pid", "--fork", "--kill-child"];
    for user in [&[][..], &["--user", "--map-root-user"]] {
        let options = [user, &container].concat();
        let tried = std::process::Command::new("unshare").args(&options).arg("true").stderr(Stdio::null()).status();
        if tried.is_ok_and(|status| status.success()) {
            let mut command = Command::new("unshare");
            command.args(options).arg(program);
            return command;
        }
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"trap "" TERM INT && exec "$0" "$@""#, program]);
    command
}

impl Output {
    /// The report; fails if stdout contains anything else.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

//! The browser of `tests/run --browser`.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

/// A page in the browser, after its script ran, and whatever the browser complained about.
pub async fn open(url: &str, more: &[String]) -> (String, Vec<String>) {
    let (profile, browser) = (TempDir::new().unwrap(), std::env::var_os("TEST_BROWSER").unwrap());
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(more).args(["--dump-dom", url]).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaints = stderr.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    (String::from_utf8(output.stdout).unwrap(), complaints)
}

//! The metrics of runs in a cluster: the sidecar sends what a run wrote.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
    thread,
};

use super::{build, run};
use crate::support::World;

/// The sidecar's script, with its own directory for the file.
fn script(directory: &str) -> String {
    let manifests = build("overlays/cronjob-pushgateway");
    let (_, rest) = manifests.split_once("          - args:\n            - |\n").unwrap();
    let lines = rest.lines().take_while(|line| line.starts_with("              "));
    let script: Vec<_> = lines.map(str::trim).collect();
    script.join("\n").replace("/metrics/explo-sync.prom", &format!("{directory}/explo-sync.prom"))
}

/// The first request to a server, with its body.
fn first_request(listener: &TcpListener) -> (String, String) {
    let (mut stream, _) = listener.accept().unwrap();
    let (mut request, mut buffer) = (String::new(), [0; 8192]);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        request.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() == length.unwrap_or(0) {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            return (head.to_owned(), body.to_owned());
        }
    }
}

#[tokio::test]
async fn the_sidecar_sends_what_the_run_wrote_when_it_is_stopped() {
    let (_database, _sandbox, program) = World::of([("a", "Ann")]).start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("explo-sync.prom");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // It says when it has begun to wait.
    let script = script(directory.path().to_str().unwrap()).replace("while :;", "echo; while :;");
    let mut sidecar = Command::new("sh");
    sidecar.args(["-c", &script]).env("PUSHGATEWAY", address).env("NAMESPACE", "explo-eu").stdout(Stdio::piped());
    let mut sidecar = sidecar.spawn().unwrap();
    sidecar.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    assert_eq!(program.run(&["sync", &format!("--metrics-file={}", file.display())]).await.code, 0);
    let pushed = thread::spawn(move || first_request(&listener));
    assert!(run("kill", &["-TERM", &sidecar.id().to_string()]).0);
    let (head, body) = pushed.join().unwrap();
    assert!(head.starts_with("POST /metrics/job/explo-sync/instance/explo-eu HTTP/1.1\r\n"), "{head}");
    assert_eq!(body, fs::read_to_string(file).unwrap());
    assert!(body.contains(r#"explo_sync_last_run_exit_code{sync_instance="default"} 0"#), "{body}");
    assert!(sidecar.wait().unwrap().success());
}

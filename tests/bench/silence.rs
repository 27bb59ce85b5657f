//! How long a daemon is silent while it computes: it reads and plans so many tenants again and again, none of which is listed,
//! and is asked all the time. Prints a table, in ms; takes about two minutes.
//!
//! The ping of the lock is late by the time from when it was due to when it finds that the lock is lost. SIGTERM comes when a
//! plan begins to be made.
//!
//! `cargo bench --bench silence`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "it fails by panicking, and its result is printed")]
#![allow(unreachable_pub, dead_code, reason = "the module is shared with other benches")]

mod loopback;

use std::{
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use axum::Router;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{ChildStderr, Command},
};

use loopback::{program, serve};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

const STARTS: usize = 3;

/// Between two pings of a lock.
const PING: Duration = Duration::from_secs(5);

const NOBODY: &str = r#"{"total_count": 0, "results": {"customers": []}}"#;

/// The longest times of some starts.
#[derive(Default)]
struct Longest {
    livez: Duration,
    metrics: Duration,
    ping: Duration,
    sigterm: Duration,
    end: Duration,
}

#[tokio::main]
async fn main() {
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let explo = serve(Router::new().fallback(async || NOBODY)).await;
    println!("{:>9} {:>8} {:>8} {:>8} {:>8} {:>8}", "tenants", "/livez", "/metrics", "ping", "SIGTERM", "end");
    for size in SIZES {
        let mut longest = Longest::default();
        for _ in 0..STARTS {
            start(size, &explo, &mut longest).await;
        }
        let Longest { livez, metrics, ping, sigterm, end } = longest;
        let times = [livez, metrics, ping, sigterm, end].map(|time| format!("{:>8.1}", 1000.0 * time.as_secs_f64()));
        println!("{size:>9} {}", times.join(" "));
    }
}

/// Starts a daemon, asks it, takes its lock away, and stops it.
async fn start(size: usize, explo: &str, longest: &mut Longest) {
    let directory = tempfile::tempdir().unwrap();
    let query = format!(
        "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < {size}) \
         select 'customer-' || (n * 7919 % 1000003) as provided_id, 'Tenant ' || n as name from numbers"
    );
    let mut daemon = program("run", directory.path(), &query, explo);
    daemon
        .arg("-v")
        .env("EXPLO_SYNC__SCHEDULE__CRON", "* * * * * *")
        .env("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0")
        .stderr(Stdio::piped());
    let mut daemon = daemon.spawn().unwrap();
    let mut log = BufReader::new(daemon.stderr.take().unwrap()).lines();
    let line = says(&mut log, "ops server listens").await;
    let address = line.split('"').find(|part| part.starts_with("127.0.0.1:")).unwrap().to_owned();
    let ends = Arc::<AtomicBool>::default();
    let [livez, metrics] = ["/livez", "/metrics"].map(|path| ask(address.clone(), path, &ends));
    says(&mut log, "run begins").await;
    let locked = Instant::now();
    let mut files = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
    fs::remove_file(files.find(|file| file.to_string_lossy().ends_with("~daemon.lock")).unwrap()).unwrap();
    says(&mut log, "the lock is lost").await;
    longest.ping = longest.ping.max(locked.elapsed().saturating_sub(PING));
    says(&mut log, "listed the customers").await;
    ends.store(true, Ordering::Relaxed);
    longest.livez = longest.livez.max(livez.join().unwrap());
    longest.metrics = longest.metrics.max(metrics.join().unwrap());

    says(&mut log, "listed the customers").await;
    let stopped = Instant::now();
    let id = daemon.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    says(&mut log, "stopping").await;
    longest.sigterm = longest.sigterm.max(stopped.elapsed());
    while log.next_line().await.unwrap().is_some() {}
    assert!(daemon.wait().await.unwrap().success());
    longest.end = longest.end.max(stopped.elapsed());
}

async fn says(log: &mut Lines<BufReader<ChildStderr>>, part: &str) -> String {
    loop {
        let line = log.next_line().await.unwrap().unwrap();
        if line.contains(part) {
            return line;
        }
    }
}

/// Asks for a page over one connection until that is to end: the longest time without an answer.
fn ask(address: String, path: &'static str, ends: &Arc<AtomicBool>) -> JoinHandle<Duration> {
    let (ends, request) = (Arc::clone(ends), format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    thread::spawn(move || {
        let (mut connection, mut page, mut longest) =
            (TcpStream::connect(address).unwrap(), vec![0; 1 << 16], Duration::ZERO);
        while !ends.load(Ordering::Relaxed) {
            let asked = Instant::now();
            connection.write_all(request.as_bytes()).unwrap();
            // A page comes in one piece.
            let length = connection.read(&mut page).unwrap();
            assert!(page[..length].starts_with(b"HTTP/1.1 200"), "{path}");
            longest = longest.max(asked.elapsed());
            thread::sleep(Duration::from_millis(1));
        }
        longest
    })
}

//! How long the program takes from its start to its first call, beside one that only tells its version. Prints a table.
//!
//! The first call goes over a plain connection; what is read for TLS before the program connects is measured apart.
//!
//! `cargo bench --bench start`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "it fails by panicking, and its result is printed")]
#![allow(unreachable_pub, dead_code, reason = "the module is shared with other benches")]

mod loopback;

use std::{env, net::Ipv4Addr, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, process::Command, sync::mpsc, time::Instant};

use loopback::{serve, sync};

const STARTS: usize = 20;

/// One tenant, and its customer.
const QUERY: &str = "select 'a' as provided_id, 'Tenant' as name";
const PAGE: &str =
    r#"{"total_count": 1, "results": {"customers": [{"token": "t", "provided_id": "a", "name": "Tenant"}]}}"#;

#[tokio::main]
async fn main() {
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let (called, mut calls) = mpsc::unbounded_channel();
    let list = async move || {
        called.send(Instant::now()).unwrap();
        PAGE
    };
    let plain = serve(Router::new().fallback(list)).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let encrypted = format!("https://{}/", listener.local_addr().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let (mut first_calls, mut connections, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let began = Instant::now();
        let status = sync(directory.path(), QUERY, &plain).status().await.unwrap();
        assert!(status.success(), "{status}");
        first_calls.push(calls.recv().await.unwrap() - began);

        let began = Instant::now();
        let mut program = sync(directory.path(), QUERY, &encrypted).spawn().unwrap();
        listener.accept().await.unwrap();
        connections.push(began.elapsed());
        program.kill().await.unwrap();

        let began = Instant::now();
        Command::new(env!("CARGO_BIN_EXE_explo-sync")).arg("--version").output().await.unwrap();
        versions.push(began.elapsed());
    }
    println!("from the start, median of {STARTS}, in ms");
    println!("to the first call        {:.1}", median(first_calls));
    println!("to connecting, with TLS  {:.1}", median(connections));
    println!("to the end of --version  {:.1}", median(versions));
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    1000.0 * times[times.len() / 2].as_secs_f64()
}

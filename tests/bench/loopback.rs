//! A server of the bench's own, and what calls it: the client, or the program itself.

use std::{env, fs::File, net::Ipv4Addr, path::Path, process::Stdio, time::Duration};

use axum::Router;
use explo_sync::explo::{Client, ListingRules, ListingVersion, Pacer, Settings};
use explo_sync::stop::Stop;
use tokio::{net::TcpListener, process::Command};

/// How many calls are in flight.
pub const IN_FLIGHT: usize = 8;

/// Serves as long as the bench goes on.
pub async fn serve(app: Router) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Lists pages of one customer.
pub fn client(url: &str, requests_per_minute: u32) -> Client {
    let settings = Settings {
        base_url: url.parse().unwrap(),
        token: "t".to_owned().into(),
        timeout: Duration::from_secs(10),
        max_attempts: 3,
        pause_on_429: Duration::from_mins(1),
        ca: None,
        proxy: None,
        listing: ListingRules { version: ListingVersion::V2, page_size: 1, side_by_side: IN_FLIGHT, trust_total: true },
    };
    Client::new(settings, Pacer::new(requests_per_minute, IN_FLIGHT), Stop::default(), 7).unwrap()
}

/// `sync` between the rows of a query and this server, unpaced and without output.
pub fn sync(directory: &Path, query: &str, url: &str) -> Command {
    program("sync", directory, query, url)
}

/// The same with another command. An empty file is a database of SQLite.
pub fn program(name: &str, directory: &Path, query: &str, url: &str) -> Command {
    let database = directory.join("tenants.db");
    File::create(&database).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_explo-sync"));
    command
        .arg(name)
        .env_clear()
        .env("DATABASE_URL", format!("sqlite:{}", database.display()))
        .env("EXPLO_TOKEN", "t")
        .env("EXPLO_SYNC__SOURCE__QUERY", query)
        .env("EXPLO_SYNC__EXPLO__BASE_URL", url)
        .env("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "6000000")
        .env("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", IN_FLIGHT.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

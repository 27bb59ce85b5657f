//! What servers tell that are set up so that nobody else could use them.

use std::{fs, io::Write, path::PathBuf};

use rstest::rstest;
use sqlx::{Connection, MySqlConnection, PgConnection};

use super::{ONE, refusal};
use crate::{
    columns::connection::trusting,
    support::{Database, Kind, Server, World, settings},
};

/// A certificate of `tests/run`, or its key.
fn certificate(name: &str) -> String {
    let authority = PathBuf::from(std::env::var("TEST_CA_FILE").unwrap());
    authority.with_file_name(name).to_str().unwrap().to_owned()
}

/// A server that shows this certificate.
async fn showing(kind: Kind, name: &str) -> Server {
    let (shown, key) =
        (certificate(&format!("{name}.pem")), certificate(if name == "ca" { "ca.key" } else { "server.key" }));
    if kind == Kind::Postgres {
        Server::postgres(&["ssl=on", &format!("ssl_cert_file={shown}"), &format!("ssl_key_file={key}")]).await
    } else {
        Server::mysql(&[&format!("--ssl-cert={shown}"), &format!("--ssl-key={key}")], "").await
    }
}

#[rstest]
#[case::expired("expired", "the server's certificate has expired: renew it there")]
#[case::not_yet("future", "not valid yet: check the clocks of both machines")]
#[case::of_an_authority("ca", "give it one of its own there")]
#[tokio::test]
async fn a_certificate_that_is_of_no_use_is_told(
    #[case] name: &str,
    #[case] way_out: &str,
    #[values(Kind::Postgres, Kind::MySql)] kind: Kind,
) {
    let server = showing(kind, name).await;
    let mode = if kind == Kind::Postgres { "sslmode=verify-full" } else { "ssl-mode=VERIFY_IDENTITY" };
    let told = refusal(trusting(settings(&format!("{}?{mode}", server.url), ONE))).await;
    assert!(told.contains(way_out), "{told}");
}

#[rstest]
#[tokio::test]
async fn a_server_without_tls_is_told(#[values(Kind::Postgres, Kind::MySql)] kind: Kind) {
    let (server, mode) = match kind {
        Kind::MySql => {
            let off = if Server::is_mariadb() { "--skip-ssl" } else { "--tls-version=" };
            (Server::mysql(&[off], "").await, "ssl-mode=VERIFY_IDENTITY")
        }
        Kind::Postgres | Kind::Sqlite => (Server::postgres(&[]).await, "sslmode=verify-full"),
    };
    let told = refusal(settings(&format!("{}?{mode}", server.url), ONE)).await;
    assert!(
        told.contains("switch TLS on at the server or, where the network is trusted, add sslmode=disable"),
        "{told}"
    );
}

#[tokio::test]
async fn what_pg_hba_admits_not_is_told() {
    let mut admitted = tempfile::NamedTempFile::new().unwrap();
    writeln!(admitted, "host postgres another all trust").unwrap();
    fs::set_permissions(admitted.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let server = Server::postgres(&[&format!("hba_file={}", admitted.path().display())]).await;
    let told = refusal(settings(&server.url, ONE)).await;
    assert!(told.contains("see its pg_hba.conf"), "{told}");
}

#[tokio::test]
async fn a_server_short_of_memory_or_of_files_is_told() {
    let server = Server::postgres(&["max_connections=5", "max_locks_per_transaction=10"]).await;
    let locks = "select pg_advisory_xact_lock_shared(n)::text as provided_id from generate_series(1, 100000) n";
    let told = refusal(settings(&server.url, locks)).await;
    assert!(told.contains("out of disk or memory"), "{told}");
    let database = Database::at(Kind::Postgres, &server.url);
    database.execute("create table tenants as select 1 as provided_id").await;
    database.execute("checkpoint").await;
    let file = database.rows("select pg_relation_filepath('tenants')").await.remove(0).remove(0).unwrap();
    fs::remove_file(server.file(&file)).unwrap();
    let told = refusal(settings(&server.url, "select provided_id from tenants")).await;
    assert!(told.contains("the server misses files of its own"), "{told}");
}

#[tokio::test]
async fn a_server_that_stops_is_told() {
    let server = Server::postgres(&[]).await;
    let held = PgConnection::connect(&server.url).await.unwrap();
    // It waits for those that are there.
    server.signal("-TERM");
    let told = loop {
        let told = super::super::rows(settings(&server.url, ONE)).await;
        if let Err(error) = told {
            break error.to_string();
        }
    };
    assert!(told.contains("it is starting, stopping or recovering"), "{told}");
    drop(held);
}

#[tokio::test]
async fn a_standby_that_takes_nobody_and_one_that_takes_no_ledger_are_told() {
    let primary = Server::postgres(&[]).await;
    let closed = primary.standby(&["hot_standby=off"]).await;
    let told = refusal(settings(&closed.url, ONE)).await;
    assert!(told.contains("it is starting, stopping or recovering"), "{told}");
    let standby = primary.standby(&[]).await;
    told_of_ledger(Kind::Postgres, &standby.url).await;
}

#[tokio::test]
async fn a_read_only_server_that_takes_no_ledger_is_told() {
    let statements = "CREATE USER u@'%' IDENTIFIED BY 'very-secret'; GRANT ALL ON mysql.* TO u@'%';";
    let server = Server::mysql(&["--read-only"], statements).await;
    told_of_ledger(Kind::MySql, &server.url.replace("root:my-secret", "u:very-secret")).await;
}

/// `check` and a run name the primary.
async fn told_of_ledger(kind: Kind, url: &str) {
    let (_database, _sandbox, program) = World::of([("a", "Ann")]).start().await;
    let program = program.with("EXPLO_SYNC__LEDGER__URL", url);
    for arguments in [["check"], ["sync"]] {
        let output = program.run(&arguments).await;
        let told = format!("{}{}", output.stdout, output.stderr);
        assert!(output.code == 1 && told.contains("name the primary in ledger.url"), "{kind:?} {output:?}");
    }
}

#[tokio::test]
async fn a_server_that_admits_nobody_from_here_is_told() {
    let server = Server::mysql(&[], "DROP USER root@'%'; FLUSH PRIVILEGES;").await;
    let told = refusal(settings(&server.url, ONE)).await;
    assert!(told.contains("CREATE USER or GRANT for it there"), "{told}");
}

/// MySQL's tables of this kind are as large as the disk.
#[tokio::test]
async fn a_full_table_of_mariadb_is_told() {
    if !Server::is_mariadb() {
        return;
    }
    let server = Server::mysql(&["--tmp-disk-table-size=16K", "--tmp-memory-table-size=16K"], "").await;
    let query = "select distinct concat(seq, repeat('x', 200)) as provided_id from mysql.seq_1_to_10000";
    let told = refusal(settings(&server.url, query)).await;
    assert!(told.contains("out of disk or memory"), "{told}");
}

#[rstest]
#[case::of_all(&["--max-connections=10"], 10)]
#[case::of_one(&["--max-user-connections=2"], 2)]
#[tokio::test]
async fn too_many_connections_are_told(#[case] options: &[&str], #[case] most: usize) {
    let statements = "CREATE USER u@'%' IDENTIFIED BY 'very-secret';";
    let server = Server::mysql(options, statements).await;
    let url = server.url.replace("root:my-secret", "u:very-secret").replace("/mysql", "/");
    let mut held = Vec::new();
    for _ in 0..most {
        held.push(MySqlConnection::connect(&url).await.unwrap());
    }
    let told = refusal(settings(&url, ONE)).await;
    assert!(told.contains("a run takes up to three connections"), "{told}");
}

//! What MySQL tells and MariaDB does not: staged where the server is MySQL. Elsewhere a [stand-in](super::stand_in) plays it.

use rstest::rstest;

use super::{ONE, refusal};
use crate::support::{Database, Kind, Server, settings};

#[tokio::test]
async fn a_password_that_is_sent_over_tls_only_is_told() {
    if Server::is_mariadb() {
        return;
    }
    let database = Database::new(Kind::MySql).await;
    let role = database.url.rsplit_once("test_").unwrap().1;
    database.execute(&format!("create user '{role}' identified by 'very-secret'")).await;
    let url = database.url.replace("root:my-secret", &format!("{role}:very-secret"));
    let told = refusal(settings(&format!("{url}?ssl-mode=DISABLED"), ONE)).await;
    assert!(told.contains("password is sent over TLS only: take sslmode=disable out of source.url"), "{told}");
}

/// MariaDB says that the password is wrong.
#[tokio::test]
async fn a_server_that_demands_tls_is_told() {
    if Server::is_mariadb() {
        return;
    }
    let server = Server::mysql(&["--require-secure-transport=ON"], "").await;
    // It has seen the password, so that it does not ask for it.
    Database::at(Kind::MySql, &server.url).execute("select 1").await;
    let told = refusal(settings(&format!("{}?ssl-mode=DISABLED", server.url), ONE)).await;
    assert!(told.contains("the server demands TLS: take sslmode=disable out of source.url"), "{told}");
}

#[rstest]
#[case::late(
    "select /*+ max_execution_time(100) */ 1 as provided_id where sleep(9) = 0",
    "maximum statement execution time exceeded",
    "own limit of time"
)]
#[case::large(
    "select json_object('SECRET', repeat('x', @@max_allowed_packet - 10)) as provided_id",
    "larger than max_allowed_packet",
    "raise max_allowed_packet at the server"
)]
#[case::deep(
    "select json_extract(concat(repeat('[', 101), repeat(']', 101)), '$[0]') as provided_id",
    "exceeds the maximum depth",
    "let the query select it without that function"
)]
#[tokio::test]
async fn what_mysql_refuses_is_told(#[case] query: &str, #[case] words: &str, #[case] way_out: &str) {
    if Server::is_mariadb() {
        return;
    }
    let database = Database::new(Kind::MySql).await;
    let told = refusal(settings(&database.url, query)).await;
    assert!(told.contains(words) && told.contains(way_out), "{told}");
}

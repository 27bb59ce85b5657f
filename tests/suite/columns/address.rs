//! Where a database is, in the forms that its documentation and its hosts give.

use rstest::rstest;
use url::Url;

use super::rows;
use crate::support::{Database, Kind, settings};

/// The one value that a query gives.
async fn value(database: &Database, query: &str) -> String {
    let rows = rows(settings(&database.url, &format!("select ({query}) as provided_id"))).await.unwrap();
    rows.into_iter().next().unwrap().unwrap().provided_id.into_owned()
}

/// A URL with USER, PORT and DATABASE in it, and the socket as SOCKET, or as ENCODED.
async fn filled(database: &Database, form: &str) -> String {
    let url: Url = database.url.parse().unwrap();
    let socket = match database.kind {
        Kind::Postgres => value(database, "split_part(current_setting('unix_socket_directories'), ',', 1)").await,
        Kind::MySql => value(database, "@@socket").await,
        Kind::Sqlite => unreachable!("it has no server"),
    };
    let (user, password) = (url.username(), url.password().unwrap_or_default());
    let user = if password.is_empty() { user.to_owned() } else { format!("{user}:{password}") };
    form.replace("USER", &user)
        .replace("PASSWORD", password)
        .replace("NAME", url.username())
        .replace("PORT", &url.port().unwrap().to_string())
        .replace("DATABASE", url.path().trim_start_matches('/'))
        .replace("ENCODED", &socket.replace('/', "%2F"))
        .replace("SOCKET", &socket)
}

#[rstest]
#[case::address("postgres://USER@[::ffff:127.0.0.1]:PORT/DATABASE?sslmode=disable")]
#[case::cloud_sql("postgres://USER@/DATABASE?host=SOCKET&port=PORT")]
#[case::directory_as_host("postgresql://USER@ENCODED/DATABASE?port=PORT")]
#[case::parameters_alone("postgresql://?host=127.0.0.1&port=PORT&dbname=DATABASE&user=NAME&password=PASSWORD")]
#[case::options(
    "postgres://USER@localhost:PORT/DATABASE?options=-cwork_mem%3D8MB&application_name=theirs&gssencmode=disable"
)]
#[case::address("mysql://USER@[::ffff:127.0.0.1]:PORT/DATABASE?sslmode=disable")]
#[case::socket("mysql://USER@/DATABASE?socket=SOCKET")]
#[case::socket_in_brackets("mysql://USER@(SOCKET)/DATABASE")]
#[case::socket_as_host("mariadb://USER@ENCODED/DATABASE")]
#[case::tls_as_postgres_names_it("mysql://USER@127.0.0.1:PORT/DATABASE?sslmode=disable&charset=utf8mb4")]
#[tokio::test]
async fn a_database_is_reached_by_each_form(#[case] form: &str) {
    let kind = if form.starts_with("postgres") { Kind::Postgres } else { Kind::MySql };
    let database = Database::new(kind).await;
    database.execute("create table tenants (id int); insert into tenants values (1)").await;
    let url = filled(&database, form).await;
    let read = rows(settings(&url, "select id as provided_id from tenants")).await;
    assert_eq!(read.unwrap_or_else(|error| panic!("{url}: {error}")).len(), 1, "{url}");
}

//! What a database or its driver says is told with the way out of its cause.

mod ended;
mod files;
mod mysql;
mod own;
mod passwords;
mod quoted;
mod stand_in;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use explo_sync::source::SqlSettings;
use rstest::rstest;
use url::Url;

use super::{connection::trusting, rows};
use crate::support::{Database, Kind, settings};

const SELECT: &str = "select id as provided_id from tenants";
const ONE: &str = "select 1 as provided_id";

/// A function whose sort goes to a file in the place of which this stands.
const SPILL: &str = "create function spill(instead text) returns setof text language plpgsql security definer
    set work_mem = '64kB' as $$ begin
        execute format('copy (select 1) to program ''mkdir -p base/pgsql_tmp && cd base/pgsql_tmp &&
            for n in 0 1 2 3 4; do ln -s %s pgsql_tmp%s.$n; done''', instead, pg_backend_pid());
        return query select md5(n::text) from generate_series(1, 100000) n order by 1;
    end $$";

/// Why there are no rows.
async fn refusal(settings: SqlSettings) -> String {
    let told = rows(settings).await.unwrap_err().to_string();
    assert!(!told.contains("very-secret") && !told.contains('\n'), "{told}");
    told
}

/// With ROLE for a role that may read the tenants and connects, and DATABASE.
#[rstest]
#[case::wrong_password(
    Kind::Postgres,
    "alter role ROLE password 'another'",
    SELECT,
    "there or in source.password_file"
)]
#[case::no_login(Kind::Postgres, "alter role ROLE nologin", SELECT, "pg_hba.conf")]
#[case::no_right(Kind::Postgres, "revoke select on tenants from ROLE", SELECT, "GRANT SELECT")]
#[case::too_many(Kind::Postgres, "alter role ROLE connection limit 0", SELECT, "a run takes up to three connections")]
#[case::its_own_limit(
    Kind::Postgres,
    "alter role ROLE set statement_timeout = '100ms'",
    "select pg_sleep(9)::text as provided_id",
    "own limit of time"
)]
#[case::a_write(
    Kind::Postgres,
    "grant update on tenants to ROLE",
    "update tenants set id = 2 returning id as provided_id",
    "may only read: check source.query"
)]
#[case::ended(
    Kind::Postgres,
    "select 1",
    "select pg_terminate_backend(pg_backend_pid())::text as provided_id",
    "the connection broke"
)]
#[case::no_such_table(Kind::Postgres, "drop table tenants", SELECT, "check source.query")]
#[case::full_disk(Kind::Postgres, SPILL, "select spill('/dev/full') as provided_id", "out of disk or memory")]
#[case::broken_disk(Kind::Postgres, SPILL, "select spill('/proc/self/mem') as provided_id", "out of disk or memory")]
#[case::too_many_files(
    Kind::Postgres,
    "alter role ROLE set work_mem = '64kB'; alter role ROLE set temp_file_limit = '64kB'",
    "select md5(n::text) as provided_id from generate_series(1, 100000) n order by 1",
    "raise temp_file_limit for this role"
)]
#[case::wrong_password(
    Kind::MySql,
    "alter user ROLE identified by 'another'",
    SELECT,
    "there or in source.password_file"
)]
#[case::no_right(
    Kind::MySql,
    "revoke select on DATABASE.tenants from ROLE; grant insert on DATABASE.tenants to ROLE",
    SELECT,
    "GRANT SELECT"
)]
#[case::too_many(
    Kind::MySql,
    "alter user ROLE with max_connections_per_hour 1",
    SELECT,
    "a run takes up to three connections"
)]
#[case::its_own_limit(
    Kind::MySql,
    "/*M! alter user ROLE with max_statement_time 0.1 */",
    "select /*+ max_execution_time(100) */ 1 as provided_id from tenants where sleep(9) = 0",
    "own limit of time"
)]
#[case::no_such_table(Kind::MySql, "drop table tenants", SELECT, "check source.query")]
#[case::no_password(
    Kind::MySql,
    "/*M! alter user ROLE identified via unix_socket *//*!50708 alter user ROLE identified with auth_socket */",
    SELECT,
    "there or in source.password_file"
)]
#[case::no_database(
    Kind::MySql,
    "revoke select on DATABASE.tenants from ROLE",
    SELECT,
    "check the name of the database in source.url (or DATABASE_URL), and the user's grants on it"
)]
#[case::no_column(
    Kind::MySql,
    "revoke select on DATABASE.tenants from ROLE; alter table tenants add more int; \
     grant select (more) on DATABASE.tenants to ROLE",
    SELECT,
    "GRANT SELECT"
)]
#[case::no_function(
    Kind::MySql,
    "create function mine() returns int deterministic return 1",
    "select mine() as provided_id from tenants",
    "GRANT SELECT"
)]
#[case::a_write(
    Kind::MySql,
    "create function two() returns int deterministic modifies sql data begin insert into tenants values (2); return 2; end; \
     grant execute on DATABASE.* to ROLE",
    "select two() as provided_id from tenants",
    "may only read: check source.query"
)]
#[tokio::test]
async fn what_a_server_refuses_is_told_with_the_way_out(
    #[case] kind: Kind,
    #[case] stage: &str,
    #[case] query: &str,
    #[case] way_out: &str,
) {
    let database = Database::new(kind).await;
    let mut url: Url = database.url.parse().unwrap();
    let name = url.path()[1..].to_owned();
    let role = format!("r{}", &name[name.len() - 20..]);
    let made = match kind {
        Kind::MySql => "create user ROLE identified by 'very-secret'; grant select on DATABASE.tenants to ROLE",
        Kind::Postgres | Kind::Sqlite => {
            "create role ROLE login password 'very-secret'; grant select on tenants to ROLE"
        }
    };
    let table = "create table tenants (id int); insert into tenants values (1)";
    let staged = format!("{table}; {made}; {stage}").replace("ROLE", &role).replace("DATABASE", &name);
    database.execute(&staged).await;
    url.set_username(&role).unwrap();
    url.set_password(Some("very-secret")).unwrap();
    if stage.contains("per_hour") {
        rows(settings(url.as_str(), query)).await.unwrap();
    }
    let told = refusal(settings(url.as_str(), query)).await;
    assert!(told.contains(way_out), "{told}");
}

const NO_PORT: &str = "nothing listens there: check source.url";

#[rstest]
#[case::no_such_database(|url: &mut Url| url.set_path("nowhere"), "name of the database in source.url")]
#[case::no_such_host(|url: &mut Url| url.set_host(Some("nowhere.invalid")).unwrap(), "no such host is known")]
#[case::another_port(|url: &mut Url| url.set_port(Some(1)).unwrap(), NO_PORT)]
#[case::no_way(|url: &mut Url| url.set_host(Some("255.255.255.255")).unwrap(), "that host can't be reached")]
#[case::no_such_socket(|url: &mut Url| url.set_query(Some("host=/nowhere")), "no such socket")]
#[case::unknown_authority(|url: &mut Url| url.set_query(Some("sslmode=verify-full")), "source.ca_file")]
#[tokio::test]
async fn what_leads_nowhere_is_told_with_the_way_out(
    #[case] change: impl FnOnce(&mut Url),
    #[case] way_out: &str,
    #[values(Kind::Postgres, Kind::MySql)] kind: Kind,
) {
    let mut url = Database::new(kind).await.url.parse().unwrap();
    change(&mut url);
    let told = refusal(settings(url.as_str(), ONE)).await;
    assert!(told.contains(way_out), "{told}");
}

#[rstest]
#[tokio::test]
async fn a_certificate_of_another_name_is_told(#[values(Kind::Postgres, Kind::MySql)] kind: Kind) {
    let mut url: Url = Database::new(kind).await.url.parse().unwrap();
    let port = forwarded("127.0.0.2", url.port().unwrap());
    url.set_host(Some("127.0.0.2")).unwrap();
    url.set_port(Some(port)).unwrap();
    url.set_query(Some("sslmode=verify-full"));
    let told = refusal(trusting(settings(url.as_str(), ONE))).await;
    assert!(told.contains("a name that the server's certificate has"), "{told}");
}

/// A port of this address by which a server of this machine is reached, once.
fn forwarded(host: &str, port: u16) -> u16 {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut here, _) = listener.accept().unwrap();
        let mut there = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut back, mut away) = (there.try_clone().unwrap(), here.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut back, &mut away));
        let _ = std::io::copy(&mut here, &mut there);
    });
    address.port()
}

#[rstest]
#[case::no_tls("N", "switch TLS on at the server or, where the network is trusted, add sslmode=disable")]
#[case::no_database("HTTP/1.1 400 Bad Request", "the server there is no PostgreSQL")]
#[tokio::test]
async fn a_server_without_tls_and_one_that_is_no_database_are_told(
    #[case] answer: &'static str,
    #[case] way_out: &str,
) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u:very-secret@{}/d?sslmode=verify-full", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut asked = [0; 8];
        connection.read_exact(&mut asked).unwrap();
        connection.write_all(answer.as_bytes()).unwrap();
    });
    let told = refusal(settings(&url, ONE)).await;
    assert!(told.contains(way_out), "{told}");
}

#[tokio::test]
async fn a_connection_that_is_reset_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u:very-secret@{}/d", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (connection, _) = listener.accept().unwrap();
        // What is not read when it ends resets it.
        connection.peek(&mut [0]).unwrap();
    });
    let told = refusal(settings(&url, ONE)).await;
    assert!(told.contains("reset") && told.contains("the connection broke"), "{told}");
}

#[rstest]
#[case::missing(None, "check the path in source.url")]
#[case::none(Some("this is a text, and no database at all"), "is no SQLite database")]
#[tokio::test]
async fn a_file_that_is_none_is_told(#[case] content: Option<&str>, #[case] way_out: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tenants.db");
    content.map_or(Ok(()), |content| std::fs::write(&file, content.repeat(30))).unwrap();
    let told = refusal(settings(&format!("sqlite://{}", file.display()), SELECT)).await;
    assert!(told.contains(way_out), "{told}");
}

//! Why a database is unreachable or refuses, in [its words](super::words), with the way out.
//!
//! The way out depends on the cause; only if the cause is unknown, on what was asked. A test stages each row's cause.
//! Messages of TLS and the operating system are explained as [for any connection](crate::http::causes).

use std::borrow::Cow;

use sqlx::{error::DatabaseError, mysql::MySqlDatabaseError, postgres::PgDatabaseError, sqlite::SqliteError};

use super::words;
use crate::http::causes::{self, WayOut};

/// What made a query fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryFault {
    /// The query's text.
    Query,
    /// Another session: the database asks for a retry.
    TryAgain,
    /// Anything else.
    Other,
}

/// The config keys that say where a database is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    url: &'static str,
    password_file: &'static str,
    ca_file: &'static str,
    /// The way out if a server or a session takes no writes.
    read_only: &'static str,
}

impl Keys {
    /// The keys of the source.
    pub(crate) const SOURCE: Self = Self {
        url: "source.url (or DATABASE_URL)",
        password_file: "source.password_file",
        ca_file: "source.ca_file",
        read_only: "a query may only read: check source.query",
    };
    /// The keys of the ledger.
    pub(crate) const LEDGER: Self = Self {
        url: "ledger.url",
        password_file: "ledger.password_file",
        ca_file: "ledger.ca_file",
        read_only: "it takes no writes (a standby, or read-only): name the primary in ledger.url",
    };
}

const PASSWORD: WayOut = "check the user in {url}, and the password there or in {password_file}";
const NAME: WayOut = "check the name of the database in {url}";
const FULL: WayOut = "end idle connections, raise the server's limit or go through a pooler; a run takes up to three \
                      connections, and one more for a ledger";
const ENDED: WayOut = "the server or an administrator ended it: the next run tries again";
const LATE: WayOut = "the server's own limit of time or another session ended it: raise the limit for this role, or make \
                      the query faster";
const READ_ONLY: WayOut = "{read_only}";
const SPACE: WayOut = "the server is out of disk or memory: see its log";
const GRANT: WayOut = "give the role the right: GRANT SELECT on what the query reads";
const STANDBY: WayOut = "the standby cancels what its replay can't wait for: set hot_standby_feedback = on or a larger \
                         max_standby_streaming_delay there, or read from the primary";
/// The way out if a result is larger than the server sends.
pub(crate) const PACKET: WayOut = "raise max_allowed_packet at the server, or select fewer or shorter values";
/// The way out if JSON is nested deeper than the server's functions read.
pub(crate) const DEPTH: WayOut = "let the query select it without that function";
const TRY_AGAIN: WayOut = "another session held what it needs: the next run tries again";

/// By SQLSTATE; for codes with several meanings, also by a part of the message.
const POSTGRES: [(&str, &str, WayOut); 21] = [
    ("28P01", "", PASSWORD),
    ("28000", "", "the server admits no such connection: see its pg_hba.conf, and the user and sslmode in {url}"),
    ("3D000", "", NAME),
    ("53300", "", FULL),
    ("53100", "", SPACE),
    ("53200", "", SPACE),
    ("53400", "temp", "raise temp_file_limit for this role, or let the query sort and join less"),
    ("58030", "", SPACE),
    ("58P01", "for reading", "the query reads a file that the server does not have: check source.query"),
    ("58P01", "", "the server misses files of its own: see its log"),
    ("57014", "", LATE),
    ("57P01", "", ENDED),
    ("57P03", "", "it is starting, stopping or recovering: the next run tries again"),
    ("25006", "", READ_ONLY),
    ("42501", "", GRANT),
    ("40P01", "", TRY_AGAIN),
    ("40001", "", STANDBY),
    ("08P01", "startup parameter", "name it in the pooler's ignore_startup_parameters, or take it out of {url}"),
    ("08P01", "statement pooling", "set pool_mode = transaction (or session) for this database in the pooler"),
    ("08P01", "query_wait_timeout", FULL),
    ("08P01", "max_client_conn", FULL),
];

/// By number.
const MYSQL: [(&[u16], WayOut); 16] = [
    (&[1045, 1698], PASSWORD),
    (&[1044], "check the name of the database in {url}, and the user's grants on it"),
    (&[1049], NAME),
    (&[1273, 1253], "name a collation of utf8mb4 in {url}, or none"),
    (&[1130], "the server admits no user from this host: CREATE USER or GRANT for it there"),
    (&[1129], "the server shut this host out after too many failures: FLUSH HOSTS there"),
    (&[1040, 1203, 1226], FULL),
    (&[1142, 1143, 1370], GRANT),
    (&[1290, 1836, 1792], READ_ONLY),
    (&[1969, 3024, 1317], LATE),
    (&[1205, 1213], TRY_AGAIN),
    (&[1053, 1927], ENDED),
    (&[1021, 1041, 1114], SPACE),
    (&[1301], PACKET),
    (&[3157], DEPTH),
    (&[3159], "the server demands TLS: take sslmode=disable out of {url}"),
];

/// By primary code.
const SQLITE: [(i32, WayOut); 6] = [
    (5, TRY_AGAIN),
    (8, READ_ONLY),
    (10, "the disk or the file system fails, or can't hold a database: see the system's log, and the path in {url}"),
    (11, "the file is damaged: restore it"),
    (14, "check the path in {url}, and that the user that runs this may read the file and its directory"),
    (26, "the file is no SQLite database: check the path in {url}"),
];

/// For a path that is not a regular file: in place of a SQLite file, and of a password file.
pub(super) const NO_FILE: &str = "no SQLite database";
pub(super) const NO_PASSFILE: &str = "no regular file with passwords";

/// By a part of the message of the driver, or of ours.
const DRIVERS: [(&str, WayOut); 5] = [
    (NO_FILE, "check the path in {url}"),
    (NO_PASSFILE, "name one in PGPASSFILE, or use {password_file}"),
    (
        "server does not support TLS",
        "switch TLS on at the server or, where the network is trusted, add sslmode=disable to {url}",
    ),
    ("RSA auth backend", "this user's password is sent over TLS only: take sslmode=disable out of {url}"),
    ("unexpected response from SSLRequest", "the server there is no PostgreSQL: check host and port in {url}"),
];

/// The [words] of an error, and the way out; `otherwise` is the way out if the cause is unknown.
pub(crate) fn told(words: &str, error: &sqlx::Error, keys: Keys, otherwise: &str) -> String {
    let way_out = way_out(error, keys);
    format!("{words}; {}", way_out.as_deref().unwrap_or(otherwise))
}

/// The same for a connection that could not be made.
pub(crate) fn unreachable(error: &sqlx::Error, keys: Keys) -> String {
    let its_password = if is_sqlite(error) { "" } else { " and its password" };
    told(&words::of(error), error, keys, &format!("check {}{its_password}", keys.url))
}

/// The way out of a failure, if its cause is known. A function may raise an error with any code of the server's, which then
/// means something else.
pub(crate) fn way_out(error: &sqlx::Error, keys: Keys) -> Option<String> {
    let way_out = match error.as_database_error() {
        Some(error) if words::is_raised_by_statement(error) => None,
        Some(error) => by_code(error),
        None => by_words(error),
    };
    let way_out = way_out?.replace("{url}", keys.url).replace("{password_file}", keys.password_file);
    Some(way_out.replace("{ca_file}", keys.ca_file).replace("{read_only}", keys.read_only))
}

/// The way out if a server takes no writes.
pub(crate) fn primary(error: &sqlx::Error, keys: Keys) -> Option<String> {
    let is_it = !is_sqlite(error) && error.as_database_error().and_then(by_code) == Some(READ_ONLY);
    is_it.then(|| keys.read_only.to_owned())
}

/// Whether a server refuses the user.
pub(crate) fn is_about_user(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code == "28000" || code == "28P01")
}

/// The code of a database's error.
pub(crate) fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}

fn is_sqlite(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.try_downcast_ref::<SqliteError>().is_some())
}

/// Whether the server does not know our time zone.
pub(crate) fn lacks_timezone(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    match error.try_downcast_ref::<MySqlDatabaseError>() {
        Some(error) => error.number() == 1298,
        None => error.code().as_deref() == Some("22023") && error.message().contains("TimeZone"),
    }
}

/// What made a query fail. SQLite retries by itself, so its error never asks for a retry.
pub(crate) fn fault(error: &sqlx::Error) -> QueryFault {
    let (code, is_sqlite) = (code(error).unwrap_or_default(), is_sqlite(error));
    match error.as_database_error().and_then(by_code) {
        Some(TRY_AGAIN | STANDBY) if !is_sqlite => QueryFault::TryAgain,
        Some(READ_ONLY) => QueryFault::Query,
        None if is_sqlite && code == "1" || !is_sqlite && code.starts_with("42") => QueryFault::Query,
        Some(_) | None => QueryFault::Other,
    }
}

fn by_code(error: &dyn DatabaseError) -> Option<WayOut> {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        let is_it = |code: &str, words: &str| code == error.code() && error.message().contains(words);
        return POSTGRES.iter().find(|(code, words, _)| is_it(code, words)).map(|row| row.2);
    }
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return MYSQL.iter().find(|(numbers, _)| numbers.contains(&error.number())).map(|row| row.1);
    }
    let code = error.try_downcast_ref::<SqliteError>().and(error.code())?.parse::<i32>().ok()? & 0xff;
    SQLITE.iter().find(|(known, _)| *known == code).map(|row| row.1)
}

fn by_words(error: &sqlx::Error) -> Option<WayOut> {
    let text = error.to_string();
    let known = DRIVERS.iter().find(|(known, _)| text.contains(known)).map(|row| row.1);
    let is_broken = matches!(error, sqlx::Error::Io(_));
    known.or_else(|| causes::way_out(error)).or_else(|| is_broken.then_some(causes::BROKEN))
}

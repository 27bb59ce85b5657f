//! Why a database is not there, or refuses: in its words, with the way out. The way out goes by the cause; only where that is
//! not known, by the place.

use std::io::ErrorKind;

use sqlx::{mysql::MySqlDatabaseError, postgres::PgDatabaseError, sqlite::SqliteError};

use crate::model::{cut, printable};

/// Characters of a driver's or database's words that are told.
const LONGEST: usize = 1000;

/// The keys that say where a database is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    url: &'static str,
    password_file: &'static str,
    ca_file: &'static str,
    /// What to do about a server or a session that takes no writes.
    read_only: &'static str,
}

impl Keys {
    /// Of the tenants.
    pub(crate) const SOURCE: Self = Self {
        url: "source.url (or DATABASE_URL)",
        password_file: "source.password_file",
        ca_file: "source.ca_file",
        read_only: "a query may only read: check source.query",
    };
    /// Of the ledger.
    pub(crate) const LEDGER: Self = Self {
        url: "ledger.url",
        password_file: "ledger.password_file",
        ca_file: "ledger.ca_file",
        read_only: "it takes no writes (a standby, or read-only): name the primary in ledger.url",
    };
}

const PASSWORD: &str = "check the user in {url}, and the password there or in {password_file}";
const NAME: &str = "check the name of the database in {url}";
const FULL: &str = "end idle connections, raise the server's limit or go through a pooler; a run takes up to three \
                    connections, and one more for a ledger";
const ENDED: &str = "the server or an administrator ended it: the next run tries again";
const LATE: &str = "the server's own limit of time ended it, or somebody did: raise the limit for this role, or make the query \
                    quicker";
const READ_ONLY: &str = "{read_only}";
const SPACE: &str = "the server is out of disk or memory: see its log";
const GRANT: &str = "give the role the right: GRANT SELECT on what the query reads";
const AUTHORITY: &str = "name the certificate of the authority that signed the server's in {ca_file}";

/// What PgBouncer answers where it pools statements.
const NO_TRANSACTIONS: &str = "transaction blocks not allowed in statement pooling mode";

/// By SQLSTATE.
const POSTGRES: [(&str, &str); 20] = [
    ("28P01", PASSWORD),
    ("28000", "the server admits no such connection: see its pg_hba.conf, and the user and sslmode in {url}"),
    ("3D000", NAME),
    ("53300", FULL),
    ("53100", SPACE),
    ("53200", SPACE),
    ("58030", SPACE),
    ("58P01", "the server misses files of its own: see its log"),
    ("57014", LATE),
    ("57P01", ENDED),
    ("57P02", ENDED),
    ("57P03", "it is starting, stopping or recovering: the next run tries again"),
    ("57P05", ENDED),
    ("25P03", ENDED),
    ("25006", READ_ONLY),
    ("42501", GRANT),
    ("55P03", "somebody holds a lock on what is read: the next run tries again"),
    (
        "40001",
        "the standby cancels what its replay can't wait for: set hot_standby_feedback = on or a larger \
         max_standby_streaming_delay there, or read from the primary",
    ),
    ("40P01", "a deadlock: the next run tries again"),
    ("08P01", "what is in between refuses it; where that is PgBouncer, name it in its ignore_startup_parameters"),
];

/// By number.
const MYSQL: [(&[u16], &str); 12] = [
    (&[1045, 1698], PASSWORD),
    (&[1044], "check the name of the database in {url}, and what the user is granted on it"),
    (&[1049], NAME),
    (&[1130], "the server admits nobody from this host: CREATE USER or GRANT for it there"),
    (&[1129], "the server shut this host out after too many failures: FLUSH HOSTS there"),
    (&[1040, 1203, 1226], FULL),
    (&[1142, 1143, 1370], GRANT),
    (&[1290, 1836, 1792], READ_ONLY),
    (&[1969, 3024, 1317], LATE),
    (&[1053, 1077, 1927], ENDED),
    (&[1021, 1041, 1114], SPACE),
    (&[3159], "the server demands TLS: take sslmode=disable out of {url}"),
];

/// By primary code.
const SQLITE: [(i32, &str); 6] = [
    (3, "make the file and its directory readable for the user that runs this"),
    (5, "another program keeps it locked: the next run tries again"),
    (8, "a query may only read: check source.query"),
    (11, "the file is damaged: restore it"),
    (14, "check the path in {url}, and that the user that runs this may read the file and its directory"),
    (26, "the file is no SQLite database: check the path in {url}"),
];

/// By what stands in the words of the driver, or of TLS.
const WORDS: [(&str, &str); 9] = [
    (
        "server does not support TLS",
        "switch TLS on at the server or, where the network is trusted, add sslmode=disable to {url}",
    ),
    ("UnknownIssuer", AUTHORITY),
    ("CaUsedAsEndEntity", AUTHORITY),
    ("Expired", "the server's certificate has expired: renew it there"),
    ("NotValidYet", "the server's certificate is not valid yet: check the clocks of both machines"),
    ("NotValidForName", "connect by a name that the server's certificate has, or use sslmode=verify-ca in {url}"),
    ("RSA auth backend", "this user's password is sent over TLS only: take sslmode=disable out of {url}"),
    ("lookup address", "no such host is known: check the host in {url}"),
    ("unexpected response from SSLRequest", "what listens there speaks another language: check host and port in {url}"),
];

/// The words of a driver or database, and the way out.
pub(crate) fn told(error: &sqlx::Error, keys: Keys, otherwise: &str) -> String {
    let way_out = way_out(error, keys);
    format!("{}; {}", words(error), way_out.as_deref().unwrap_or(otherwise))
}

/// The same for a connection that can't be had.
pub(crate) fn unreachable(error: &sqlx::Error, keys: Keys) -> String {
    told(error, keys, &format!("check {} and its password", keys.url))
}

/// The way out of a failure, where its cause is known.
pub(crate) fn way_out(error: &sqlx::Error, keys: Keys) -> Option<String> {
    let way_out = by_code(error).or_else(|| by_io(error)).or_else(|| by_words(error))?;
    let way_out = way_out.replace("{url}", keys.url).replace("{password_file}", keys.password_file);
    Some(way_out.replace("{ca_file}", keys.ca_file).replace("{read_only}", keys.read_only))
}

/// The way out where a server takes no writes from anybody.
pub(crate) fn primary(error: &sqlx::Error, keys: Keys) -> Option<String> {
    (by_code(error) == Some(READ_ONLY)).then(|| keys.read_only.to_owned())
}

fn by_code(error: &sqlx::Error) -> Option<&'static str> {
    let error = error.as_database_error()?;
    if error.message().starts_with(NO_TRANSACTIONS) {
        return Some("set pool_mode = transaction (or session) for this database in the pooler");
    }
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        return POSTGRES.iter().find(|(code, _)| *code == error.code()).map(|(_, way_out)| *way_out);
    }
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return MYSQL.iter().find(|(numbers, _)| numbers.contains(&error.number())).map(|(_, way_out)| *way_out);
    }
    let code = error.try_downcast_ref::<SqliteError>().and(error.code())?.parse::<i32>().ok()? & 0xff;
    SQLITE.iter().find(|(known, _)| *known == code).map(|(_, way_out)| *way_out)
}

fn by_io(error: &sqlx::Error) -> Option<&'static str> {
    let sqlx::Error::Io(error) = error else { return None };
    Some(match error.kind() {
        ErrorKind::ConnectionRefused => "nothing listens there: check host and port in {url}, and that the server runs",
        ErrorKind::NotFound => "there is no such socket: check its path in {url}, and that the server runs",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "no way leads to that host: check it in {url}, and the network"
        }
        ErrorKind::TimedOut => "the host does not answer: check it in {url}, and the firewalls in between",
        ErrorKind::PermissionDenied => "let the user that runs this open the socket",
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => {
            "the other side ended the connection: see the log of the server, or of what is in between"
        }
        _ => return None,
    })
}

fn by_words(error: &sqlx::Error) -> Option<&'static str> {
    if error.as_database_error().is_some() {
        return None;
    }
    let text = format!("{error} {error:?}");
    WORDS.iter().find(|(known, _)| text.contains(known)).map(|(_, way_out)| *way_out)
}

/// The words of a driver or database on one line. An error about data quotes the data: it is masked.
pub(crate) fn words(error: &sqlx::Error) -> String {
    let text = match error {
        sqlx::Error::Database(error) => {
            let about_data = error.code().is_some_and(|code| code.starts_with("22"));
            let message = if about_data { mask_quoted(error.message()) } else { error.message().to_owned() };
            error.code().map_or(message.clone(), |code| format!("{message} (code {code})"))
        }
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => format!("TLS: {error}"),
        sqlx::Error::Configuration(error) if error.to_string().contains("RSA auth backend") => {
            "the server asks for the password over TLS (caching_sha2_password or sha256_password)".to_owned()
        }
        other => other.to_string(),
    };
    cut(printable(&text.split_whitespace().collect::<Vec<_>>().join(" ")), LONGEST)
}

/// From the first quote to the last: the data may hold quotes itself.
fn mask_quoted(message: &str) -> String {
    match (message.find(['"', '\'']), message.rfind(['"', '\''])) {
        (Some(first), Some(last)) if first < last => format!("{}***{}", &message[..=first], &message[last..]),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_in_a_message_is_masked() {
        let message = "invalid input syntax for type integer: \"ann@x.example\"";
        let quoting = "invalid input syntax for type integer: \"O'Brien Ltd\"";
        assert_eq!(mask_quoted(quoting), "invalid input syntax for type integer: \"***\"");
        assert_eq!(mask_quoted(message), "invalid input syntax for type integer: \"***\"");
        assert_eq!(mask_quoted("Truncated incorrect INTEGER value: 'ann'"), "Truncated incorrect INTEGER value: '***'");
    }
}

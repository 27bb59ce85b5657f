//! Translates a database's URL, in the forms that PostgreSQL, MySQL and their hosts document, into the form of the
//! drivers.
//!
//! Every parameter of a URL either takes effect or is a mistake; none is ignored.

use percent_encoding::percent_decode_str;
use url::{Host, ParseError, Url};

use super::{
    kind::Kind,
    parameters::{self, NO_PORT, SEVERAL},
};

/// Parses a database's URL into the form of the drivers. A mistake shows only the names of parameters, since the rest
/// of the URL may be a password.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    // Text that is not a scheme may be a password.
    let is_scheme = |scheme: &str| scheme.chars().all(|c| c.is_ascii_alphanumeric());
    let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return Err("is not a URL that begins with postgres:, mysql:, mariadb: or sqlite:".to_owned());
    };
    let Some(kind) = Kind::of(scheme) else {
        return Err(format!("begins with '{scheme}:', not with postgres:, mysql:, mariadb: or sqlite:"));
    };
    if kind == Kind::Sqlite {
        return file(text);
    }
    let Some(rest) = rest.strip_prefix("//") else {
        return Err(format!("has no // behind '{scheme}:'"));
    };
    let (user, host, tail) = split(rest)?;
    let (place, implied) = placed(kind, user, host);
    // If an @ follows, the text after the colon is the beginning of a password, not a port.
    let is_port = |port: &str| !tail.contains('@') && !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    let mut url = Url::parse(&format!("{scheme}://{place}{tail}")).map_err(|error| match place.rsplit_once(':') {
        Some((_, port)) if is_port(port) && error == ParseError::InvalidPort => NO_PORT.to_owned(),
        _ => format!("is not a URL ({error})"),
    })?;
    let given: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    // Then the parameters may be the rest of a password, so the mistake names none.
    let is_torn = |(name, value): &(String, String)| {
        name.contains('@') || value.contains('@') && !["user", "password"].contains(&&**name)
    };
    let is_after_path = url.path().contains('@') || url.fragment().is_some_and(|fragment| fragment.contains('@'));
    if is_after_path || given.iter().any(is_torn) {
        return Err("has an @ after its host".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a # behind its host: write %23 for it where it is part of a name or a password".to_owned());
    }
    url.set_query(None);
    for (name, value) in &implied {
        url.query_pairs_mut().append_pair(name, value);
    }
    for (name, value) in given {
        parameters::set(&mut url, kind, &name, &value)?;
    }
    Ok(url)
}

/// Parses the URL of a SQLite file.
fn file(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error})"))?;
    if url.fragment().is_some() {
        return Err("has a # in its path: write %23 for it".to_owned());
    }
    match url.query_pairs().next() {
        None => Ok(url),
        Some((name, _)) => Err(parameters::unknown(Kind::Sqlite, &name)),
    }
}

/// The part of a driver's URL before the path, and the parameters for the rest of the address.
fn placed(kind: Kind, user: Option<&str>, host: Where<'_>) -> (String, Vec<(&'static str, String)>) {
    let mut implied = Vec::new();
    let place = match (host, user) {
        // A URL with a user needs a host; without a host the driver looks for a socket.
        (Where::Nothing, Some(user)) if kind == Kind::Postgres => {
            let (user, password) = user.split_once(':').map_or((user, None), |(user, password)| (user, Some(password)));
            implied.push(("user", decoded(user)));
            implied.extend(password.map(|password| ("password", decoded(password))));
            String::new()
        }
        (Where::Nothing, None) => String::new(),
        (Where::Nothing, Some(user)) => format!("{user}@localhost"),
        (Where::Host(host), user) => user.map_or(host.to_owned(), |user| format!("{user}@{host}")),
        (Where::Socket(path), user) => {
            // The server's port is a part of the socket's file name.
            let port = path.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
            let (path, port) = port.map_or((&*path, None), |(path, port)| (path, Some(port)));
            implied.push((if kind == Kind::MySql { "socket" } else { "host" }, path.to_owned()));
            implied.extend(port.map(|port| ("port", port.to_owned())));
            user.map_or("localhost".to_owned(), |user| format!("{user}@localhost"))
        }
    };
    (place, implied)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The host in the form of the drivers: an IPv6 address without its brackets.
pub(super) fn host(url: &Url) -> Option<String> {
    let named = parameter(url, "host").filter(|host| !host.starts_with('/'));
    named.or_else(|| match url.host()? {
        Host::Ipv6(address) => Some(address.to_string()),
        host => Some(host.to_string()).filter(|host| !host.is_empty()),
    })
}

/// Server and database, for messages.
pub(super) fn place(url: &Url) -> String {
    let socket =
        ["socket", "host"].into_iter().find_map(|name| parameter(url, name)).filter(|path| path.starts_with('/'));
    let host = socket.map(|path| format!("({path})")).or_else(|| host(url)).unwrap_or_else(|| "localhost".to_owned());
    let host = if host.contains(':') && !host.starts_with('(') { format!("[{host}]") } else { host };
    let port = parameter(url, "port").or_else(|| url.port().map(|port| port.to_string()));
    let port = port.map_or(String::new(), |port| format!(":{port}"));
    let database = parameter(url, "dbname").map_or_else(|| url.path().to_owned(), |name| format!("/{name}"));
    format!("{host}{port}{database}")
}

/// The user, if the URL names one.
pub(super) fn user(url: &Url) -> Option<String> {
    parameter(url, "user").or_else(|| Some(decoded(url.username()))).filter(|user| !user.is_empty())
}

/// The password, if the URL has one.
pub(super) fn password(url: &Url) -> Option<String> {
    parameter(url, "password").or_else(|| url.password().map(str::to_owned))
}

/// The TLS mode, if the URL has one, as its driver names it.
pub(super) fn tls_mode(url: &Url) -> Option<String> {
    parameter(url, "sslmode")
}

/// The value of a parameter. As in the drivers, the last one counts.
fn parameter(url: &Url, wanted: &str) -> Option<String> {
    url.query_pairs().filter(|(name, _)| name == wanted).last().map(|(_, value)| value.into_owned())
}

/// Where the server is.
enum Where<'t> {
    Nothing,
    /// With its port.
    Host(&'t str),
    Socket(String),
}

/// Splits an address into the user's part, the host, and the rest.
fn split(rest: &str) -> Result<(Option<&str>, Where<'_>, &str), String> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // MySQL puts the path of a socket between brackets.
    if let Some(at) = rest.find("@(").filter(|at| *at < end) {
        let (path, tail) = rest[at + 2..].split_once(')').ok_or("has a ( without its )")?;
        return Ok((Some(&rest[..at]), Where::Socket(path.to_owned()), tail));
    }
    let (authority, tail) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    if host.contains(',') {
        return Err(SEVERAL.to_owned());
    }
    let path = decoded(host);
    let host = match host {
        "" => Where::Nothing,
        _ if path.starts_with('/') => Where::Socket(path),
        host => Where::Host(host),
    };
    Ok((user, host, tail))
}

/// The file that a `sqlite:` URL names, relative (`sqlite:tenants.db`, `sqlite://tenants.db`) or absolute (`sqlite:///var/…`).
pub(super) fn path(url: &Url) -> String {
    let encoded = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
    decoded(&encoded)
}

/// Whether this host is this machine, so that no certificate needs to be verified.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost"
        || host.is_empty()
        || host.starts_with('/')
        || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("postgres://u:p@db.example:5433/app", "db.example:5433/app")]
    #[case::no_port("postgresql://u@db.example/app", "db.example/app")]
    #[case::ipv6("postgres://u:p@[::1]:5432/db", "[::1]:5432/db")]
    #[case::ipv6_of_mysql("mysql://u:p@[2001:db8::7]/db", "[2001:db8::7]/db")]
    #[case::cloud_sql("postgres://u:p@/db?host=/cloudsql/a:b:c", "(/cloudsql/a:b:c)/db")]
    #[case::nobody_nowhere("postgres:///db", "localhost/db")]
    #[case::somebody_nowhere("postgres://u:p@/db", "localhost/db")]
    #[case::socket_as_host("postgres://%2Fvar%2Frun%2Fpostgresql/db", "(/var/run/postgresql)/db")]
    #[case::socket_as_host_of_somebody("postgres://u@%2Ftmp:5433/db", "(/tmp):5433/db")]
    #[case::all_as_parameters("postgresql://?host=h&port=5433&dbname=d&user=u&password=p", "h:5433/d")]
    #[case::parameters_win("postgresql://a:1/b?host=h&port=5433&dbname=d", "h:5433/d")]
    #[case::ipv6_as_parameter("postgresql:///d?host=::1&user=u", "[::1]/d")]
    #[case::socket("mysql://u@/db?socket=/run/mysqld/mysqld.sock", "(/run/mysqld/mysqld.sock)/db")]
    #[case::socket_in_brackets("mysql://u:p@(/run/mysqld/mysqld.sock)/db", "(/run/mysqld/mysqld.sock)/db")]
    #[case::socket_encoded("mysql://u@%2Frun%2Fmysqld.sock/db", "(/run/mysqld.sock)/db")]
    #[case::mysql_nowhere("mysql://u:p@/db", "localhost/db")]
    #[case::neon("postgres://u:p@h/db?sslmode=require&channel_binding=prefer", "h/db")]
    #[case::rds(
        "postgres://u:p@h.rds.example:5432/db?sslmode=verify-full&sslrootcert=/ca.pem",
        "h.rds.example:5432/db"
    )]
    #[case::options("postgres://u@h/db?options=-csearch_path%3Dapp&application_name=x", "h/db")]
    fn these_are_taken(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(place(&parse(text).unwrap()), expected);
    }

    #[rstest]
    #[case("postgres://h/d?sslmode=VERIFY_IDENTITY", "verify-full")]
    #[case("postgres://h/d?ssl-mode=disabled", "disable")]
    #[case("postgres://h/d?sslmode=allow", "prefer")]
    #[case("mysql://h/d?sslmode=disable", "disabled")]
    #[case("mysql://h/d?ssl_mode=verify-full", "verify_identity")]
    #[case("mariadb://h/d?ssl-mode=REQUIRED", "required")]
    fn tls_is_named_as_either_kind_does(#[case] text: &str, #[case] mode: &str) {
        assert_eq!(tls_mode(&parse(text).unwrap()).as_deref(), Some(mode));
    }

    #[rstest]
    #[case("postgres://a,b:5433/d", "several hosts")]
    #[case("postgres:///d?host=a,b", "several hosts")]
    #[case("postgres://h/d?schema=app", "schema")]
    #[case("postgres://h/d?immutable=1", "immutable")]
    #[case("postgres://h/d?sslmod=disable", "did you mean sslmode?")]
    #[case("postgres://h/d?sslmode=on", "sslmode=on")]
    #[case("postgres://h/d?channel_binding=require", "channel_binding")]
    #[case("postgres://h/d?target_session_attrs=read-write", "target_session_attrs")]
    #[case("postgres://h/d?connect_timeout=10", "source.timeout")]
    #[case("postgres://h/d?pgbouncer=true", "pooler")]
    #[case("postgres://h:x/d", "is not a URL")]
    #[case("postgres://u:p/w@h/d", "is not a URL")]
    #[case("postgres://u:1/w@h/d", "has an @")]
    #[case("postgres://h/d?port=x", "port")]
    #[case("postgres://h:99999/d", "has a port that is no number")]
    #[case("mysql://u:p@h:99999", "has a port that is no number")]
    #[case("postgres://u:1234567/very@h/d", "is not a URL")]
    #[case("postgres://h/d#very", "%23")]
    #[case("mysql://h/#very", "%23")]
    #[case("sqlite:a#very.db", "%23")]
    #[case("mysql://h/d?charset=bogus", "charset")]
    #[case("mysql://h/d?collation=a'b", "collation")]
    #[case("postgres://h/d?collation=C", "collation")]
    #[case("very-secret@h:5432/d", "is not a URL")]
    #[case("postgres://u:12?very&secret@h/d", "has an @")]
    #[case("postgres://u:12?very=secret@h/d", "has an @")]
    #[case("mysql://h/d?useSSL=false", "ssl-mode=DISABLED")]
    #[case("mysql://h/d?parseTime=true", "parseTime")]
    #[case("mysql://u@(/run/x.sock/d", "without its )")]
    #[case("sqlite:a.db?immutable=1", "immutable")]
    #[case("sqlite:a.db?mode=ro", "only read")]
    #[case("oracle://h/d", "oracle")]
    #[case("postgres:d", "no //")]
    #[case("h/d", "is not a URL")]
    fn others_are_named(#[case] text: &str, #[case] told: &str) {
        let reason = parse(text).unwrap_err();
        assert!(reason.contains(told) && !reason.contains("very"), "{reason}");
    }
}

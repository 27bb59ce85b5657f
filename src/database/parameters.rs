//! The parameters of a database's URL that the drivers honour, in all documented spellings.
//!
//! Any other parameter is a mistake; the message names it and says what to write instead.

use strsim::damerau_levenshtein;
use url::Url;

use super::kind::Kind;
use crate::model::shown;

const POSTGRES: [&str; 11] = [
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "options",
    "application_name",
];

const MYSQL: [&str; 6] = ["socket", "collation", "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key"];

/// Spellings of these parameters; `_`, `-` and case make no difference.
const SPELLINGS: [(&str, &str, &str); 7] = [
    ("sslmode", "sslmode", "ssl-mode"),
    ("sslca", "sslrootcert", "ssl-ca"),
    ("sslrootcert", "sslrootcert", "ssl-ca"),
    ("sslcert", "sslcert", "ssl-cert"),
    ("sslkey", "sslkey", "ssl-key"),
    ("applicationname", "application_name", "application_name"),
    ("unixsocket", "host", "socket"),
];

/// The TLS modes of a URL: their names in both drivers, then other names.
const MODES: [(&str, &str, &[&str]); 5] = [
    ("disable", "disabled", &[]),
    ("prefer", "preferred", &["allow"]),
    ("require", "required", &[]),
    ("verify-ca", "verify_ca", &[]),
    ("verify-full", "verify_identity", &[]),
];

/// Parameters with values that change nothing, since they ask for the default.
const DONE_ANYWAY: [(&str, &[&str]); 5] = [
    ("channel_binding", &["disable", "prefer"]),
    ("gssencmode", &["disable", "prefer"]),
    ("target_session_attrs", &["any"]),
    ("client_encoding", &["utf8", "UTF8", "auto"]),
    // All text arrives as UTF-8, whatever the URL says.
    ("charset", &["utf8mb4", "utf8mb3", "utf8", "UTF-8", "latin1", "ascii"]),
];

/// Advice for unsupported parameters that are common.
const INSTEAD: [(&str, &str); 15] = [
    ("charset", "leave it out: texts arrive as utf8mb4"),
    ("schema", "write the schema before the names of tables, or options=-csearch_path%3D…"),
    ("hostaddr", "write the address as the host"),
    ("connect_timeout", "source.timeout bounds connecting too"),
    ("connection_limit", "a run takes up to three connections, and one more for a ledger"),
    ("pool_timeout", "there is no pool"),
    ("pgbouncer", "leave it out: a pooler needs no parameter"),
    ("channel_binding", "this driver has none; TLS is verified instead"),
    ("target_session_attrs", "name the host that may be read"),
    ("service", "service files are not read"),
    ("passfile", "use source.password_file"),
    ("ssl", "write sslmode=require or sslmode=disable"),
    ("usessl", "write ssl-mode=REQUIRED or ssl-mode=DISABLED"),
    ("tls", "write ssl-mode=REQUIRED or ssl-mode=DISABLED"),
    ("mode", "tenants are only read, and a ledger's file is made if it is missing"),
];

pub(super) const NO_PORT: &str = "has a port that is no number up to 65535";

pub(super) const SEVERAL: &str = "names several hosts: name one, or an address that always leads to the primary";

/// Sets a parameter.
pub(super) fn set(url: &mut Url, kind: Kind, name: &str, value: &str) -> Result<(), String> {
    if DONE_ANYWAY.iter().any(|(known, values)| *known == name && values.contains(&value)) {
        return Ok(());
    }
    let bare = name.replace(['-', '_'], "").to_lowercase();
    let spelled = SPELLINGS.iter().find(|(spelling, ..)| *spelling == bare);
    let spelled = spelled.map(|(_, postgres, mysql)| if kind == Kind::MySql { mysql } else { postgres });
    let known: &[&str] = if kind == Kind::MySql { &MYSQL } else { &POSTGRES };
    let name = spelled.copied().unwrap_or(name);
    let is_option = kind == Kind::Postgres && name.starts_with("options[") && name.ends_with(']');
    let is_socket = name == "host" && value.starts_with('/');
    if !(is_option || is_socket || known.contains(&name)) {
        return Err(unknown(kind, name));
    }
    let value = match name {
        "host" if value.contains(',') => return Err(SEVERAL.to_owned()),
        "port" if value.parse::<u16>().is_err() => return Err(NO_PORT.to_owned()),
        "sslmode" | "ssl-mode" => mode(kind, name, value)?,
        "collation" if !value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || value.is_empty() => {
            return Err(format!("has collation={}, which is no collation's name", shown(value)));
        }
        _ => value,
    };
    let name = match (name, kind) {
        // Both drivers know it by this name.
        ("ssl-mode", _) => "sslmode",
        ("host", Kind::MySql) => "socket",
        (name, _) => name,
    };
    url.query_pairs_mut().append_pair(name, value);
    Ok(())
}

fn mode<'v>(kind: Kind, name: &str, value: &'v str) -> Result<&'v str, String> {
    let mode = value.to_lowercase().replace('_', "-");
    let is_it = |known: &&(&'static str, &str, &[&str])| {
        known.0 == mode || known.1.replace('_', "-") == mode || known.2.contains(&&*mode)
    };
    let known = MODES.iter().find(is_it).map(|(postgres, mysql, _)| if kind == Kind::MySql { mysql } else { postgres });
    known
        .copied()
        .ok_or_else(|| format!("has {name}={}: write disable, prefer, require, verify-ca or verify-full", shown(value)))
}

/// The mistake for an unknown parameter, with what to write instead.
pub(super) fn unknown(kind: Kind, name: &str) -> String {
    let (of, known): (_, &[&str]) = match kind {
        Kind::Postgres => ("PostgreSQL", &POSTGRES),
        Kind::MySql => ("MySQL", &MYSQL),
        Kind::Sqlite => ("SQLite", &[]),
    };
    let lower = name.to_lowercase();
    let instead = INSTEAD.iter().find(|(met, _)| *met == lower).map(|(_, instead)| (*instead).to_owned());
    let near = || {
        known.iter().find(|known| damerau_levenshtein(known, &lower) <= 2).map(|near| format!("did you mean {near}?"))
    };
    let way_out = instead.or_else(near).unwrap_or_else(|| match known {
        [] => "leave it out".to_owned(),
        known => format!("leave it out, or use one of {}", known.join(", ")),
    });
    format!("has a parameter {} that is not supported for {of}: {way_out}", shown(name))
}

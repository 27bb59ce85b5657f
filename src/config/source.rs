//! The source: a database and a query, or an API and its columns. The keys of the other kind must not be set.

use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;

use super::{
    draft::Draft,
    values::{DAY, address, between, duration, pause},
};
use crate::{
    database::{Kind as Database, Timezone},
    http::{Header, Patience},
    source::{
        AnySource, Changed, Mapping, Paging, PagingKind, ParentBy, Pointer, Rest, RestSettings, Sql, SqlSettings,
    },
};

/// The keys that only a database has.
const OF_SQL: [&str; 9] =
    ["password_file", "query", "query_file", "query_one", "listen", "query_changed", "poll", "overlap", "timezone"];

/// The keys that only an API has.
const OF_REST: [&str; 16] = [
    "token_file",
    "token_header",
    "parameters",
    "paging",
    "page_parameter",
    "first_page",
    "cursor",
    "size_parameter",
    "page_size",
    "records",
    "total",
    "record_id",
    "columns",
    "parent_by",
    "requests_per_minute",
    "max_in_flight",
];

/// The longest name of a PostgreSQL channel, in bytes.
const LONGEST_CHANNEL: usize = 63;

/// Stands for the token in a header.
const TOKEN: &str = "{token}";

#[derive(Clone, Copy)]
enum Kind {
    Sql,
    Rest,
}

pub(super) fn source(draft: &mut Draft) -> Option<AnySource> {
    match draft.choice("source.kind", &[("sql", Kind::Sql), ("rest", Kind::Rest)])? {
        Kind::Sql => {
            refuse(draft, &OF_REST, "\"rest\", and it is \"sql\"");
            sql(draft).map(AnySource::Sql)
        }
        Kind::Rest => {
            refuse(draft, &OF_SQL, "\"sql\", and it is \"rest\"");
            rest(draft).map(AnySource::Rest)
        }
    }
}

fn refuse(draft: &mut Draft, names: &[&str], kind: &str) {
    for key in names.iter().map(|name| format!("source.{name}")) {
        if draft.is_set(&key) {
            draft.mistake(&key, &format!("is for source.kind = {kind}"));
        }
    }
}

fn sql(draft: &mut Draft) -> Option<Sql> {
    let url = draft.secret("source.url", "DATABASE_URL");
    let password = draft.password_file("source.password_file");
    let ca_file = draft.certificates("source.ca_file");
    let query = draft.either_text_or_file("source.query", "source.query_file");
    let query_one = optional_query(draft, "source.query_one", "a SELECT for one id, or empty");
    let listen = channel(draft);
    let changed = changed(draft);
    let timeout = duration(draft, "source.timeout");
    let form = "the name of a time zone, such as \"Europe/Berlin\", or an offset from UTC, such as \"+01:00\"";
    let timezone = draft.text("source.timezone", form, Timezone::parse);
    let longest = duration(draft, "schedule.max_run");
    let leave_null = draft.list("fields.leave_null");
    let url = url?;
    if url.expose_secret().starts_with("sqlite:") && draft.is_set("source.timezone") {
        draft.mistake("source.timezone", "is for a server: a SQLite file has no zone");
    }
    // A missing value was noted as a mistake, so its default here is never used; it only lets the URL be checked too.
    let settings = SqlSettings {
        url,
        password: password.flatten(),
        ca_file: ca_file.flatten(),
        query: query.unwrap_or_default(),
        query_one,
        listen: listen.flatten(),
        changed,
        timeout: timeout.unwrap_or_default(),
        timezone: timezone.unwrap_or_default(),
        longest: longest.unwrap_or_default(),
        leave_null: leave_null.unwrap_or_default(),
    };
    let sql = Sql::new(settings);
    let sql = sql.map_err(|reason| draft.mistake("source.url", &way_out(&reason, "source.password_file"))).ok()?;
    if sql.channel().is_some() && sql.server().kind() != Database::Postgres {
        draft.mistake(
            "source.listen",
            "is for PostgreSQL, and source.url names another database: see source.query_changed",
        );
    }
    Some(sql)
}

/// A query that may be left out.
fn optional_query(draft: &mut Draft, key: &str, form: &str) -> Option<String> {
    let text = draft.text(key, form, |text| Some(Some(text.to_owned()).filter(|text| !text.trim().is_empty())));
    text.flatten().and_then(|text| draft.without_nul(key, text))
}

/// `Some(None)`: none.
#[expect(clippy::option_option, reason = "outside: usable; inside: named")]
fn channel(draft: &mut Draft) -> Option<Option<String>> {
    let form = "the name of a channel, of at most 63 bytes, or empty";
    draft.text("source.listen", form, |name| {
        let is_sound = name.len() <= LONGEST_CHANNEL && !name.contains('\0');
        is_sound.then(|| Some(name.to_owned()).filter(|name| !name.is_empty()))
    })
}

fn changed(draft: &mut Draft) -> Option<Changed> {
    let query = optional_query(draft, "source.query_changed", "a SELECT for tenants that changed, or empty");
    let form = "a time such as \"500ms\" or \"2s\", from 100ms to a day";
    let every = between(draft, "source.poll", form, Duration::from_millis(100), DAY);
    let overlap = pause(draft, "source.overlap");
    Some(Changed { query: query?, every: every?, overlap: overlap? })
}

/// Adds the way out to a URL's mistake. An unescaped `/`, `?`, `#` or `@` in the password would turn its rest into a
/// port, a path or a parameter.
pub(super) fn way_out(reason: &str, password_file: &str) -> String {
    let is_torn = reason.starts_with("is not a URL (") || reason.starts_with("has an @");
    let escapes = "in a password write %2F for /, %3F for ?, %23 for # and %40 for @, or use";
    if is_torn { format!("{reason}; {escapes} {password_file}") } else { reason.to_owned() }
}

fn rest(draft: &mut Draft) -> Option<Rest> {
    let url = address(draft, "source.url");
    let proxy = url.as_ref().and_then(|url| draft.proxy(url));
    let ca = draft.certificates("source.ca_file");
    let credentials = credentials(draft);
    let parameters = parameters(draft);
    let paging = paging(draft);
    let records = pointer(draft, "source.records", "/data (empty: the page is the list)");
    let record_id = pointer(draft, "source.record_id", "/id");
    let mapping = mapping(draft);
    let by = [("provided_id", ParentBy::ProvidedId), ("record_id", ParentBy::RecordId)];
    let parent_by = draft.choice("source.parent_by", &by);
    let timeout = duration(draft, "source.timeout");
    let max_attempts = draft.number("explo.max_attempts", 1..=100);
    let pause_on_429 = duration(draft, "explo.pause_on_429");
    let requests_per_minute = draft.number("source.requests_per_minute", 1..=60_000_000);
    let max_in_flight = draft.number("source.max_in_flight", 1..=256);
    let settings = RestSettings {
        url: url?,
        ca: ca?,
        proxy: proxy?,
        credentials: credentials?,
        parameters: parameters?,
        paging: paging?,
        records: records?,
        record_id: record_id?,
        mapping: mapping?,
        parent_by: parent_by?,
        patience: Patience { timeout: timeout?, max_attempts: max_attempts?, pause_on_429: pause_on_429? },
        requests_per_minute: requests_per_minute?,
        max_in_flight: max_in_flight?,
    };
    Rest::new(settings, rand::random())
        .map_err(|reason| draft.mistake("source.ca_file", &format!("can't be used: {reason}")))
        .ok()
}

/// The header with the token; `Some(None)` if no file is named.
#[expect(clippy::option_option, reason = "outside: usable; inside: named")]
fn credentials(draft: &mut Draft) -> Option<Option<Header>> {
    let token = draft.optional_token_file("source.token_file");
    let form =
        "a header with {token} in its value, such as \"Authorization: Bearer {token}\" or \"X-Api-Key: {token}\"";
    let header = draft.text("source.token_header", form, |text| {
        let (name, value) = text.split_once(':')?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        let is_sound = value.contains(TOKEN) && HeaderValue::from_str(value).is_ok();
        is_sound.then(|| (name, value.trim().to_owned()))
    });
    let (Some(token), (name, value)) = (token?, header?) else { return Some(None) };
    let value = value.replace(TOKEN, token.expose_secret());
    if HeaderValue::from_str(&value).is_err() {
        draft.mistake("source.token_file", "must hold the token alone, on one line");
        return None;
    }
    Some(Some(Header { name, value: value.into() }))
}

fn parameters(draft: &mut Draft) -> Option<Vec<(String, String)>> {
    let list = draft.list("source.parameters")?;
    let split = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let split: Option<Vec<_>> = list.iter().map(split).collect();
    if split.is_none() {
        draft.mistake("source.parameters", "must be a list of names with values, such as [\"sortBy=id\"]");
    }
    split
}

fn paging(draft: &mut Draft) -> Option<Paging> {
    let kinds = ["offset", "page", "cursor", "none"].map(|kind| (kind, kind));
    let kind = draft.choice("source.paging", &kinds);
    let name = |text: &str| Some(text.to_owned());
    let page_parameter = draft.text("source.page_parameter", "the name of a parameter, or empty", name);
    let size_parameter = draft.text("source.size_parameter", "the name of a parameter, or empty", name);
    let first_page = draft.number("source.first_page", 0..=1);
    let size = draft.number("source.page_size", 1..=100_000);
    let cursor = optional_pointer(draft, "source.cursor", "/next_cursor");
    let total = optional_pointer(draft, "source.total", "/total");
    let (kind, cursor) = (kind?, cursor?);
    let kind = match (kind, cursor) {
        ("cursor", Some(cursor)) => PagingKind::Cursor(cursor),
        ("cursor", None) => {
            draft.mistake(
                "source.cursor",
                "is not set: name the JSON pointer to the next page's cursor, such as /next_cursor",
            );
            return None;
        }
        (_, Some(_)) => {
            draft.mistake("source.cursor", "is for source.paging = \"cursor\"");
            return None;
        }
        ("offset", None) => PagingKind::Offset,
        ("page", None) => PagingKind::Page(first_page?),
        (_, None) => PagingKind::None,
    };
    Some(Paging { kind, page_parameter: page_parameter?, size_parameter: size_parameter?, size: size?, total: total? })
}

fn mapping(draft: &mut Draft) -> Option<Mapping> {
    let columns = draft.table("source.columns")?;
    let leave_null = draft.list("fields.leave_null")?;
    if columns.is_empty() {
        draft.mistake(
            "source.columns",
            "is not set: map the tenant's columns in [source.columns], such as provided_id = \"/id\"",
        );
        return None;
    }
    let told = |mistakes: Vec<String>| {
        for mistake in mistakes {
            draft.mistake("source.columns", &format!("can't be used: {mistake}"));
        }
    };
    Mapping::new(&columns, &leave_null).map_err(told).ok()
}

fn pointer(draft: &mut Draft, key: &str, example: &str) -> Option<Pointer> {
    draft.text(key, &format!("a JSON pointer such as {example}"), Pointer::parse)
}

/// `Some(None)`: empty.
#[expect(clippy::option_option, reason = "outside: usable; inside: named")]
fn optional_pointer(draft: &mut Draft, key: &str, example: &str) -> Option<Option<Pointer>> {
    let form = format!("a JSON pointer such as {example}, or empty");
    draft.text(key, &form, |text| if text.is_empty() { Some(None) } else { Pointer::parse(text).map(Some) })
}

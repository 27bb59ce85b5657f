//! One row of the table: what is remembered of a customer, as columns.

use std::iter;

use secrecy::ExposeSecret;
use sqlx::{Encode, QueryBuilder, Type};

use super::{LONGEST_ID, Sql, dialect::Dialect};
use crate::plan::{Entry, Failure, FieldFindings, Remembered, Shown, Token, token_hash};

/// The columns of what is remembered, in the order of reading; behind the id.
const REMEMBERED: [&str; 10] = [
    "token",
    "parent_provided_id",
    "wanted",
    "seen",
    "unsettled",
    "last_error",
    "failures",
    "runs_to_wait",
    "next_try",
    "parents_checked_at",
];

/// In place of a fingerprint.
const UNLISTED: &str = "unlisted";

/// The columns that are written, behind the key.
fn written(form: impl Fn(&str) -> String) -> String {
    REMEMBERED.into_iter().chain(["synced_at"]).map(form).collect::<Vec<_>>().join(", ")
}

/// The statement that reads an instance's rows, where the table has these columns.
pub(super) fn select<D: Dialect>(ledger: &Sql, columns: &[String]) -> String {
    let expression = |name: &&str| {
        if columns.iter().any(|column| column == name) { D::text(name) } else { "NULL".to_owned() }
    };
    let expressions: Vec<_> = iter::once(&"provided_id").chain(&REMEMBERED).map(expression).collect();
    // The instance is a name without quotes.
    let (table, instance) = (ledger.table.quoted(D::QUOTE), &ledger.instance);
    format!("SELECT {} FROM {table} WHERE instance = '{instance}'", expressions.join(", "))
}

/// One row, cell by cell, in the order of [`select`]. What somebody broke is not known.
pub(super) fn read(
    next: &mut dyn FnMut() -> sqlx::Result<Option<String>>,
) -> sqlx::Result<Option<(String, Remembered)>> {
    let hash = |text: &str| u64::from_str_radix(text, 16).ok();
    let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok());
    let Some(provided_id) = next()? else { return Ok(None) };
    let token = next()?.filter(|token| !token.is_empty()).map(|token| token_hash(&token));
    let (parent, wanted) = (next()?, next()?.as_deref().and_then(hash));
    let seen = next()?.and_then(|text| match text.strip_prefix(UNLISTED) {
        // An earlier version did not keep the time.
        Some(asked_at) => Some(Shown::Hidden(hash(asked_at).unwrap_or(0))),
        None => hash(&text).map(Shown::Listed),
    });
    let fields = next()?.map(|text| FieldFindings::parse(&text)).unwrap_or_default();
    let error = next()?.unwrap_or_default();
    let (times, runs_to_wait, next_try) = (number(next()?), number(next()?), number(next()?).unwrap_or(0));
    let count = |number: Option<u64>| u32::try_from(number.unwrap_or(0)).unwrap_or(u32::MAX);
    let failure = Failure { times: count(times), runs_to_wait: count(runs_to_wait), next_try, error };
    let failure = Some(failure).filter(|failure| failure.times > 0);
    let children_listed_at = number(next()?);
    Ok(Some((
        provided_id,
        Remembered { token, parent, children_listed_at, wanted, seen, fields, failure, customer_gone_since: None },
    )))
}

/// The statement that writes entries.
pub(super) fn insert<D: Dialect>(ledger: &Sql, entries: &[&Entry]) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
    for<'q> Option<i64>: Encode<'q, D::Db> + Type<D::Db>,
{
    let mut insert = QueryBuilder::new(begin::<D>(ledger));
    let hex = |fingerprint: u64| format!("{fingerprint:016x}");
    let seconds = |seconds: u64| i64::try_from(seconds).ok();
    insert.push_values(entries.iter().copied(), |mut row, entry| {
        let Entry { provided_id, token, remembered, is_synced, .. } = entry;
        let failure = remembered.failure.as_ref();
        let seen = remembered.seen.map(|seen| match seen {
            Shown::Listed(fingerprint) => hex(fingerprint),
            Shown::Hidden(asked_at) => format!("{UNLISTED}{asked_at:08x}"),
        });
        row.push_bind(Some(ledger.instance.clone()));
        row.push_bind(Some(provided_id.clone()));
        row.push_bind(match token {
            Token::Shown(token) => Some(token.expose_secret().to_owned()),
            Token::Kept | Token::Gone => None,
        });
        row.push_bind(remembered.parent.clone().filter(|parent| parent.len() <= LONGEST_ID));
        row.push_bind(remembered.wanted.map(hex));
        row.push_bind(seen);
        row.push_bind(Some(remembered.fields.to_string()).filter(|fields| !fields.is_empty()));
        row.push_bind(failure.map(|failure| failure.error.replace('\0', " ")));
        row.push_bind(Some(failure.map_or(0, |failure| i64::from(failure.times))));
        row.push_bind(Some(failure.map_or(0, |failure| i64::from(failure.runs_to_wait))));
        for time in [failure.map(|failure| failure.next_try), remembered.children_listed_at] {
            row.push(D::TIME.0);
            row.push_bind_unseparated(time.and_then(seconds));
            row.push_unseparated(D::TIME.1);
        }
        row.push(if *is_synced { D::NOW } else { "NULL" });
    });
    insert.push(end::<D>());
    insert
}

/// The same of nothing, to be judged and not carried out.
pub(super) fn nothing<D: Dialect>(ledger: &Sql) -> String {
    let is_count = |column: &str| matches!(column, "failures" | "runs_to_wait");
    let values = written(|column| if is_count(column) { "0" } else { "NULL" }.to_owned());
    format!("{}VALUES ('', '', {values}){}", begin::<D>(ledger), end::<D>())
}

fn begin<D: Dialect>(ledger: &Sql) -> String {
    let alias = if D::held("").is_empty() { "" } else { " AS held" };
    let table = ledger.table.quoted(D::QUOTE);
    format!("INSERT INTO {table}{alias} (instance, provided_id, {}) ", written(str::to_owned))
}

/// A row that is there keeps what is not shown anew.
fn end<D: Dialect>() -> String {
    let kept = |column: &str| {
        let (inserted, held) = (D::inserted(column), D::held(column));
        match column {
            "token" | "synced_at" => format!("{column} = COALESCE({inserted}, {held})"),
            column => format!("{column} = {inserted}"),
        }
    };
    format!("{}{}", D::ON_CONFLICT, written(kept))
}

/// The statement that finds a row.
pub(super) fn find<D: Dialect>(ledger: &Sql, provided_id: &str) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    let find = QueryBuilder::new(format!("SELECT instance FROM {}", ledger.table.quoted(D::QUOTE)));
    of::<D>(find, ledger, &[provided_id])
}

/// The statement that gives a row another id.
pub(super) fn rename<D: Dialect>(ledger: &Sql, former: &str, provided_id: &str) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    let mut rename = QueryBuilder::new(format!("UPDATE {} SET provided_id = ", ledger.table.quoted(D::QUOTE)));
    rename.push_bind(Some(provided_id.to_owned()));
    of::<D>(rename, ledger, &[former])
}

/// The statement that empties rows of their tokens.
pub(super) fn forget_tokens<D: Dialect>(ledger: &Sql, provided_ids: &[&str]) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    let forget = QueryBuilder::new(format!("UPDATE {} SET token = NULL", ledger.table.quoted(D::QUOTE)));
    of::<D>(forget, ledger, provided_ids)
}

fn of<D: Dialect>(mut statement: QueryBuilder<D::Db>, ledger: &Sql, provided_ids: &[&str]) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    statement.push(" WHERE instance = ");
    statement.push_bind(Some(ledger.instance.clone()));
    statement.push(" AND provided_id IN (");
    let mut ids = statement.separated(", ");
    for provided_id in provided_ids {
        ids.push_bind(Some((*provided_id).to_owned()));
    }
    statement.push(")");
    statement
}

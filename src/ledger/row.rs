//! One row of the table: the memory of a customer, as columns. The row with the empty id names the ledger's pair.

use std::iter;

use secrecy::ExposeSecret;
use sqlx::{Encode, QueryBuilder, Type};

use super::{
    Sql,
    dialect::{COUNTS, Dialect, KEY},
    form,
};
use crate::memory::{
    DELETING, Entry, Failure, FieldFindings, LOCKED_OUT, LONGEST_ID, LockedOut, Overview, Remembered, Seen, Token,
    token_hash,
};

/// The columns of the memory, in the order of reading, after the id.
const REMEMBERED: [&str; 12] = [
    "unsettled",
    "token",
    "parent_provided_id",
    "wanted",
    "seen",
    "last_error",
    "failures",
    "runs_to_wait",
    "next_try",
    "parents_checked_at",
    "customer_gone_since",
    "row_gone_since",
];

/// The column that names the ledger's pair, in the row of nobody.
pub(super) const WHOSE: &str = "unsettled";

/// The column that keeps what offboarded customers were.
pub(super) const OFFBOARDED: &str = "offboarded";

/// The id of the row that names the ledger's pair: no tenant has it.
pub(super) const NOBODY: &str = "";

/// One row.
pub(super) enum Row {
    /// The ledger's pair, and what the last complete listing showed as a whole, both in JSON.
    Whose(Option<String>, Option<Overview>),
    /// The memory of a customer, by its id, and what is known of its offboarding.
    Customer(String, Box<Remembered>, Option<Left>),
}

/// What is known of a customer's offboarding.
pub(super) enum Left {
    /// What `lock_out` emptied.
    LockedOut(LockedOut),
    /// Its deletion was begun, and is not known to be done.
    Deleting,
}

/// Stands in place of a fingerprint for a hidden customer.
const UNLISTED: &str = "unlisted";

/// The columns that are written, after the key.
fn written(form: impl Fn(&str) -> String) -> String {
    REMEMBERED.into_iter().chain(["synced_at"]).map(form).collect::<Vec<_>>().join(", ")
}

/// The statement that reads an instance's rows from a table with these columns.
pub(super) fn select<D: Dialect>(ledger: &Sql, columns: &[String]) -> String {
    // The instance is a name without quotes.
    let (read, instance) =
        (read_columns::<D>(ledger, None, |name| columns.iter().any(|column| column == name)), &ledger.instance);
    format!("{read} WHERE instance = '{instance}'")
}

/// The statement that reads some rows, and the ledger's own, from a table with all columns; each with the time in seconds
/// since 1970 at its end.
pub(super) fn select_some<D: Dialect>(ledger: &Sql, provided_ids: &[&str]) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    let ids: Vec<_> = iter::once(&NOBODY).chain(provided_ids).copied().collect();
    of::<D>(QueryBuilder::new(read_columns::<D>(ledger, Some(D::NOW_IN_SECONDS), |_| true)), ledger, &ids)
}

fn read_columns<D: Dialect>(ledger: &Sql, further: Option<&str>, has: impl Fn(&str) -> bool) -> String {
    let expression = |name: &&str| if has(name) { D::text(name) } else { "NULL".to_owned() };
    let mut expressions: Vec<_> = iter::once(&"provided_id").chain(&REMEMBERED).map(expression).collect();
    // What was deleted need not be read.
    let left = format!(
        "CASE WHEN {OFFBOARDED} LIKE '{LOCKED_OUT}%' THEN {OFFBOARDED} WHEN {OFFBOARDED} LIKE '{DELETING}%' THEN '{DELETING}' END"
    );
    expressions.push(if has(OFFBOARDED) { left } else { "NULL".to_owned() });
    expressions.extend(further.map(str::to_owned));
    format!("SELECT {} FROM {}", expressions.join(", "), ledger.table.quoted(D::QUOTE))
}

/// One row, cell by cell, in the order of [`select`]. Broken values and values of another form count as unknown. If one
/// of a row's fingerprints is unknown, so is the other, so that the next run replaces both.
pub(super) fn read(next: &mut dyn FnMut() -> sqlx::Result<Option<String>>) -> sqlx::Result<Option<Row>> {
    let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok());
    let (Some(provided_id), unsettled) = (next()?, next()?) else { return Ok(None) };
    if provided_id == NOBODY {
        let overview = (0..5).try_fold(None, |_, _| next())?;
        return Ok(Some(Row::Whose(unsettled, overview.and_then(|text| serde_json::from_str(&text).ok()))));
    }
    // Findings of earlier versions have no times; they count as far as they can be read.
    let fields =
        unsettled.map(|text| FieldFindings::parse(form::unstamped(&text).unwrap_or(&text))).unwrap_or_default();
    let token = next()?.filter(|token| !token.is_empty()).map(|token| token_hash(&token));
    let (parent, written, seen) = (next()?, next()?, next()?);
    let wanted = written.as_deref().and_then(form::read);
    let seen = match seen.as_deref() {
        Some(text) if text.starts_with(UNLISTED) => {
            // Earlier versions did not store the time.
            let asked_at = u64::from_str_radix(&text[UNLISTED.len()..], 16);
            Some(Seen::Hidden(asked_at.unwrap_or(0)))
        }
        Some(text) if wanted.is_some() || written.is_none() => form::read(text).map(Seen::Listed),
        Some(_) | None => None,
    };
    let error = next()?.unwrap_or_default();
    let (times, runs_to_wait, next_try) = (number(next()?), number(next()?), number(next()?).unwrap_or(0));
    let count = |number: Option<u64>| u32::try_from(number.unwrap_or(0)).unwrap_or(u32::MAX);
    let failure = Failure { times: count(times), runs_to_wait: count(runs_to_wait), next_try, error };
    let failure = Some(failure).filter(|failure| failure.times > 0);
    let (children_listed_at, customer_gone_since, row_gone_since) = (number(next()?), number(next()?), number(next()?));
    let left = next()?.and_then(|text| match &*text {
        DELETING => Some(Left::Deleting),
        text => LockedOut::read(text).map(Left::LockedOut),
    });
    let remembered = Remembered {
        token,
        parent,
        children_listed_at,
        customer_gone_since,
        row_gone_since,
        wanted,
        seen,
        fields,
        failure,
    };
    Ok(Some(Row::Customer(provided_id, Box::new(remembered), left)))
}

/// The statement that writes entries.
pub(super) fn insert<D: Dialect>(ledger: &Sql, entries: &[&Entry]) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    let mut insert = QueryBuilder::new(begin::<D>(ledger));
    // Numbers need no binding.
    let time = |seconds: Option<u64>| seconds.map_or("NULL".to_owned(), |seconds| D::time(seconds));
    insert.push_values(entries.iter().copied(), |mut row, entry| {
        let Entry { provided_id, token, remembered, is_synced, .. } = entry;
        let failure = remembered.failure.as_ref();
        let seen = remembered.seen.map(|seen| match seen {
            Seen::Listed(fingerprint) => form::write(fingerprint),
            Seen::Hidden(asked_at) => format!("{UNLISTED}{asked_at:08x}"),
        });
        row.push_bind(Some(ledger.instance.clone()));
        row.push_bind(Some(provided_id.clone()));
        row.push_bind(
            Some(remembered.fields.to_string())
                .filter(|fields| !fields.is_empty())
                .map(|fields| form::stamped(&fields)),
        );
        row.push_bind(match token {
            Token::Shown(token) => Some(token.expose_secret().to_owned()),
            Token::Kept | Token::Gone => None,
        });
        row.push_bind(remembered.parent.clone().filter(|parent| parent.len() <= LONGEST_ID));
        row.push_bind(remembered.wanted.map(form::write));
        row.push_bind(seen);
        row.push_bind(failure.map(|failure| failure.error.replace('\0', " ")));
        row.push(failure.map_or(0, |failure| failure.times));
        row.push(failure.map_or(0, |failure| failure.runs_to_wait));
        row.push(time(failure.map(|failure| failure.next_try)));
        row.push(time(remembered.children_listed_at));
        row.push(time(remembered.customer_gone_since));
        row.push(time(remembered.row_gone_since));
        row.push(if *is_synced { D::NOW } else { "NULL" });
    });
    insert.push(end::<D>());
    insert
}

/// The statement that upserts the ledger's own row without values, to be prepared, or executed and rolled back.
pub(super) fn nothing<D: Dialect>(ledger: &Sql) -> String {
    let values = written(|column| empty(column).to_owned());
    format!("{}VALUES ('{}', '{NOBODY}', {values}){}", begin::<D>(ledger), ledger.instance, end::<D>())
}

fn begin<D: Dialect>(ledger: &Sql) -> String {
    format!("{} (instance, provided_id, {}) ", into::<D>(ledger), written(str::to_owned))
}

fn into<D: Dialect>(ledger: &Sql) -> String {
    let alias = if D::held("").is_empty() { "" } else { " AS held" };
    format!("INSERT INTO {}{alias}", ledger.table.quoted(D::QUOTE))
}

/// An existing row keeps the values that the entry does not have.
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

/// The statement that reads one column of a row.
pub(super) fn cell<D: Dialect>(ledger: &Sql, column: &str, provided_id: &str) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    let (cell, table) = (D::text(column), ledger.table.quoted(D::QUOTE));
    of::<D>(QueryBuilder::new(format!("SELECT {cell} FROM {table}")), ledger, &[provided_id])
}

/// The statement that finds a row that was in sync after this time, which the ledger wrote. A time in the future comes from a
/// wrong clock.
pub(super) fn synced_after<D: Dialect>(ledger: &Sql, provided_id: &str, time: &str) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    let mut find = find::<D>(ledger, provided_id);
    find.push(format!(" AND synced_at > '{}' AND synced_at <= {}", time.replace('\'', ""), D::NOW));
    find
}

/// The statement that sets a column of some rows; `None` empties it.
pub(super) fn update<D: Dialect>(
    ledger: &Sql,
    column: &str,
    value: Option<&str>,
    provided_ids: &[&str],
) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    let mut update = QueryBuilder::new(format!("UPDATE {} SET {column} = ", ledger.table.quoted(D::QUOTE)));
    update.push_bind(value.map(str::to_owned));
    of::<D>(update, ledger, provided_ids)
}

/// The statement that reads the ledger's pair.
pub(super) fn whose<D: Dialect>(ledger: &Sql) -> String {
    // The instance is a name without quotes.
    let (table, instance) = (ledger.table.quoted(D::QUOTE), &ledger.instance);
    format!("SELECT unsettled FROM {table} WHERE instance = '{instance}' AND provided_id = '{NOBODY}'")
}

/// The statement that makes the row of the pair if it is missing, and locks it until the transaction ends.
pub(super) fn reserve<D: Dialect>(ledger: &Sql) -> String {
    let (into, instance, held) = (into::<D>(ledger), &ledger.instance, D::held("unsettled"));
    format!("{into} (instance, provided_id) VALUES ('{instance}', '{NOBODY}'){}unsettled = {held}", D::ON_CONFLICT)
}

/// The statement that empties all rows of an instance.
pub(super) fn forget<D: Dialect>(ledger: &Sql) -> String {
    // What a customer was before it was offboarded is nowhere else.
    let is_emptied = |column: &&str| !KEY.contains(column) && *column != OFFBOARDED;
    let columns = D::COLUMNS.iter().map(|(column, _)| *column).filter(is_emptied);
    let emptied: Vec<_> = columns.map(|column| format!("{column} = {}", empty(column))).collect();
    let (table, instance) = (ledger.table.quoted(D::QUOTE), &ledger.instance);
    format!("UPDATE {table} SET {} WHERE instance = '{instance}'", emptied.join(", "))
}

/// The statement that counts an instance's tokens.
pub(super) fn count_tokens<D: Dialect>(ledger: &Sql) -> String {
    let (table, instance) = (ledger.table.quoted(D::QUOTE), &ledger.instance);
    let of_customers = format!("instance = '{instance}' AND provided_id <> '{NOBODY}' AND token <> ''");
    format!("SELECT {} FROM {table} WHERE {of_customers}", D::text("COUNT(*)"))
}

/// The statement that keeps what a customer was before it is offboarded.
pub(super) fn keep<D: Dialect>(ledger: &Sql, provided_id: &str, text: &str) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    let mut keep = QueryBuilder::new(format!("{} (instance, provided_id, {OFFBOARDED}) VALUES (", into::<D>(ledger)));
    let mut values = keep.separated(", ");
    for value in [&ledger.instance, provided_id, text] {
        values.push_bind(Some(value.to_owned()));
    }
    keep.push(format!("){}{OFFBOARDED} = {}", D::ON_CONFLICT, D::inserted(OFFBOARDED)));
    keep
}

/// The statement that reads what offboarded customers were.
pub(super) fn offboarded<D: Dialect>(ledger: &Sql) -> String {
    let (table, instance) = (ledger.table.quoted(D::QUOTE), &ledger.instance);
    let (id, text) = (D::text("provided_id"), D::text(OFFBOARDED));
    format!(
        "SELECT {id}, {text} FROM {table} WHERE instance = '{instance}' AND {OFFBOARDED} IS NOT NULL ORDER BY provided_id"
    )
}

/// The statement that finds the instances that have the customers of this one's gone rows: those that recorded one as in sync
/// since, or have its token and its row. With an id, of that customer alone, whether its row is gone or not.
pub(super) fn taken<D: Dialect>(ledger: &Sql, provided_id: Option<&str>) -> QueryBuilder<D::Db>
where
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
{
    let (table, instance) = (ledger.table.quoted(D::QUOTE), &ledger.instance);
    let mut taken = QueryBuilder::new(format!(
        "SELECT {} FROM {table} own JOIN {table} others ON others.provided_id = own.provided_id WHERE own.instance = '{instance}' \
         AND others.instance <> '{instance}' AND own.provided_id <> '{NOBODY}' AND (others.synced_at >= own.row_gone_since OR \
         others.token = own.token AND others.row_gone_since IS NULL) AND ",
        D::text("own.provided_id")
    ));
    match provided_id {
        None => drop(taken.push("own.row_gone_since IS NOT NULL")),
        Some(provided_id) => {
            taken.push("own.provided_id = ");
            taken.push_bind(Some(provided_id.to_owned()));
        }
    }
    taken
}

/// The value of a column if nothing is known.
fn empty(column: &str) -> &'static str {
    if COUNTS.contains(&column) { "0" } else { "NULL" }
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

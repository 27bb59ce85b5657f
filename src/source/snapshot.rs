//! One connection with one read-only snapshot, in which queries are prepared and read. Values come in text form, so
//! every type arrives as the database prints it.

use std::{collections::BTreeSet, time::Duration};

use sqlx::{AssertSqlSafe, Column as _, Connection as _, Database, Either, Executor, IntoArguments, Statement as _};

use super::{
    Error, Source as _, Sql,
    cell::{Cell, Kind},
    columns::Columns,
    convert, copied,
    dialect::{Bound, Connection, Dialect, Loss, Parameter, Value, parameters},
    error::{PREPARING, READING},
};
use crate::{
    database::{QueryFault, Session},
    model::{Row, TakeRow, id_of, shown},
};

const BEGINNING: &str = "beginning";

/// The connection in its transaction.
pub(super) struct Snapshot<'s, D: Dialect> {
    sql: &'s Sql,
    connection: Session<Connection<D>>,
}

/// A query that the database understood.
pub(super) struct Prepared<'s, D: Dialect> {
    key: &'static str,
    query: &'s str,
    statement: <D::Db as Database>::Statement,
    /// Per column.
    kinds: Vec<Kind>,
    /// The columns of its rows.
    pub(super) columns: Columns,
}

impl<'s, D: Dialect> Snapshot<'s, D>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    <D::Db as Database>::Arguments: IntoArguments<D::Db>,
{
    /// Connects, and begins the transaction.
    pub(super) async fn begin(sql: &'s Sql) -> Result<Self, Error> {
        let mut snapshot = Self::connect(sql).await?;
        snapshot.start().await?;
        Ok(snapshot)
    }

    /// Connects; there is no snapshot yet.
    pub(super) async fn connect(sql: &'s Sql) -> Result<Self, Error> {
        Ok(Self { sql, connection: sql.open::<Connection<D>>().await? })
    }

    /// Begins a transaction with a snapshot of its own.
    pub(super) async fn start(&mut self) -> Result<(), Error> {
        let sql = self.sql;
        sql.in_time(BEGINNING, self.connection.start(D::SNAPSHOT), |error| sql.refused(error)).await
    }

    /// Ends the transaction; the connection stays open.
    pub(super) async fn finish(&mut self) -> Result<(), Error> {
        let sql = self.sql;
        sql.in_time("ending a transaction", self.connection.end("COMMIT"), |error| sql.refused(error)).await
    }

    /// The database's [clock](Dialect::clock) before the snapshot.
    pub(super) async fn clock(&mut self, overlap: Duration) -> Result<String, Error> {
        let sql = self.sql;
        let asking = D::clock(&mut self.connection, &sql.server.timezone, overlap);
        sql.in_time(BEGINNING, asking, |error| sql.refused(error)).await
    }

    /// Prepares a query: only a prepared statement has columns before its first row, and the server refuses to prepare
    /// several.
    async fn prepare(
        &mut self,
        key: &'static str,
        query: &'s str,
        refused: fn(Vec<String>) -> Error,
    ) -> Result<Prepared<'s, D>, Error> {
        let failed = |error: &_| self.sql.failed(key, error);
        let prepared = sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(query.to_owned()));
        let preparing = (&mut *self.connection).prepare(prepared);
        let statement = self.sql.in_time(PREPARING, preparing, failed).await?;
        let names: Vec<_> = statement.columns().iter().map(sqlx::Column::name).collect();
        let cutting = D::cut_names(&mut self.connection, query, &names);
        let cut_names = self.sql.in_time(PREPARING, cutting, failed).await?;
        let mut mistakes: Vec<_> = cut_names.iter().map(|name| cut(name)).collect();
        let columns = Columns::named(names, &self.sql.leave_null).map_err(|others| mistakes.extend(others)).ok();
        let columns = columns.map(|columns| columns.in_timezone(self.sql.server.timezone.clone()));
        let Some(columns) = columns.filter(|_| mistakes.is_empty()) else { return Err(refused(mistakes)) };
        // Behind a transaction pooler the prepared statement would stay on the server's connection.
        let cleared = self.connection.clear_cached_statements();
        self.sql.in_time(PREPARING, cleared, failed).await?;
        let kinds = statement.columns().iter().map(|column| D::kind(column.type_info())).collect();
        Ok(Prepared { key, query, statement, kinds, columns })
    }

    /// Prepares the query for all tenants.
    pub(super) async fn prepare_whole(&mut self) -> Result<Prepared<'s, D>, Error> {
        self.prepare("source.query", &self.sql.query, Error::Columns).await
    }

    /// Prepares a query with a parameter; it must return the columns of the whole query.
    pub(super) async fn prepare_bound(
        &mut self,
        parameter: Parameter,
        query: &'s str,
        whole: &Columns,
    ) -> Result<Prepared<'s, D>, Error> {
        let (key, refused, what): (_, fn(_) -> _, _) = match parameter {
            Parameter::Id => ("source.query_one", Error::QueryOne, "id"),
            Parameter::Time => ("source.query_changed", Error::QueryChanged, "time"),
        };
        let bound = self.prepare(key, query, refused).await?;
        let mut mistakes = bound.columns.unlike(whole);
        if parameters(&bound.statement) == 0 {
            mistakes.push(format!("it must select by the {what}, which is bound as {}", D::PLACEHOLDER));
        } else {
            mistakes.extend(D::mistake(&bound.statement, parameter));
        }
        if mistakes.is_empty() { Ok(bound) } else { Err(refused(mistakes)) }
    }

    /// Reads every row in the fastest way. False if the server refuses it: no row was read, and the snapshot is
    /// unusable.
    pub(super) async fn copy(&mut self, query: &Prepared<'_, D>, take: TakeRow<'_>) -> Result<bool, Error> {
        let failed = |error: &_| self.sql.broke_off(query.key, query.query, error);
        let copying = D::copy(&mut self.connection, query.query);
        let Some(mut rows) = self.sql.in_time(READING, copying, failed).await? else { return Ok(false) };
        let mut number = 0;
        while let Some(row) = self.sql.next(&mut rows, failed).await? {
            number += 1;
            take(&query.convert(copied::cells(&row, &query.kinds), number));
        }
        Ok(true)
    }

    /// Reads every row in the way that works for any query.
    pub(super) async fn read(&mut self, query: &Prepared<'_, D>, take: TakeRow<'_>) -> Result<(), Error> {
        self.fetch(query, Bound::Text(query.query.to_owned()), take).await
    }

    /// Reads the rows of each id; the result are the ids for which the query returns only rows with other ids.
    pub(super) async fn read_some(
        &mut self,
        one: &Prepared<'_, D>,
        provided_ids: &BTreeSet<String>,
        take: TakeRow<'_>,
    ) -> Result<BTreeSet<String>, Error> {
        let mut strays = BTreeSet::new();
        for provided_id in provided_ids {
            let binding = D::bind(&mut self.connection, &one.statement, one.query, Value::Id(provided_id));
            let failed = |error: &_| self.sql.broke_off(one.key, one.query, error);
            let Some(bound) = self.sql.in_time(READING, binding, failed).await? else { continue };
            let (mut is_found, mut has_others) = (false, false);
            let mut keep = |row: &Row<'_>| {
                if id_of(row) == Some(provided_id.as_str()) {
                    is_found = true;
                    take(row);
                } else {
                    has_others = true;
                }
            };
            self.fetch(one, bound, &mut keep).await?;
            if has_others && !is_found {
                strays.insert(provided_id.clone());
            }
        }
        Ok(strays)
    }

    /// Reads the rows that have changed since a time.
    pub(super) async fn read_changed(
        &mut self,
        changed: &Prepared<'_, D>,
        since: &str,
        take: &mut (impl FnMut(&Row<'_>) + Send),
    ) -> Result<(), Error> {
        let binding = D::bind(&mut self.connection, &changed.statement, changed.query, Value::Time(since));
        let failed = |error: &_| self.sql.broke_off(changed.key, changed.query, error);
        match self.sql.in_time(READING, binding, failed).await? {
            Some(bound) => self.fetch(changed, bound, take).await,
            None => Ok(()),
        }
    }

    async fn fetch(
        &mut self,
        query: &Prepared<'_, D>,
        bound: Bound<<D::Db as Database>::Arguments>,
        take: &mut (impl FnMut(&Row<'_>) + ?Sized),
    ) -> Result<(), Error> {
        let (sql, key) = (self.sql, query.key);
        let mut rows = match bound {
            Bound::Text(text) => (&mut *self.connection).fetch_many(sqlx::raw_sql(AssertSqlSafe(text))),
            Bound::Arguments(arguments) => {
                let text = AssertSqlSafe(query.query.to_owned());
                (&mut *self.connection).fetch_many(sqlx::query_with(text, arguments).persistent(false))
            }
        };
        let (mut number, mut is_over) = (0, false);
        let failed = |error: &_| sql.broke_off(key, query.query, error);
        while let Some(result) = sql.next(&mut rows, failed).await? {
            match result {
                _ if is_over => return Err(Error::SeveralStatements { key }),
                Either::Left(_) => is_over = true,
                Either::Right(row) => {
                    number += 1;
                    let mut failure = None;
                    let cells = query.kinds.iter().enumerate().map_while(|(position, kind)| {
                        D::cell(&row, position, *kind).map_err(|error| failure = Some(error)).ok()
                    });
                    let row = query.convert(cells, number);
                    if let Some(error) = failure {
                        return Err(failed(&error));
                    }
                    take(&row);
                }
            }
        }
        drop(rows);
        // SQLite's driver ends the rows without an end or an error if its thread failed.
        if !is_over {
            let cause = "the rows broke off before their end".to_owned();
            return Err(Error::Query { key, place: sql.place(), cause, fault: QueryFault::Other });
        }
        let loss = sql.in_time(READING, D::loss(&mut self.connection), failed).await?;
        match loss {
            None => Ok(()),
            Some(Loss { what, way_out }) => Err(Error::Lost { key, place: sql.place(), what, way_out }),
        }
    }

    pub(super) async fn end(self) {
        self.connection.close().await;
    }
}

impl<D: Dialect> Prepared<'_, D> {
    fn convert<'r>(&'r self, cells: impl Iterator<Item = Cell<'r>>, number: usize) -> Row<'r> {
        convert::row(&self.columns, cells, format_args!("row {number}"))
    }
}

/// The mistake for a name that the database cut; `name` is the part that remains.
fn cut(name: &str) -> String {
    let way_out = match name.split_once('.') {
        Some((field @ ("properties" | "mapping"), _)) => {
            format!("shorten the key, or select one JSON column {field}")
        }
        _ => "shorten it, or make the object with jsonb_build_object, whose keys are texts".to_owned(),
    };
    format!("'{}' is only the beginning of a name that the database cut: {way_out}", shown(name))
}

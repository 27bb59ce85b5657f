//! One connection with one read-only snapshot, in which queries are prepared and read, in text form so that every type
//! arrives as the database prints it.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Column as _, Connection as _, Database, Either, Executor, IntoArguments, Statement as _};

use super::{
    Error, Source as _, Sql,
    cell::{Cell, Kind},
    columns::Columns,
    convert, copied,
    dialect::{Bound, Dialect, Loss, parameters},
    error::{PREPARING, READING},
};
use crate::{
    database::{QueryFault, Session},
    model::{Row, TakeRow, id_of, shown},
};

/// The connection, in its transaction.
pub(super) struct Snapshot<'s, D: Dialect> {
    sql: &'s Sql,
    connection: Session<<D::Db as Database>::Connection>,
}

/// A query that the database understood.
pub(super) struct Prepared<'s, D: Dialect> {
    key: &'static str,
    query: &'s str,
    statement: <D::Db as Database>::Statement,
    /// Of each column.
    kinds: Vec<Kind>,
    /// What its rows have.
    pub(super) columns: Columns,
}

impl<'s, D: Dialect> Snapshot<'s, D>
where
    for<'c> &'c mut <D::Db as Database>::Connection: Executor<'c, Database = D::Db>,
    <D::Db as Database>::Arguments: IntoArguments<D::Db>,
{
    /// Connects, and begins.
    pub(super) async fn begin(sql: &'s Sql) -> Result<Self, Error> {
        let mut connection = Session::new(sql.open::<D>().await?, sql.server());
        let begun = sql.in_time("beginning", connection.start(D::SNAPSHOT)).await?;
        begun.map_err(|error| sql.refused(&error))?;
        Ok(Self { sql, connection })
    }

    /// Only a prepared statement tells its columns before a row comes, and is refused where it is a list of statements.
    async fn prepare(
        &mut self,
        key: &'static str,
        query: &'s str,
        refused: fn(Vec<String>) -> Error,
    ) -> Result<Prepared<'s, D>, Error> {
        let failed = |error| self.sql.failed(key, &error);
        let prepared = sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(query.to_owned()));
        let preparing = (&mut *self.connection).prepare(prepared);
        let statement = self.sql.in_time(PREPARING, preparing).await?.map_err(failed)?;
        let names: Vec<_> = statement.columns().iter().map(sqlx::Column::name).collect();
        let cutting = D::cut_names(&mut self.connection, query, &names);
        let cut_names = self.sql.in_time(PREPARING, cutting).await?.map_err(failed)?;
        let mut mistakes: Vec<_> = cut_names.iter().map(|name| cut(name)).collect();
        let columns = Columns::named(names, &self.sql.leave_null);
        let columns = match columns {
            Ok(columns) if mistakes.is_empty() => columns,
            Ok(_) => return Err(refused(mistakes)),
            Err(others) => {
                mistakes.extend(others);
                return Err(refused(mistakes));
            }
        };
        // Behind a transaction pooler the name would stay on the server's connection.
        let cleared = self.connection.clear_cached_statements();
        self.sql.in_time(PREPARING, cleared).await?.map_err(failed)?;
        let kinds = statement.columns().iter().map(|column| D::kind(column.type_info())).collect();
        Ok(Prepared { key, query, statement, kinds, columns })
    }

    /// Prepares the query for all.
    pub(super) async fn prepare_whole(&mut self) -> Result<Prepared<'s, D>, Error> {
        self.prepare("source.query", &self.sql.query, Error::Columns).await
    }

    /// Prepares the query for one id; it must return what the whole one does.
    pub(super) async fn prepare_one(
        &mut self,
        query: &'s str,
        whole: &Prepared<'_, D>,
    ) -> Result<Prepared<'s, D>, Error> {
        let one = self.prepare("source.query_one", query, Error::QueryOne).await?;
        let mut mistakes = one.columns.unlike(&whole.columns);
        if parameters(&one.statement) == 0 {
            mistakes.push(format!("it must select by the id, which is bound as {}", D::PLACEHOLDER));
        } else {
            mistakes.extend(D::mistake(&one.statement));
        }
        if mistakes.is_empty() { Ok(one) } else { Err(Error::QueryOne(mistakes)) }
    }

    /// Reads every row in the quickest way, if the server takes the query so; if not, nothing was read, and nothing more can be.
    pub(super) async fn copy(&mut self, query: &Prepared<'_, D>, take: TakeRow<'_>) -> Result<bool, Error> {
        let failed = |error| self.sql.broke_off(query.key, query.query, &error);
        let copying = D::copy(&mut self.connection, query.query);
        let Some(mut rows) = self.sql.in_time(READING, copying).await?.map_err(failed)? else { return Ok(false) };
        let mut number = 0;
        while let Some(row) = self.sql.next(&mut rows).await?.map_err(failed)? {
            number += 1;
            take(&query.convert(copied::cells(&row, &query.kinds), number));
        }
        Ok(true)
    }

    /// Reads every row in the way that takes any query.
    pub(super) async fn read(&mut self, query: &Prepared<'_, D>, take: TakeRow<'_>) -> Result<(), Error> {
        self.fetch(query, Bound::Text(query.query.to_owned()), take).await
    }

    /// Reads the rows of each id; the result are ids for which there are only rows of other ids.
    pub(super) async fn read_some(
        &mut self,
        one: &Prepared<'_, D>,
        provided_ids: &BTreeSet<String>,
        take: TakeRow<'_>,
    ) -> Result<BTreeSet<String>, Error> {
        let mut strays = BTreeSet::new();
        for provided_id in provided_ids {
            let binding = D::bind(&mut self.connection, &one.statement, one.query, provided_id);
            let bound = self.sql.in_time(READING, binding).await?;
            let Some(bound) = bound.map_err(|error| self.sql.broke_off(one.key, one.query, &error))? else { continue };
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

    async fn fetch(
        &mut self,
        query: &Prepared<'_, D>,
        bound: Bound<<D::Db as Database>::Arguments>,
        take: TakeRow<'_>,
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
        let failed = |error| sql.broke_off(key, query.query, &error);
        while let Some(result) = sql.next(&mut rows).await?.map_err(failed)? {
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
                        return Err(failed(error));
                    }
                    take(&row);
                }
            }
        }
        drop(rows);
        // The driver of SQLite ends so where its thread came to grief.
        if !is_over {
            let cause = "the rows broke off before their end".to_owned();
            return Err(Error::Query { key, place: sql.place(), cause, fault: QueryFault::Other });
        }
        let loss = sql.in_time(READING, D::loss(&mut self.connection)).await?.map_err(failed)?;
        match loss {
            None => Ok(()),
            Some(Loss { what, way_out }) => Err(Error::Lost { key, place: sql.place(), what, way_out }),
        }
    }

    /// There was an answer to everything; that the farewell fails changes nothing.
    pub(super) async fn end(self) {
        let _ = self.sql.in_time("closing", self.connection.close()).await;
    }
}

impl<D: Dialect> Prepared<'_, D> {
    fn convert<'r>(&'r self, cells: impl Iterator<Item = Cell<'r>>, number: usize) -> Row<'r> {
        convert::row(&self.columns, cells, format_args!("row {number}"))
    }
}

/// What to say of what is left of a name that the database cut.
fn cut(name: &str) -> String {
    let way_out = match name.split_once('.') {
        Some((field @ ("properties" | "mapping"), _)) => {
            format!("give the key a shorter one, or select one JSON column {field}")
        }
        _ => "give it a shorter one, or make the object with jsonb_build_object, whose keys are texts".to_owned(),
    };
    format!("'{}' is only the beginning of a name that the database cut: {way_out}", shown(name))
}

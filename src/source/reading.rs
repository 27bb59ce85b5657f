//! Reading tenants from a SQL database: one connection, one read-only snapshot, one statement for all tenants or one.

use std::{collections::BTreeSet, mem};

use sqlx::{Database, Executor, IntoArguments};

use super::{
    Error, Source, Sql,
    columns::Columns,
    dialect::{Connection, Dialect, Parameter},
    mysql::MySqlDialect,
    postgres::PostgresDialect,
    snapshot::Snapshot,
    sqlite::SqliteDialect,
};
use crate::{database::Kind, model::TakeRow};

/// What a snapshot is for.
enum Task<'a> {
    /// To check the queries.
    Columns,
    /// All rows.
    Whole(TakeRow<'a>),
    /// The rows of these ids.
    Some { provided_ids: &'a BTreeSet<String>, take: TakeRow<'a>, strays: &'a mut BTreeSet<String> },
}

impl Sql {
    async fn run<D: Dialect>(&self, task: Task<'_>) -> Result<Columns, Error>
    where
        for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
        <D::Db as Database>::Arguments: IntoArguments<D::Db>,
    {
        let mut snapshot = Snapshot::begin(self).await?;
        let done = self.carry_out::<D>(&mut snapshot, task).await;
        // A statement that is late is still running: dropping the session cancels it.
        if !matches!(done, Err(Error::Timeout { .. })) {
            snapshot.end().await;
        }
        done
    }

    async fn carry_out<'s, D: Dialect>(
        &'s self,
        snapshot: &mut Snapshot<'s, D>,
        task: Task<'_>,
    ) -> Result<Columns, Error>
    where
        for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
        <D::Db as Database>::Arguments: IntoArguments<D::Db>,
    {
        let mut whole = snapshot.prepare_whole().await?;
        match (task, self.query_one.as_deref()) {
            (Task::Whole(take), _) | (Task::Some { take, .. }, None) if D::COPIES => {
                if !snapshot.copy(&whole, take).await? {
                    mem::replace(snapshot, Snapshot::begin(self).await?).end().await;
                    whole = snapshot.prepare_whole().await?;
                    snapshot.read(&whole, take).await?;
                }
            }
            (Task::Whole(take), _) | (Task::Some { take, .. }, None) => snapshot.read(&whole, take).await?,
            (Task::Some { provided_ids, take, strays }, Some(query)) => {
                let one = snapshot.prepare_bound(Parameter::Id, query, &whole.columns).await?;
                *strays = snapshot.read_some(&one, provided_ids, take).await?;
            }
            (Task::Columns, query_one) => {
                if let Some(query) = query_one {
                    snapshot.prepare_bound(Parameter::Id, query, &whole.columns).await?;
                }
                if let Some(changed) = &self.changed {
                    snapshot.prepare_bound(Parameter::Time, &changed.query, &whole.columns).await?;
                }
            }
        }
        Ok(whole.columns)
    }

    async fn dispatch(&self, task: Task<'_>) -> Result<Columns, Error> {
        match self.server.kind() {
            Kind::Postgres => Box::pin(self.run::<PostgresDialect>(task)).await,
            Kind::MySql => Box::pin(self.run::<MySqlDialect>(task)).await,
            Kind::Sqlite => Box::pin(self.run::<SqliteDialect>(task)).await,
        }
    }
}

impl Source for Sql {
    async fn read(&self, take: TakeRow<'_>) -> Result<(), Error> {
        self.dispatch(Task::Whole(take)).await.map(drop)
    }

    async fn read_some(&self, provided_ids: &BTreeSet<String>, take: TakeRow<'_>) -> Result<BTreeSet<String>, Error> {
        let mut strays = BTreeSet::new();
        self.dispatch(Task::Some { provided_ids, take, strays: &mut strays }).await?;
        Ok(strays)
    }

    fn reads_one(&self) -> bool {
        self.has_query_one()
    }

    async fn columns(&self) -> Result<Columns, Error> {
        self.dispatch(Task::Columns).await
    }

    fn place(&self) -> String {
        self.server.place()
    }
}

//! What offboarded customers were, and which customers of gone rows another instance has, in one database's dialect.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, QueryBuilder, Row, Type, raw_sql,
};

use super::{
    Error,
    dialect::{Connection, DROPPED, Dialect, is_dropped},
    row,
    session::Session,
    whose::Claim,
};
use crate::memory::{as_deleted, is_deleted};

/// What an offboarded customer was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offboarded {
    /// Its id.
    pub provided_id: String,
    /// What it was and what was done: JSON without the token.
    pub text: String,
}

impl Offboarded {
    /// Whether it is known to be gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        is_deleted(&self.text)
    }
}

impl<D: Dialect> Session<'_, D>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
    for<'r> String: Decode<'r, D::Db> + Type<D::Db>,
    <D::Db as Database>::Arguments: IntoArguments<D::Db>,
    usize: ColumnIndex<<D::Db as Database>::Row>,
{
    /// Keeps what a customer is, before it is offboarded; false, and nothing is kept: another instance has it.
    pub(super) async fn keep(&mut self, claim: &Claim, provided_id: &str, text: &str) -> Result<bool, Error> {
        let keep = async |session: &mut Self| {
            if !session.holds(claim).await? {
                return Ok(None);
            }
            let taken = session.taken(row::taken::<D>(session.ledger, Some(provided_id))).await?;
            if taken.is_empty() {
                session.run(row::keep::<D>(session.ledger, provided_id, text), 1).await?;
                // A trigger or a lenient mode may have changed it.
                let kept = session.text(&mut row::cell::<D>(session.ledger, row::OFFBOARDED, provided_id)).await?;
                if kept.as_deref() != Some(text) {
                    return Err(DROPPED);
                }
            }
            Ok(Some(taken.is_empty()))
        };
        match self.within(D::WRITING, keep).await {
            Ok(Some(is_kept)) => Ok(is_kept),
            Ok(None) => Err(Error::Adopted { place: self.ledger.place() }),
            Err(error) if is_dropped(&error) => Err(Error::Unkept { place: self.ledger.place() }),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Notes that a customer whose deletion was begun is gone.
    pub(super) async fn note_gone(&mut self, provided_id: &str) -> sqlx::Result<()> {
        let text = self.text(&mut row::cell::<D>(self.ledger, row::OFFBOARDED, provided_id)).await?;
        match text.as_deref().and_then(as_deleted) {
            Some(text) => {
                self.run(row::update::<D>(self.ledger, row::OFFBOARDED, Some(&text), &[provided_id]), 0).await
            }
            None => Ok(()),
        }
    }

    /// The customers of gone rows that another instance has.
    pub(super) async fn taken(&mut self, mut query: QueryBuilder<D::Db>) -> sqlx::Result<BTreeSet<String>> {
        let found = query.build().persistent(false).fetch_all(&mut *self.connection);
        let found = self.ledger.server.in_time(found).await?;
        found.iter().map(|cells| cells.try_get_unchecked(0)).collect()
    }

    /// What offboarded customers were, sorted by id.
    pub(super) async fn offboarded(&mut self) -> Result<Vec<Offboarded>, Error> {
        let read = async |session: &mut Self| {
            let (sql, server, mut all) =
                (row::offboarded::<D>(session.ledger), &session.ledger.server, Vec::<Offboarded>::new());
            let mut rows = (&mut *session.connection).fetch(raw_sql(AssertSqlSafe(sql)));
            while let Some(cells) = server.in_time(rows.try_next()).await? {
                all.push(Offboarded { provided_id: cells.try_get_unchecked(0)?, text: cells.try_get_unchecked(1)? });
            }
            Ok(all)
        };
        self.within("", read).await.map_err(|error| self.failed(&error))
    }
}

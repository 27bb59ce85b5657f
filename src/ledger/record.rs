//! Writes a batch in one database's dialect: all rows except those that the database refuses for their values.

use sqlx::{ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Type};

use super::{
    Error, Refused,
    cause::cause,
    dialect::{Connection, Dialect, is_dropped},
    row,
    session::Session,
    whose::Claim,
};
use crate::memory::{Entry, Token};

impl<D: Dialect> Session<'_, D>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
    for<'r> String: Decode<'r, D::Db> + Type<D::Db>,
    <D::Db as Database>::Arguments: IntoArguments<D::Db>,
    usize: ColumnIndex<<D::Db as Database>::Row>,
{
    /// Writes all rows at once; if some are refused, writes each half on its own. A single row that is refused is left
    /// out and returned with the cause.
    pub(super) async fn record(&mut self, claim: &Claim, entries: &[&Entry]) -> Result<Refused, Error> {
        let error = match self.write(claim, entries).await {
            Ok(true) => return Ok(Refused::new()),
            Ok(false) => return Err(Error::Adopted { place: self.ledger.place() }),
            Err(error) => error,
        };
        if !self.is_for_a_row(&error).await {
            return Err(self.failed(&error));
        }
        if let [entry] = entries {
            return Ok(Refused::from([(entry.provided_id.clone(), cause::<D>(&error, &self.ledger.table))]));
        }
        let (some, others) = entries.split_at(entries.len() / 2);
        let mut refused = Box::pin(self.record(claim, some)).await?;
        refused.append(&mut Box::pin(self.record(claim, others)).await?);
        Ok(refused)
    }

    /// Whether an error is a row's fault: the database says so, or it accepts a write of the ledger's own row.
    async fn is_for_a_row(&mut self, error: &sqlx::Error) -> bool {
        if D::is_refusal(error) || is_dropped(error) {
            return true;
        }
        if error.as_database_error().is_none()
            || D::is_for_others(error)
            || self.connection.start(D::WRITING).await.is_err()
        {
            return false;
        }
        match self.execute(&row::nothing::<D>(self.ledger)).await {
            Ok(()) => self.connection.end("ROLLBACK").await.is_ok(),
            Err(error) => D::is_refusal(&self.rolled_back(error).await),
        }
    }

    /// Writes all rows in one transaction; false: the ledger belongs to another pair by now.
    async fn write(&mut self, claim: &Claim, entries: &[&Entry]) -> sqlx::Result<bool> {
        let write = async |session: &mut Self| {
            let holds = session.holds(claim).await?;
            if holds {
                session.write_all(entries).await?;
            }
            Ok(holds)
        };
        self.within(D::WRITING, write).await
    }

    async fn write_all(&mut self, entries: &[&Entry]) -> sqlx::Result<()> {
        let gone = entries.iter().filter(|entry| matches!(entry.token, Token::Gone));
        let mut gone: Vec<_> = gone.map(|entry| &*entry.provided_id).collect();
        let back: Vec<_> = entries.iter().filter(|entry| entry.is_back).map(|entry| &*entry.provided_id).collect();
        for entry in entries.iter().filter(|entry| entry.is_deleted) {
            self.note_gone(&entry.provided_id).await?;
        }
        for entry in entries {
            if let Some(former) = &entry.former
                && !self.rename(former, &entry.provided_id).await?
            {
                gone.push(former);
            }
        }
        if !gone.is_empty() {
            self.run(row::update::<D>(self.ledger, "token", None, &gone), 0).await?;
        }
        if !back.is_empty() {
            self.run(row::update::<D>(self.ledger, row::OFFBOARDED, None, &back), 0).await?;
        }
        self.run(row::insert::<D>(self.ledger, entries), entries.len()).await
    }

    /// Gives a row another id; false if that id has a row already.
    async fn rename(&mut self, former: &str, provided_id: &str) -> sqlx::Result<bool> {
        let mut find = row::find::<D>(self.ledger, provided_id);
        let found = find.build().persistent(false).fetch_optional(&mut *self.connection);
        let found = self.ledger.server.in_time(found).await?;
        if found.is_none() {
            self.run(row::update::<D>(self.ledger, "provided_id", Some(provided_id), &[former]), 0).await?;
        }
        Ok(found.is_none())
    }
}

//! The pair of the ledger, in one database's dialect: the first run that writes claims it, and only `ledger --adopt`
//! changes it.

use sqlx::{AssertSqlSafe, ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Row, Type, raw_sql};

use super::{
    Adopted, Error, Pair,
    cause::cause,
    dialect::{Connection, Dialect, is_dropped},
    row,
    session::Session,
    whose::{Claim, Whose},
};

impl<D: Dialect> Session<'_, D>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> Option<String>: Encode<'q, D::Db> + Type<D::Db>,
    for<'r> String: Decode<'r, D::Db> + Type<D::Db>,
    <D::Db as Database>::Arguments: IntoArguments<D::Db>,
    usize: ColumnIndex<<D::Db as Database>::Row>,
{
    /// The pair that the ledger names; `None` if it names none, or in an unknown form.
    pub(super) async fn whose(&mut self) -> Result<Option<Whose>, Error> {
        let said = self.within("", async |session: &mut Self| session.said("").await).await;
        said.map_err(|error| self.failed(&error))
    }

    /// Claims the ledger for this pair if it has none: of two claims at once, one succeeds. Another pair's ledger is
    /// refused.
    pub(super) async fn claim(&mut self, pair: &Pair) -> Result<Claim, Error> {
        let claim = |whose: Whose| {
            self.ledger.refuse_another(&whose.pair, pair)?;
            Ok(Claim { pair: pair.clone(), adopted: Some(whose.adopted) })
        };
        if let Some(whose) = self.whose().await?
            && (!whose.pair.is_same(pair) || whose.known_by(pair) == whose)
        {
            return claim(whose);
        }
        match self.within(D::WRITING, async |session: &mut Self| session.say_whose(pair).await).await {
            Ok(whose) => claim(whose),
            // The row is refused for its values, like any other such row: it is missing, and the run goes on.
            Err(error) if D::is_refusal(&error) || D::may_quote(&error) || is_dropped(&error) => {
                let (place, cause) = (self.ledger.place(), cause::<D>(&error, &self.ledger.table));
                tracing::warn!(place, "the ledger can't store its pair, so it refuses no other pair: {cause}");
                Ok(Claim { pair: pair.clone(), adopted: None })
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Gives the ledger to this pair, even if it was another pair's, and empties all rows.
    pub(super) async fn adopt(&mut self, pair: &Pair) -> Result<Adopted, Error> {
        let adopted = self.within(D::WRITING, async |session: &mut Self| session.take_over(pair).await).await;
        adopted.map_err(|error| self.failed(&error))
    }

    /// Whether the claim is still valid; locks the row until the transaction ends, so that no adoption comes between.
    pub(super) async fn holds(&mut self, claim: &Claim) -> sqlx::Result<bool> {
        let Some(whose) = self.said(D::LOCKED).await? else { return Ok(true) };
        Ok(whose.pair.is_same(&claim.pair) && claim.adopted.is_none_or(|adopted| adopted == whose.adopted))
    }

    /// Names this pair in the row, unless it names another; returns what the row then says.
    async fn say_whose(&mut self, pair: &Pair) -> sqlx::Result<Whose> {
        self.execute(&row::reserve::<D>(self.ledger)).await?;
        let said = self.said("").await?;
        let saying = match &said {
            Some(whose) if whose.pair.is_same(pair) => whose.known_by(pair),
            Some(another) => return Ok(another.clone()),
            None => Whose { pair: pair.clone(), adopted: 0 },
        };
        self.say(&saying).await?;
        Ok(saying)
    }

    async fn take_over(&mut self, pair: &Pair) -> sqlx::Result<Adopted> {
        self.execute(&row::reserve::<D>(self.ledger)).await?;
        let former = self.said("").await?;
        let tokens = self.cell(&row::count_tokens::<D>(self.ledger)).await?;
        self.execute(&row::forget::<D>(self.ledger)).await?;
        let adopted = former.as_ref().map_or(0, |former| former.adopted) + 1;
        let saying = Whose { pair: pair.clone(), adopted };
        self.say(&saying).await?;
        let tokens = tokens.and_then(|tokens| tokens.parse().ok()).unwrap_or(0);
        Ok(Adopted { former: former.map(|former| former.pair), tokens })
    }

    async fn say(&mut self, saying: &Whose) -> sqlx::Result<()> {
        let text = saying.to_string();
        self.run(row::update::<D>(self.ledger, "unsettled", Some(&text), &[row::NOBODY]), 1).await
    }

    async fn said(&mut self, lock: &str) -> sqlx::Result<Option<Whose>> {
        let text = self.cell(&format!("{}{lock}", row::whose::<D>(self.ledger))).await?;
        Ok(Whose::read(text.as_deref()))
    }

    /// The first cell of the first row as text.
    async fn cell(&mut self, sql: &str) -> sqlx::Result<Option<String>> {
        let asked = raw_sql(AssertSqlSafe(sql.to_owned())).fetch_optional(&mut *self.connection);
        match self.ledger.server.in_time(asked).await? {
            Some(row) => row.try_get_unchecked(0),
            None => Ok(None),
        }
    }
}

//! Whose the ledger is, in the words of one database: said by the first run that writes, changed by `ledger --adopt` alone.

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
    /// What is said of whose it is; nothing where that can't be understood.
    pub(super) async fn whose(&mut self) -> Result<Option<Whose>, Error> {
        let said = self.within("", async |session: &mut Self| session.said("").await).await;
        said.map_err(|error| self.failed(&error))
    }

    /// Makes it this pair's, if it is nobody's: of two that try at once, one succeeds. Another pair's is refused.
    pub(super) async fn claim<'p>(&mut self, pair: &'p Pair) -> Result<Claim<'p>, Error> {
        let claim = |whose: Whose| {
            self.ledger.refuse_another(&whose.pair, pair)?;
            Ok(Claim { pair, adopted: Some(whose.adopted) })
        };
        if let Some(whose) = self.whose().await?
            && (!whose.pair.is_same(pair) || whose.known_by(pair) == whose)
        {
            return claim(whose);
        }
        match self.within(D::WRITING, async |session: &mut Self| session.say_whose(pair).await).await {
            Ok(whose) => claim(whose),
            // As any row that is refused for what it holds, it is missing, and no failure of the run.
            Err(error) if D::is_refusal(&error) || D::may_quote(&error) || is_dropped(&error) => {
                let (place, cause) = (self.ledger.place(), cause::<D>(&error, &self.ledger.table));
                tracing::warn!(place, "the ledger can't be told whose it is, so no other pair is refused: {cause}");
                Ok(Claim { pair, adopted: None })
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Makes it this pair's, whoever's it was, and forgets all that it knew of customers.
    pub(super) async fn adopt(&mut self, pair: &Pair) -> Result<Adopted, Error> {
        let adopted = self.within(D::WRITING, async |session: &mut Self| session.take_over(pair).await).await;
        adopted.map_err(|error| self.failed(&error))
    }

    /// Whether who claimed it may still record, in the transaction in which it does: nobody adopts it meanwhile.
    pub(super) async fn holds(&mut self, claim: &Claim<'_>) -> sqlx::Result<bool> {
        let Some(whose) = self.said(D::LOCKED).await? else { return Ok(true) };
        Ok(whose.pair.is_same(claim.pair) && claim.adopted.is_none_or(|adopted| adopted == whose.adopted))
    }

    /// What the row says after this pair had its say.
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

    /// The first cell of the first row, as text.
    async fn cell(&mut self, sql: &str) -> sqlx::Result<Option<String>> {
        let asked = raw_sql(AssertSqlSafe(sql.to_owned())).fetch_optional(&mut *self.connection);
        match self.ledger.server.in_time(asked).await? {
            Some(row) => row.try_get_unchecked(0),
            None => Ok(None),
        }
    }
}

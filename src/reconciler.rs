//! One run: read the tenants, list the customers, compare, let the guard judge, apply, report.
//!
//! A dry run is the absence of a writer: without one there is nothing that could write.

mod resume;
mod single;

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::sleep;

use crate::{
    applier::{Applied, Applier, Recording},
    explo::{self, Children, Endpoint, Listing, Look, Reader, Shown, Tokens, Writer},
    http::backoff,
    ledger,
    lock::Permit,
    model::told_id,
    plan::{
        Allowances, Answer, Census, Due, Entry, Extent, Fingerprints, Found, Guard, Held, Index, Inquiry, Memory, Plan,
        Question, Rules, Token,
    },
    progress::Progress,
    source::{self, Source},
    stop::Stop,
};

/// What a run needs, writer aside.
#[derive(Debug)]
pub struct Reconciler<'a, S, R> {
    /// The tenants.
    pub source: &'a S,
    /// The customers.
    pub reader: &'a R,
    /// How fields are compared.
    pub rules: Rules,
    /// How much may change.
    pub guard: Guard,
    /// What is allowed beyond.
    pub allowances: &'a Allowances,
    /// What earlier runs found out.
    pub memory: &'a Memory,
    /// Whether tenants that failed are tried before their time.
    pub retry_failed: bool,
    /// When the run begins, in seconds since 1970.
    pub now: u64,
    /// Changes under way at once.
    pub side_by_side: usize,
    /// Changes begun at the most; the others are deferred.
    pub max_changes: usize,
    /// Ends the run early.
    pub stop: &'a Stop,
    /// For the fingerprints.
    pub seed: u64,
}

/// What a run changes. A dry run has none, for it has no permit.
#[expect(missing_debug_implementations, reason = "a closure has none")]
pub struct Writers<'a, W> {
    explo: &'a W,
    record: &'a dyn Fn(Entry),
}

impl<'a, W: Writer> Writers<'a, W> {
    /// The customers' writer, and what takes whatever is to be remembered once Explo has acknowledged or shown it.
    pub fn new(_: &'a Permit, explo: &'a W, record: &'a dyn Fn(Entry)) -> Self {
        Self { explo, record }
    }
}

/// What a run did.
#[derive(Debug)]
pub struct Run {
    /// What was to change.
    pub plan: Plan,
    /// Which of that was to be done in this run, were it not held.
    pub due: Due,
    /// How the customers were listed; no page at all where a saved plan was carried out.
    pub listing: Listing,
    /// The calls that it took to come to the plan, by endpoint; of several attempts at one, one.
    pub asked: BTreeMap<Endpoint, usize>,
    /// Changes of a saved plan whose customer moved since: left alone.
    pub skipped: Vec<String>,
    /// Why nothing was applied, where the guard says so.
    pub held: Vec<Held>,
    /// What was carried out; `None` in a dry run and where the guard holds.
    pub applied: Option<Applied>,
}

/// Why a run came to no plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tenants can't be had.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The customers can't be had.
    #[error(transparent)]
    Explo(#[from] explo::Error),
    /// What is known can't be had, or nothing could be kept.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// The listing shows another team's customers, or is broken: nothing may be written on it.
    #[error(
        "{customers} customers are listed, and none of them has one of the {remembered} tokens that are remembered: these \
         are another team's customers, or the listing is broken. Nothing was written. If they are yours by now, let the \
         ledger take them over: explo-sync ledger --adopt"
    )]
    Strangers {
        /// Listed.
        customers: usize,
        /// Tokens in the ledger.
        remembered: usize,
    },
}

/// How often the tenants are read at the most, where the database asks to try again.
const READS: u32 = 6;

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// One pass; without writers, the plan alone.
    pub async fn run<W: Writer>(&self, writers: Option<Writers<'_, W>>, progress: &dyn Progress) -> Result<Run, Error> {
        let tenants = self.read().await?;
        let (census, listing, tokens) = self.list(tenants, progress).await?;
        let mut draft = census.close();
        self.answer(&mut draft, writers.as_ref().map(|writers| writers.record)).await?;
        let mut plan = draft.finish();
        self.answer(&mut plan, None).await?;
        let asked = self.reader.asked();
        let held = self.guard.held(&plan, self.allowances);
        if !held.is_empty() {
            plan.hold();
        }
        let due = self.due(&plan);
        let applied = match writers {
            None => None,
            Some(writers) => {
                self.remember(&plan, !held.is_empty(), writers.record);
                if held.is_empty() { Some(self.apply(&plan, &due, &tokens, &writers, progress).await) } else { None }
            }
        };
        Ok(Run { plan, due, listing, asked, skipped: Vec::new(), held, applied })
    }

    /// Every row.
    async fn read(&self) -> Result<Index, Error> {
        let read = async || {
            let mut index = self.index();
            self.source.read(&mut |row| index.insert(row)).await?;
            Ok(index)
        };
        let index = self.read_again(read).await?;
        tracing::debug!(tenants = index.rows(), "read the tenants");
        Ok(index)
    }

    fn index(&self) -> Index {
        Index::new(Fingerprints::new(self.seed))
    }

    /// What is read; from the beginning where the database asks to try again.
    async fn read_again<T>(&self, mut read: impl AsyncFnMut() -> Result<T, source::Error>) -> Result<T, Error> {
        let mut attempt = 1;
        loop {
            match self.unless_stopped(read()).await {
                Err(Error::Source(error)) if error.is_transient() && attempt < READS => {
                    tracing::warn!(attempt, "reading the tenants again: {error}");
                    let random = SmallRng::seed_from_u64(self.seed ^ u64::from(attempt)).random();
                    self.unless_stopped(async {
                        sleep(backoff(attempt, random)).await;
                        Ok(())
                    })
                    .await?;
                    attempt += 1;
                }
                read => return read,
            }
        }
    }

    async fn unless_stopped<T>(&self, reading: impl Future<Output = Result<T, source::Error>>) -> Result<T, Error> {
        tokio::select! {
            read = reading => Ok(read?),
            () = self.stop.requested() => Err(explo::Error::Stopped { reason: self.stop.reason() }.into()),
        }
    }

    /// Every customer, compared with the tenants.
    async fn list(&self, tenants: Index, progress: &dyn Progress) -> Result<(Census<'_>, Listing, Tokens), Error> {
        let mut census = self.census(tenants, Extent::All);
        let mut partials = 0;
        let mut observe = |shown: Shown<'_, '_>| match shown {
            Shown::Customer(customer) => census.observe(customer),
            Shown::Partial(partial, _) => {
                partials += 1;
                census.observe_partial(&partial);
            }
        };
        let (listing, tokens) = self.reader.list(&mut observe, &|pages, of| progress.listed(pages, of)).await?;
        tracing::debug!(pages = listing.pages, passes = listing.passes, "listed the customers");
        if partials > 0 {
            tracing::warn!(customers = partials, "some customers' records can't be read, or are too large for that");
        }
        match census.strangers() {
            Some(remembered) => Err(Error::Strangers { customers: census.customers(), remembered }),
            None => Ok((census, listing, tokens)),
        }
    }

    fn census(&self, tenants: Index, extent: Extent) -> Census<'_> {
        Census::new(tenants, self.rules, self.memory, extent).at(self.now, self.retry_failed)
    }

    /// Asks until there is no question left. What follows is remembered at once: there may be more questions than calls in
    /// the time of a run.
    async fn answer(&self, inquiry: &mut impl Inquiry, record: Option<&dyn Fn(Entry)>) -> Result<(), Error> {
        while let Some(questions) = inquiry.questions() {
            let asked = questions.into_iter().map(|question| self.ask(question));
            let mut answers = stream::iter(asked).buffered(self.side_by_side.max(1));
            while let Some(answer) = answers.try_next().await? {
                let entries = inquiry.answer(answer);
                if let Some(record) = record {
                    entries.into_iter().for_each(record);
                }
            }
        }
        Ok(())
    }

    async fn ask(&self, question: Question) -> Result<Answer, Error> {
        Ok(match question {
            Question::Customer(provided_id) => {
                let found = self.find(&provided_id).await?;
                Answer::Customer(provided_id, found)
            }
            Question::Children(parent) => {
                let children = self.children(&parent).await?;
                Answer::Children(parent, children)
            }
            Question::Tags => Answer::Tags(self.reader.tags().await?),
        })
    }

    /// One customer; a failure that does not end the run is no answer.
    async fn find(&self, provided_id: &str) -> Result<Found, Error> {
        match self.proven(provided_id).await {
            Ok(Some(Look::Found(customer))) => Ok(Found::Customer(customer)),
            Ok(Some(Look::Unreadable(_) | Look::Refused(_))) => Ok(Found::Nothing),
            Ok(None) => Ok(Found::Nobody),
            Err(Error::Explo(error)) if !error.ends_run() => Ok(Found::Nothing),
            Err(error) => Err(error),
        }
    }

    /// The children of one customer; `None` where Explo does not tell them.
    async fn children(&self, parent: &str) -> Result<Option<Vec<String>>, Error> {
        let Children { provided_ids, unreadable } = match self.reader.children(parent).await {
            Ok(children) => children,
            Err(error @ (explo::Error::Rejected { .. } | explo::Error::Unsent { .. })) => {
                tracing::warn!(tenant.id = &*told_id(parent), "its children's parents are not compared: {error}");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let reason = if provided_ids.iter().any(|child| child == parent) {
            "it is listed among its own children, so their parents are not compared"
        } else if unreadable > 0 {
            "not every child's record can be read, so their parents are not compared"
        } else {
            return Ok(Some(provided_ids));
        };
        tracing::warn!(tenant.id = &*told_id(parent), "{reason}");
        Ok(None)
    }

    /// A look at one customer; `None` where nobody has the id.
    async fn proven(&self, provided_id: &str) -> Result<Option<Look>, Error> {
        match self.reader.customer(provided_id).await? {
            Look::Refused(refusal) if self.reader.is_absence(&refusal).await? => Ok(None),
            look => Ok(Some(look)),
        }
    }

    /// What is to be remembered before anything is written.
    fn remember(&self, plan: &Plan, is_held: bool, record: &dyn Fn(Entry)) {
        let entries = plan.beside(self.memory).entries(is_held);
        let forgotten = entries.iter().filter(|entry| matches!(entry.token, Token::Gone)).count();
        if forgotten > 0 {
            tracing::info!(forgotten, "tokens are forgotten that no customer has under their ids any more");
        }
        entries.into_iter().for_each(record);
    }

    fn due(&self, plan: &Plan) -> Due {
        plan.due(self.memory, self.now, self.retry_failed, self.max_changes)
    }

    async fn apply<W: Writer>(
        &self,
        plan: &Plan,
        due: &Due,
        tokens: &Tokens,
        writers: &Writers<'_, W>,
        progress: &dyn Progress,
    ) -> Applied {
        let spare = self.guard.spare(plan, self.allowances);
        let recording = Recording { memory: self.memory, now: self.now, record: writers.record };
        let is_listed = |token: &str| tokens.has(token);
        let applier = Applier::new(plan, due, (self.reader, writers.explo), spare, &is_listed, recording);
        applier.apply(self.side_by_side, progress).await
    }
}

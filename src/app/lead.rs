//! What a daemon has while it works, not while it stands by: the means to carry out wakes, and their origins.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{
    instance::{Instance, Task},
    pair,
};
use crate::{
    config::Config,
    daemon::{Kind, NextWake, Requests, Wake, Wakes},
    ledger::{InMemory, Ledger as _, Pair, SqlWriter},
    memory::Memory,
    model::told_id,
    ops::Status,
    reconciler::{self, Carried, Origin, Shared, WakeOutcome as Outcome, Woken},
    source::{AnySource, Signal},
    stop::Stop,
    watch::{self, Watch},
};

/// How long the first run waits until notifications are heard: what comes before it reads the tenants need not be heard.
const HEARING: Duration = Duration::from_secs(1);

/// How many wakes are carried out at once while no run has begun.
const AT_FIRST: usize = 1;

/// The means to carry out wakes; `None` while this daemon stands by.
pub(super) type Lead = Rc<RefCell<Option<Rc<Means>>>>;

/// The means of the last run.
pub(super) struct Means {
    pub(super) instance: Instance,
    pub(super) shared: Rc<Shared>,
    pub(super) memory: Rc<InMemory>,
    /// Cancelled when this daemon leads no more.
    pub(super) lost: CancellationToken,
    /// The ledger's pair and a claim on it, if there is a ledger.
    pub(super) ledger: Option<(Pair, SqlWriter)>,
}

/// The origins of wakes that the source has; they end when this is dropped.
pub(super) struct Origins {
    _tasks: Vec<watch::Task<()>>,
    /// Whether a run waits for the first of them to hear.
    is_awaited: Arc<AtomicBool>,
    heard: Arc<Notify>,
}

impl Means {
    fn span(&self, origin: Origin) -> Span {
        tracing::error_span!("wake", origin = origin.name(), instance = self.instance.config.name)
    }

    async fn carry_out(&self, wake: &Wake) -> Result<Carried, reconciler::Error> {
        let (shared, instance, about) = (&*self.shared, &self.instance, (&*wake.provided_id, wake.origin));
        let (task, nothing) = (Task::default(), Memory::default());
        let reconciler = instance.reconciler(&task, &nothing);
        let (Some((pair, writer)), Some(sql)) = (&self.ledger, &instance.config.ledger) else {
            let memory = &*self.memory;
            return Box::pin(reconciler.wake(about, shared, &instance.client, (memory, &memory))).await;
        };
        let ledger = sql.of(pair.clone());
        let carried = Box::pin(reconciler.wake(about, shared, &instance.client, (&ledger, writer))).await?;
        Ok(match carried {
            Carried::Out(woken) if woken.token.is_none() && wants_token(wake, &woken) => {
                let token = ledger.token(&wake.provided_id).await?;
                Carried::Out(Woken { token, ..woken })
            }
            carried => carried,
        })
    }
}

fn wants_token(wake: &Wake, woken: &Woken) -> bool {
    wake.origin == Origin::Post && !woken.leaves && matches!(woken.outcome, Outcome::Applied | Outcome::Unchanged)
}

/// Carries out wakes until a stop, several at once.
pub(super) async fn carry_out(wakes: &Wakes, lead: &Lead, requests: &Requests, status: &Status, stop: &Stop) {
    let mut going = FuturesUnordered::new();
    loop {
        let most = lead.borrow().as_ref().map_or(AT_FIRST, |means| means.instance.config.max_in_flight);
        tokio::select! {
            biased;
            () = stop.requested() => break,
            Some(()) = going.next() => {}
            () = listed(lead) => wakes.unpark(),
            next = wakes.next(most) => match next {
                NextWake::Wake(wake) => going.push(one(wake, wakes, lead, status)),
                NextWake::Flood => {
                    tracing::info!("many tenants may have changed at once: a run of all tenants begins");
                    requests.ask(Kind::Full);
                }
            },
        }
    }
    wakes.close();
    while going.next().await.is_some() {}
}

/// Returns when customers were listed: then new tenants can be carried out.
async fn listed(lead: &Lead) {
    let means = lead.borrow().clone();
    match means {
        Some(means) => means.shared.listed.notified().await,
        None => std::future::pending().await,
    }
}

/// For the log, where a number of 128 bits would be a text.
fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

async fn one(wake: Wake, wakes: &Wakes, lead: &Lead, status: &Status) {
    let means = lead.borrow().as_ref().filter(|means| !means.lost.is_cancelled()).cloned();
    let (origin, since) = (wake.origin, wake.since);
    let carried = match &means {
        Some(means) => match means
            .carry_out(&wake)
            .instrument(means.span(origin))
            .await
            .unwrap_or_else(|error| Carried::Out(error.into()))
        {
            Carried::Out(woken) if woken.token.is_none() && means.lost.is_cancelled() => {
                Carried::Out(Woken::of(Outcome::Standby))
            }
            carried => carried,
        },
        None => Carried::Out(Woken::of(Outcome::Standby)),
    };
    let Carried::Out(woken) = carried else { return wakes.park(wake) };
    let took = since.elapsed();
    let (origin_name, outcome, duration_ms) = (origin.name(), woken.outcome.name(), millis(took));
    let tenant = told_id(&wake.provided_id);
    let error = woken.error.as_deref().unwrap_or_default();
    match woken.outcome {
        Outcome::Applied => {
            tracing::info!(tenant.id = &*tenant, origin = origin_name, duration_ms, "synced one tenant");
        }
        Outcome::Failed => {
            tracing::warn!(
                tenant.id = &*tenant,
                origin = origin_name,
                duration_ms,
                "one tenant could not be synced: {error}"
            );
        }
        _ => tracing::debug!(
            tenant.id = &*tenant,
            origin = origin_name,
            outcome,
            duration_ms,
            "looked at one tenant: {error}"
        ),
    }
    status.woken(origin, woken.outcome, took);
    wakes.ended(&wake.provided_id);
    wake.reply(&woken);
}

impl Origins {
    /// Starts what the source has. If no run waits for the first of them to hear, one is requested then.
    pub(super) fn start(
        watch: &Watch,
        config: &Config,
        (wakes, requests): (&Arc<Wakes>, &Arc<Requests>),
        is_awaited: bool,
    ) -> Self {
        let (is_awaited, heard) = (Arc::new(AtomicBool::new(is_awaited)), Arc::<Notify>::default());
        let mut tasks = Vec::new();
        if let AnySource::Sql(sql) = &config.source {
            if sql.channel().is_some() {
                let (wakes, requests) = (Arc::clone(wakes), Arc::clone(requests));
                let (is_awaited, heard) = (Arc::clone(&is_awaited), Arc::clone(&heard));
                let tell = move |signal| match signal {
                    Signal::Changed(provided_id) => drop(wakes.push(&provided_id, Origin::Listen, None)),
                    Signal::Hearing if is_awaited.swap(false, Ordering::SeqCst) => heard.notify_one(),
                    Signal::Hearing => requests.ask(Kind::Quick),
                };
                let sql = sql.clone();
                tasks.push(watch.begin(async move {
                    let _ = sql.listen(tell).await;
                }));
            } else {
                is_awaited.store(false, Ordering::SeqCst);
            }
            if sql.has_query_changed() {
                let (sql, wakes) = (sql.clone(), Arc::clone(wakes));
                let tell = move |signal| match signal {
                    Signal::Changed(provided_id) => drop(wakes.push(&provided_id, Origin::Poll, None)),
                    // The time since when it asks stays, so nothing is missed.
                    Signal::Hearing => {}
                };
                tasks.push(watch.begin(async move {
                    let _ = sql.watch_changes(tell).await;
                }));
            }
        }
        Self { _tasks: tasks, is_awaited, heard }
    }

    /// Waits a moment until the first of them hears.
    pub(super) async fn hear(&self) {
        if self.is_awaited.load(Ordering::SeqCst) && timeout(HEARING, self.heard.notified()).await.is_err() {
            self.is_awaited.store(false, Ordering::SeqCst);
        }
    }
}

/// The claim on the ledger, for what wakes record.
pub(super) async fn claim(config: &Config) -> Result<Option<(Pair, SqlWriter)>, reconciler::Error> {
    let Some(sql) = &config.ledger else { return Ok(None) };
    let pair = pair::of(config).await?;
    let writer = sql.of(pair.clone()).writer().await?;
    Ok(Some((pair, writer)))
}

//! A process beside others, as the program wires it: a daemon with runs and wakes, or a `sync`.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use explo_sync::{
    applier::Claims,
    daemon::{NextWake, Wake, Wakes},
    database::lock::{IdLocks, Permit},
    explo::{Client, Lane, Pacer},
    ledger::record_all,
    memory::{Memory, Note},
    model::{Row, TakeRow, Tenant},
    plan::{Allowances, Guard, Offboarding},
    reconciler::{self, Carried, Origin, Reconciler, Run, Shared, WakeOutcome as Outcome, Woken, Writers},
    source::{self, Columns, Source},
    stop::Stop,
};
use futures_util::{
    StreamExt,
    future::{Either, join, select},
    stream::FuturesUnordered,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{
    sync::{Mutex, Notify, mpsc::unbounded_channel},
    time::sleep,
};

use super::{
    table::Kept,
    tell,
    wire::By,
    world::{Line, World, stopping},
};

/// What the processes of one source share: its locks.
pub struct Domain {
    pub ids: IdLocks,
    pub runs: Mutex<()>,
}

/// One process.
pub struct Process<'w, L> {
    world: &'w World,
    ledger: &'w L,
    domain: &'w Domain,
    pub number: usize,
    pub habits: Habits,
    pub stop: Stop,
    pub wakes: Rc<Wakes>,
    shared: Shared,
    pacer: Arc<Pacer>,
    flood: Notify,
    /// Whether it carries out wakes.
    is_working: Cell<bool>,
    runs: Cell<usize>,
    random: RefCell<SmallRng>,
}

/// The settings of a process.
#[derive(Debug, Clone)]
pub struct Habits {
    pub guard: Guard,
    pub list_every: u64,
    pub max_changes: usize,
    pub retry_failed: bool,
    pub dry_run: bool,
    /// Whether the source selects rows by their ids.
    pub selects: bool,
    pub offboarding: Offboarding,
    /// Only these tenants; if empty, all.
    pub only: BTreeSet<String>,
}

/// The source, as slow as a real one: rows may change while they are on their way.
struct Rows<'w> {
    world: &'w World,
    selects: bool,
}

impl Default for Domain {
    fn default() -> Self {
        Self { ids: IdLocks::of_process(), runs: Mutex::default() }
    }
}

impl<'w, L: Kept> Process<'w, L> {
    pub fn new(
        (world, ledger, domain): (&'w World, &'w L, &'w Domain),
        number: usize,
        habits: Habits,
        has_wakes: bool,
    ) -> Self {
        let locks = domain.ids.clone();
        Self {
            world,
            ledger,
            domain,
            number,
            habits,
            stop: Stop::default(),
            wakes: Rc::default(),
            shared: if has_wakes { Shared::new(locks) } else { Shared::without_wakes(locks) },
            pacer: world.pacer(),
            flood: Notify::new(),
            is_working: Cell::default(),
            runs: Cell::default(),
            random: RefCell::new(SmallRng::seed_from_u64(world.scenario.seed ^ ((number as u64) << 32))),
        }
    }

    /// Works as a daemon: runs after these pauses, each quick or as configured, wakes beside them, and a stop in the end.
    pub async fn work(&self, runs: &[(Duration, Option<u64>)], stops_after: Duration) {
        let running = async {
            let mut runs = runs.iter();
            while !self.stop.is_requested() {
                let (pause, list_every) = runs.next().copied().unwrap_or((Duration::MAX, None));
                let list_every = tokio::select! {
                    biased;
                    () = self.stop.requested() => break,
                    () = self.flood.notified() => Some(0),
                    () = sleep(pause) => list_every,
                };
                self.turn(list_every).await;
            }
        };
        let stopping = pin!(stopping(&self.stop, Some(stops_after)));
        select(pin!(join(self.carry_out(), running)), stopping).await;
        self.is_working.set(false);
    }

    /// One run of a daemon, unless another process runs.
    async fn turn(&self, list_every: Option<u64>) {
        let Ok(turn) = self.domain.runs.try_lock() else { return };
        self.is_working.set(true);
        self.wakes.open(self.shared.most_wakes());
        // Its end is judged by what it did.
        let _ = self.run(Some(&Permit::Unlocked), list_every).await;
        drop(turn);
        self.shared.run_ended();
        self.wakes.open(self.shared.most_wakes());
        self.wakes.unpark();
    }

    /// One run of a `sync`, unless another process runs.
    pub async fn sync(&self) {
        let habits = &self.habits;
        if habits.dry_run {
            return drop(self.run(None, None).await);
        }
        if habits.only.is_empty() {
            let Ok(_turn) = self.domain.runs.try_lock() else { return };
            return drop(self.run(Some(&Permit::Unlocked), None).await);
        }
        let mut locks = Vec::new();
        for id in &habits.only {
            match self.domain.ids.acquire(id, Duration::from_secs(30)).await {
                Some(lock) => locks.push(lock),
                None => return,
            }
        }
        drop(self.run(Some(&Permit::Ids(locks)), None).await);
    }

    /// As [`Instance::run`](explo_sync::app) does.
    async fn run(&self, permit: Option<&Permit>, list_every: Option<u64>) -> Result<Run, reconciler::Error> {
        self.runs.set(self.runs.get() + 1);
        let by = By { process: self.number, run: Some(self.runs.get()), since: self.world.age() };
        let (stop, source) = (self.stop.child(), self.source());
        let client = self.client(by, &stop);
        tell::event(format_args!("{} run begins, {list_every:?} {:?}", self.number, self.habits));
        let (shared, ledger) = (&self.shared, self.ledger);
        let Some(permit) = permit else {
            let memory = ledger.load().await?;
            return self.reconcile((&source, &client, &memory, &stop), None, list_every).await;
        };
        let writer = ledger.writer().await?;
        let memory = ledger.load().await?;
        shared.loaded(&memory);
        let (entries, to_record) = unbounded_channel();
        let (_reading, (opened, _recording)) = (shared.superseded.run_begins(), shared.journal.open(entries.clone()));
        let claims = Claims::new(&shared.locks, &shared.superseded, ledger, &memory);
        let running = async {
            let record = move |note: Note| {
                if let Some(note) = shared.note_of_run(note) {
                    drop(entries.send(note.into()));
                }
            };
            let mut writers = Writers::new(permit, &client, &record).keeping(&writer);
            if !matches!(permit, Permit::Ids(_)) {
                writers = writers.claiming(&claims);
            }
            let ran = self.reconcile((&source, &client, &memory, &stop), Some(writers), list_every).await;
            drop(opened);
            ran
        };
        match select(pin!(running), pin!(record_all(&writer, to_record))).await {
            Either::Left((run, recording)) => {
                recording.await?;
                run
            }
            Either::Right((recorded, running)) => {
                recorded?;
                running.await
            }
        }
    }

    async fn reconcile(
        &self,
        (source, client, memory, stop): (&Rows<'_>, &Client<Line<'_>>, &Memory, &Stop),
        writers: Option<Writers<'_, Client<Line<'_>>>>,
        list_every: Option<u64>,
    ) -> Result<Run, reconciler::Error> {
        let allowances = Allowances::default();
        let reconciler = self.reconciler((source, client, memory, stop), &allowances, list_every);
        match &self.habits.only {
            only if only.is_empty() => Box::pin(reconciler.run(writers, &())).await,
            only => Box::pin(reconciler.only(only, writers, &())).await,
        }
    }

    fn reconciler<'r>(
        &'r self,
        (source, reader, memory, stop): (&'r Rows<'w>, &'r Client<Line<'w>>, &'r Memory, &'r Stop),
        allowances: &'r Allowances,
        list_every: Option<u64>,
    ) -> Reconciler<'r, Rows<'w>, Client<Line<'w>>> {
        Reconciler {
            source,
            reader,
            rules: self.world.rules(),
            guard: self.habits.guard,
            offboarding: self.habits.offboarding,
            allowances,
            memory,
            retry_failed: self.habits.retry_failed,
            list_every: list_every.unwrap_or(self.habits.list_every),
            now: self.world.clock(),
            side_by_side: self.world.scenario.side_by_side,
            max_changes: self.habits.max_changes,
            stop,
            seed: self.seed(),
        }
    }

    /// As `app::lead` does.
    async fn carry_out(&self) {
        let mut going = FuturesUnordered::new();
        loop {
            let most = if self.is_working.get() { self.world.scenario.side_by_side } else { 1 };
            tokio::select! {
                biased;
                () = self.stop.requested() => break,
                Some(()) = going.next() => {}
                next = self.wakes.next(most) => match next {
                    NextWake::Wake(wake) => going.push(self.one(wake)),
                    NextWake::Flood => self.flood.notify_one(),
                },
            }
        }
        self.wakes.close();
        while going.next().await.is_some() {}
    }

    async fn one(&self, wake: Wake) {
        let (id, state) = (&wake.provided_id, self.world.watch.state(&wake.provided_id));
        let carried = if self.is_working.get() {
            self.wake(id, wake.origin).await.unwrap_or_else(|error| Carried::Out(error.into()))
        } else {
            Carried::Out(Woken::of(Outcome::Standby))
        };
        let Carried::Out(woken) = carried else { return self.wakes.park(wake) };
        if matches!(woken.outcome, Outcome::Applied | Outcome::Unchanged | Outcome::Missing) {
            self.world.watch.woken(self.number, id, state);
        }
        tell::event(format_args!("{} woken {:?} of {id:?}: {woken:?}", self.number, wake.origin));
        self.world.check_woken(self.number, id, state, &woken);
        self.wakes.ended(&wake.provided_id);
        wake.reply(&woken);
    }

    async fn wake(&self, id: &str, origin: Origin) -> Result<Carried, reconciler::Error> {
        let by = By { process: self.number, run: None, since: self.world.age() };
        let (stop, source, memory) = (self.stop.child(), self.source(), Memory::default());
        let (client, allowances) = (self.client(by, &stop).in_lane(Lane::Urgent), Allowances::default());
        let reconciler = self.reconciler((&source, &client, &memory, &stop), &allowances, None);
        let reconciler = Reconciler { retry_failed: false, max_changes: usize::MAX, ..reconciler };
        let writer = self.ledger.writer().await?;
        Box::pin(reconciler.wake((id, origin), &self.shared, &client, (self.ledger, &writer))).await
    }

    fn client(&self, by: By, stop: &Stop) -> Client<Line<'w>> {
        let line = Line { world: self.world, by };
        self.world.client(line, Arc::clone(&self.pacer), stop, self.seed())
    }

    fn source(&self) -> Rows<'w> {
        Rows { world: self.world, selects: self.habits.selects }
    }

    fn seed(&self) -> u64 {
        self.random.borrow_mut().random()
    }
}

impl Rows<'_> {
    async fn give(&self, is_asked: impl Fn(&Tenant<'_>) -> bool, take: TakeRow<'_>) {
        sleep(self.world.latency()).await;
        let tenants = self.world.tenants.borrow().clone();
        sleep(self.world.latency()).await;
        let rows: Vec<Row<'_>> = tenants.into_iter().filter(|tenant| is_asked(tenant)).map(Ok).collect();
        rows.iter().for_each(take);
    }
}

impl Source for Rows<'_> {
    async fn read(&self, take: TakeRow<'_>) -> Result<(), source::Error> {
        self.give(|_| true, take).await;
        Ok(())
    }

    async fn read_some(&self, ids: &BTreeSet<String>, take: TakeRow<'_>) -> Result<BTreeSet<String>, source::Error> {
        self.give(|tenant| !self.selects || ids.contains(&*tenant.provided_id), take).await;
        Ok(BTreeSet::new())
    }

    fn reads_one(&self) -> bool {
        self.selects
    }

    async fn columns(&self) -> Result<Columns, source::Error> {
        unreachable!("a run does not ask")
    }

    fn place(&self) -> String {
        "memory".to_owned()
    }
}

//! A world in one thread: tenants, an Explo in process, and the runs between them.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    future::Future,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use explo_sync::{
    compare::Rules,
    database::lock::Permit,
    explo::{Client, Fault, Incoming, ListingRules, Outgoing, Pacer, Settings, Transport},
    ledger::{Ledger, record_all},
    memory::Note,
    model::{Row, TakeRow, Tenant},
    reconciler::{Reconciler, Run, Writers},
    report::Report,
    sandbox::{self, Api, Delivery, Endpoint, FaultKind, Request},
    source::{self, Columns, Source},
    stop::Stop,
};
use futures_util::future::join;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{
    sync::mpsc::unbounded_channel,
    time::{Instant, sleep},
};

use super::{
    course::{Course, Ended},
    leaving::Witness,
    oracle::Watch,
    scenario::Scenario,
    tell,
    wire::{Answer, By, Call},
};

/// Both sides, the wire between them, and the calls.
pub struct World {
    pub scenario: Scenario,
    pub tenants: Rc<RefCell<Vec<Tenant<'static>>>>,
    pub api: Rc<RefCell<Api>>,
    /// The number of calls in a thousand that go wrong.
    pub trouble: Cell<u32>,
    /// What is wrong in the listings.
    lie: Cell<Option<Lie>>,
    pub calls: RefCell<Vec<Call>>,
    /// The tenants with a failed call.
    pub failed: RefCell<BTreeSet<String>>,
    /// Who writes what, in worlds where rows change while they are written.
    pub watch: Rc<Watch>,
    /// Who sees each call, in worlds where tenants leave.
    pub witness: RefCell<Option<Rc<Witness>>>,
    /// Attempts that were given up and that Explo applies later: when, and what.
    late: RefCell<Vec<(Instant, Letter)>>,
    began: Instant,
    pub random: RefCell<SmallRng>,
}

/// One caller's line to Explo.
#[derive(Clone, Copy)]
pub struct Line<'w> {
    pub world: &'w World,
    pub by: By,
}

/// A request on its way.
#[derive(Clone)]
struct Letter {
    method: String,
    path: String,
    body: String,
}

/// What is wrong in the listings of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// They are empty.
    Nobody,
    /// The last customers are missing, this number of them.
    Fewer(usize),
    /// The total is higher by this number.
    More(i32),
}

/// What goes wrong with one call.
enum Trouble {
    Nothing,
    Status(u16, &'static str),
    Throttled(Option<u64>),
    /// The call is applied, and another answer comes back.
    DoneBut(u16, &'static str),
    Broken {
        is_done: bool,
    },
    Hangs {
        is_done: bool,
    },
    /// No answer comes, and the call is applied this much later.
    Late(Duration),
}

impl World {
    pub fn new(scenario: Scenario, api: Api, tenants: Vec<Tenant<'static>>) -> Self {
        let random = RefCell::new(SmallRng::seed_from_u64(scenario.seed));
        let (tenants, api) = (Rc::new(RefCell::new(tenants)), Rc::new(RefCell::new(api)));
        Self {
            scenario,
            tenants,
            api,
            trouble: Cell::default(),
            lie: Cell::default(),
            calls: RefCell::default(),
            failed: RefCell::default(),
            watch: Rc::default(),
            witness: RefCell::default(),
            late: RefCell::default(),
            began: Instant::now(),
            random,
        }
    }

    /// Makes the listings wrong from now on, or right again.
    pub fn lie(&self, lie: Option<Lie>) {
        let mut api = self.api.borrow_mut();
        api.faults.retain(|fault| !matches!(fault.kind, FaultKind::Nobody | FaultKind::Fewer(_)));
        api.behaviour.total_plus = 0;
        let mut listings = |kind| api.faults.insert(0, sandbox::Fault::new(kind).at(Endpoint::Customers));
        match lie {
            None => {}
            Some(Lie::Nobody) => listings(FaultKind::Nobody),
            Some(Lie::Fewer(customers)) => listings(FaultKind::Fewer(customers)),
            Some(Lie::More(customers)) => api.behaviour.total_plus = customers as isize,
        }
        self.lie.set(lie);
    }

    pub fn is_lied_to(&self) -> bool {
        self.lie.get().is_some()
    }

    /// Whether a listing may lack customers though it looks complete.
    pub fn may_miss(&self) -> bool {
        let behaviour = &self.api.borrow().behaviour;
        let is_shuffled = behaviour.order == sandbox::Order::Shuffled && !self.scenario.trust_total;
        is_shuffled || !behaviour.churn.is_empty() || self.is_lied_to()
    }

    /// How long it has lasted, in milliseconds.
    pub fn age(&self) -> u128 {
        self.began.elapsed().as_millis()
    }

    /// Its clock, in seconds since 1970.
    pub fn clock(&self) -> u64 {
        200_000 + self.began.elapsed().as_secs()
    }

    /// The calls since the last time.
    pub fn take_calls(&self) -> Vec<Call> {
        self.calls.take()
    }

    /// One run in a new process, except for the ledger: if the process dies, only entries that were recorded by then
    /// remain.
    pub async fn run(&self, course: &Course, ledger: &impl Ledger) -> Ended {
        let memory = ledger.load().await.unwrap();
        let (entries, recorded) = unbounded_channel();
        let stop = Stop::default();
        let by = By { run: Some(0), since: self.age(), ..By::default() };
        let line = Line { world: self, by };
        let client = self.client(line, self.pacer(), &stop, course.seed);
        let running = async {
            let record = move |note: Note| drop(entries.send(note.into()));
            let reconciler = Reconciler {
                source: self,
                reader: &client,
                rules: self.rules(),
                guard: course.guard,
                offboarding: course.offboarding,
                allowances: &course.allowances,
                memory: &memory,
                retry_failed: course.retry_failed,
                list_every: course.list_every,
                now: course.now,
                side_by_side: self.scenario.side_by_side,
                max_changes: course.max_changes,
                stop: &stop,
                seed: course.seed,
            };
            let keep = ledger.writer().await.unwrap();
            let writers = Writers::new(&Permit::Unlocked, &client, &record).keeping(&keep);
            let writers = (!course.dry_run).then_some(writers);
            Box::pin(reconciler.run(writers, &())).await
        };
        let recording = async {
            if !course.dry_run {
                record_all(&ledger.writer().await.unwrap(), recorded).await.unwrap();
            }
        };
        let disturbed = async {
            tokio::select! {
                biased;
                (ran, ()) = join(running, recording) => ran,
                () = stopping(&stop, course.stops_after) => unreachable!("it only asks for a stop"),
                () = jumping(course.jump) => unreachable!("it only turns the clock"),
            }
        };
        match dying(disturbed, course.dies_after).await {
            None => Ended::Died,
            Some(Err(error)) => Ended::Failed(error),
            Some(Ok(run)) => {
                let report = self.report(run, &client, course.dry_run);
                tell::run(&report);
                Ended::Planned(Box::new(report))
            }
        }
    }

    /// How fields are compared.
    pub fn rules(&self) -> Rules {
        Rules { emails: self.scenario.emails, tags: self.scenario.tags, ..Rules::default() }
    }

    fn report(&self, run: Run, client: &Client<Line<'_>>, dry_run: bool) -> Report {
        Report {
            config: None,
            instance: "simulated".to_owned(),
            run_id: self.scenario.seed.to_string(),
            dry_run,
            source: self.place(),
            base_url: "http://explo.test/".to_owned(),
            requests_per_minute: self.scenario.requests_per_minute,
            calls_made: client.calls(),
            run,
            unrecorded: None,
        }
    }

    /// A gate for the calls of one process.
    pub fn pacer(&self) -> Arc<Pacer> {
        Arc::new(Pacer::new(self.scenario.requests_per_minute, self.scenario.side_by_side))
    }

    pub fn client<'w>(&'w self, line: Line<'w>, pacer: Arc<Pacer>, stop: &Stop, seed: u64) -> Client<Line<'w>> {
        let settings = Settings {
            base_url: "http://explo.test/".parse().unwrap(),
            token: "team-token".to_owned().into(),
            timeout: Duration::from_secs(30),
            max_attempts: self.scenario.max_attempts,
            pause_on_429: Duration::from_mins(1),
            ca: None,
            proxy: None,
            listing: ListingRules {
                version: self.scenario.version,
                page_size: self.scenario.page_size,
                side_by_side: self.scenario.side_by_side,
                trust_total: self.scenario.trust_total,
            },
        };
        Client::over(line, settings, pacer, stop.clone(), seed)
    }

    fn trouble(&self) -> Trouble {
        let mut random = self.random.borrow_mut();
        if random.random_range(0..1000) >= self.trouble.get() {
            return Trouble::Nothing;
        }
        let is_done = random.random_bool(0.5);
        if self.watch.is_on() && random.random_bool(0.1) {
            return Trouble::Late(Duration::from_secs(random.random_range(31..90)));
        }
        match random.random_range(0..17) {
            0 => Trouble::Throttled(Some(random.random_range(0..20))),
            1 => Trouble::Throttled(None),
            2 => Trouble::Status(500, "oops"),
            3 => Trouble::Status(502, "<html>Bad gateway</html>"),
            4 => Trouble::Status(200, "<html>Maintenance</html>"),
            5 => Trouble::DoneBut(200, ""),
            6 => Trouble::DoneBut(200, r#"{"success": 1, "customer": {"tok"#),
            7 => Trouble::DoneBut(504, "timed out"),
            8 => Trouble::Status(302, ""),
            9 => Trouble::Status(400, r#"{"detail": "no"}"#),
            10 => Trouble::Status(200, r#"{"success": 0}"#),
            11 if random.random_bool(0.2) => Trouble::Status(401, "{}"),
            12 if random.random_bool(0.3) => Trouble::Status(403, "{}"),
            11..=14 => Trouble::Broken { is_done },
            _ => Trouble::Hangs { is_done },
        }
    }

    /// Explo's answer, and how it arrives; Explo has received the call from here on.
    fn hear(&self, number: usize, letter: &Letter) -> (Incoming, Delivery) {
        self.hear_late();
        if let Some(witness) = &*self.witness.borrow() {
            witness.sees(&self.calls.borrow()[number]);
        }
        let name = |id: &str| self.api.borrow().store().get(id).map(|customer| customer.name.clone());
        let id = self.calls.borrow()[number].tenant_id().to_owned();
        let before = name(&id);
        let reply = self.receive(letter);
        let call = &mut self.calls.borrow_mut()[number];
        let has = |id: &str| self.api.borrow().store().get(id).is_some();
        call.is_renamed = call.new_id().is_some_and(|new| has(new) && !has(call.provided_id()));
        if call.is_renamed {
            self.watch.renamed(call);
        } else if call.is_write() && name(&id) != before {
            self.watch.applied(call);
        }
        reply
    }

    /// Explo receives the attempts that were given up and are due by now.
    pub fn hear_late(&self) {
        let now = Instant::now();
        let due: Vec<_> = self.late.borrow_mut().extract_if(.., |(at, _)| *at <= now).collect();
        for (_, letter) in &due {
            drop(self.receive(letter));
        }
    }

    fn receive(&self, letter: &Letter) -> (Incoming, Delivery) {
        let mut api = self.api.borrow_mut();
        let reply = api.answer(
            &Request {
                method: &letter.method,
                path: &letter.path,
                token: Some("team-token"),
                body: letter.body.as_bytes(),
            },
            Instant::now(),
        );
        drop(api.take_calls());
        (incoming(reply.status, &reply.headers, reply.body), reply.delivery)
    }

    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.random.borrow_mut().random_range(1..300))
    }
}

impl Letter {
    fn new(request: &Outgoing<'_>) -> Self {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(request.query).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        Self {
            method: request.method.as_str().to_owned(),
            path: format!("/{}{mark}{query}", request.path),
            body: request.body.unwrap_or_default().to_owned(),
        }
    }
}

impl Transport for Line<'_> {
    async fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, Fault> {
        let (world, call) = (self.world, Call::begin(request, self.by));
        let number = world.calls.borrow().len();
        let _flight = world.watch.begins(&call);
        world.calls.borrow_mut().push(call);
        let answer = world.answer(number, request).await;
        if let Ok(answer) = &answer {
            world.calls.borrow_mut()[number].answer = Some(Answer::of(answer));
            world.watch.answered(&world.calls.borrow()[number]);
        }
        tell::call(&world.calls.borrow()[number]);
        answer
    }
}

impl World {
    /// What the caller receives.
    async fn answer(&self, number: usize, request: &Outgoing<'_>) -> Result<Incoming, Fault> {
        let (trouble, letter) = (self.trouble(), Letter::new(request));
        sleep(self.latency()).await;
        let answer = match trouble {
            Trouble::Nothing => {
                let (answer, delivery) = self.hear(number, &letter);
                sleep(self.latency()).await;
                match delivery {
                    Delivery::Whole => answer,
                    Delivery::Hung => std::future::pending().await,
                    _ => return Err(Fault::Connection("broken".to_owned())),
                }
            }
            Trouble::Status(status, body) => incoming(status, &[], body.into()),
            Trouble::Throttled(pause) => {
                let after = pause.map(|seconds| ("retry-after", seconds.to_string()));
                incoming(429, after.as_slice(), Vec::new())
            }
            Trouble::DoneBut(status, body) => {
                self.hear(number, &letter);
                sleep(self.latency()).await;
                incoming(status, &[], body.into())
            }
            Trouble::Broken { is_done } | Trouble::Hangs { is_done } => {
                if is_done {
                    self.hear(number, &letter);
                }
                if matches!(trouble, Trouble::Hangs { .. }) {
                    std::future::pending::<()>().await;
                }
                return Err(Fault::Connection("broken".to_owned()));
            }
            Trouble::Late(after) => {
                self.late.borrow_mut().push((Instant::now() + after, letter));
                std::future::pending().await
            }
        };
        Ok(answer)
    }
}

impl Source for World {
    async fn read(&self, take: TakeRow<'_>) -> Result<(), source::Error> {
        sleep(self.latency()).await;
        let rows: Vec<Row<'_>> = self.tenants.borrow().iter().cloned().map(Ok).collect();
        rows.iter().for_each(take);
        Ok(())
    }

    async fn columns(&self) -> Result<Columns, source::Error> {
        unreachable!("a run does not ask")
    }

    fn place(&self) -> String {
        "memory".to_owned()
    }
}

fn incoming(status: u16, headers: &[(&'static str, String)], body: Vec<u8>) -> Incoming {
    let mut answer = Incoming { status: status.try_into().unwrap(), body, ..Incoming::default() };
    for (name, value) in headers {
        answer.headers.insert(*name, value.parse().unwrap());
    }
    answer
}

pub async fn stopping(stop: &Stop, after: Option<Duration>) {
    if let Some(after) = after {
        sleep(after).await;
        stop.request("a signal").await;
    }
    std::future::pending::<()>().await;
}

async fn jumping(jump: Option<(Duration, Duration)>) {
    if let Some((after, far)) = jump {
        sleep(after).await;
        tokio::time::advance(far).await;
    }
    std::future::pending::<()>().await;
}

/// Drops a future after this number of polls.
pub async fn dying<T>(future: impl Future<Output = T>, after: Option<usize>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = after.unwrap_or(usize::MAX);
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Runs one world on a clock of its own.
pub fn simulate<T>(world: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(world)
}

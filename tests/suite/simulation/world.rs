//! A world in one thread: tenants, an Explo in process, and the runs between them.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    future::Future,
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use explo_sync::{
    compare::Rules,
    database::lock::Permit,
    explo::{Client, Fault, Incoming, ListingRules, Outgoing, Pacer, Settings, Transport},
    ledger::{Ledger, record_all},
    model::{Row, TakeRow, Tenant},
    plan::Allowances,
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
    scenario::Scenario,
    tell,
    wire::{Answer, Call},
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
    random: RefCell<SmallRng>,
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
        let client = self.client(course.seed, &stop);
        let running = async {
            let record = move |entry| drop(entries.send(entry));
            let reconciler = Reconciler {
                source: self,
                reader: &client,
                rules: Rules { emails: self.scenario.emails, tags: self.scenario.tags, ..Rules::default() },
                guard: course.guard,
                allowances: &Allowances::default(),
                memory: &memory,
                retry_failed: course.retry_failed,
                now: course.now,
                side_by_side: self.scenario.side_by_side,
                max_changes: course.max_changes,
                stop: &stop,
                seed: course.seed,
            };
            let writers = (!course.dry_run).then_some(Writers::new(&Permit::Unlocked, &client, &record));
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

    fn report(&self, run: Run, client: &Client<&Self>, dry_run: bool) -> Report {
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

    fn client(&self, seed: u64, stop: &Stop) -> Client<&Self> {
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
        let pacer = Pacer::new(self.scenario.requests_per_minute, self.scenario.side_by_side);
        Client::over(self, settings, pacer, stop.clone(), seed)
    }

    fn trouble(&self) -> Trouble {
        let mut random = self.random.borrow_mut();
        if random.random_range(0..1000) >= self.trouble.get() {
            return Trouble::Nothing;
        }
        let is_done = random.random_bool(0.5);
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
    fn hear(&self, number: usize, request: &Outgoing<'_>) -> (Incoming, Delivery) {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(request.query).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        let path = format!("/{}{mark}{query}", request.path);
        let reply = self.api.borrow_mut().answer(
            &Request {
                method: request.method.as_str(),
                path: &path,
                token: Some("team-token"),
                body: request.body.unwrap_or_default().as_bytes(),
            },
            Instant::now(),
        );
        let call = &mut self.calls.borrow_mut()[number];
        let mut api = self.api.borrow_mut();
        drop(api.take_calls());
        let has = |id: &str| api.store().get(id).is_some();
        call.is_renamed = call.new_id().is_some_and(|new| has(new) && !has(call.provided_id()));
        (incoming(reply.status, &reply.headers, reply.body), reply.delivery)
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(self.random.borrow_mut().random_range(1..300))
    }
}

impl Transport for &World {
    async fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, Fault> {
        let number = self.calls.borrow().len();
        self.calls.borrow_mut().push(Call::begin(request));
        let answer = self.answer(number, request).await;
        if let Ok(answer) = &answer {
            self.calls.borrow_mut()[number].answer = Some(Answer::of(answer));
        }
        tell::call(&self.calls.borrow()[number]);
        answer
    }
}

impl World {
    /// What the caller receives.
    async fn answer(&self, number: usize, request: &Outgoing<'_>) -> Result<Incoming, Fault> {
        let trouble = self.trouble();
        sleep(self.latency()).await;
        let answer = match trouble {
            Trouble::Nothing => {
                let (answer, delivery) = self.hear(number, request);
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
                self.hear(number, request);
                sleep(self.latency()).await;
                incoming(status, &[], body.into())
            }
            Trouble::Broken { is_done } | Trouble::Hangs { is_done } => {
                if is_done {
                    self.hear(number, request);
                }
                if matches!(trouble, Trouble::Hangs { .. }) {
                    std::future::pending::<()>().await;
                }
                return Err(Fault::Connection("broken".to_owned()));
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

async fn stopping(stop: &Stop, after: Option<Duration>) {
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
async fn dying<T>(future: impl Future<Output = T>, after: Option<usize>) -> Option<T> {
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

//! One world: tenants, an Explo in process, and runs between them.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::pin,
    task::Poll,
    time::Duration,
};

use explo_sync::{
    explo::{Client, Error, Fault, Incoming, ListingRules, Outgoing, Pacer, Settings, Stop, Transport},
    ledger::{Ledger, record_all},
    model::{Row, TakeRows, Tenant},
    plan::{Allowances, Guard, Rules},
    reconciler::{self, Reconciler, Run},
    report::Report,
    sandbox::{Api, Delivery, Request},
    source::{self, Columns, Source},
};
use futures_util::future::join;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::Value;
use tokio::{
    sync::mpsc::unbounded_channel,
    time::{Instant, sleep},
};

use super::scenario::Scenario;

/// Both sides, what lies between them, and what was said.
pub struct World {
    pub scenario: Scenario,
    pub tenants: RefCell<Vec<Tenant<'static>>>,
    pub api: RefCell<Api>,
    /// Of a thousand calls, so many go wrong.
    pub trouble: Cell<u32>,
    pub calls: RefCell<Vec<Call>>,
    random: RefCell<SmallRng>,
}

/// One call as the wire saw it.
#[derive(Debug, Clone)]
pub struct Call {
    pub endpoint: String,
    pub page: Option<usize>,
    /// The customer whose children are listed.
    pub parent: Option<String>,
    pub body: Value,
    pub began: Instant,
    /// What came back whole.
    pub answer: Option<Answer>,
    /// Explo did it, whatever came back.
    pub is_done: bool,
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub pause: Option<Duration>,
    pub body: Value,
    pub at: Instant,
}

/// How one run goes.
pub struct Course {
    pub seed: u64,
    /// When it begins, in seconds since 1970.
    pub now: u64,
    pub guard: Guard,
    pub dry_run: bool,
    pub max_changes: usize,
    /// Tenants that failed are tried whenever they are met.
    pub retry_failed: bool,
    /// The process dies after so many steps.
    pub dies_after: Option<usize>,
    /// SIGTERM.
    pub stops_after: Option<Duration>,
    /// The clock jumps so far, then.
    pub jump: Option<(Duration, Duration)>,
}

/// What became of a run.
pub enum Ended {
    Planned(Box<Report>),
    Failed(reconciler::Error),
    Died,
}

/// What goes wrong with one call.
enum Trouble {
    Nothing,
    Status(u16, &'static str),
    Throttled(Option<u64>),
    /// It is done, and the answer is another.
    DoneBut(u16, &'static str),
    Broken {
        is_done: bool,
    },
    Hangs {
        is_done: bool,
    },
}

/// Nothing is held.
pub const FREE: Guard = Guard { floor: 1_000_000, create_floor: 1_000_000, percent: 100, max_orphan_percent: 100 };

impl Course {
    pub fn quiet(seed: u64) -> Self {
        Self {
            seed,
            now: 0,
            guard: FREE,
            dry_run: false,
            max_changes: usize::MAX,
            retry_failed: true,
            dies_after: None,
            stops_after: None,
            jump: None,
        }
    }
}

impl World {
    pub fn new(scenario: Scenario, api: Api, tenants: Vec<Tenant<'static>>) -> Self {
        let random = RefCell::new(SmallRng::seed_from_u64(scenario.seed));
        let (tenants, api) = (RefCell::new(tenants), RefCell::new(api));
        Self { scenario, tenants, api, trouble: Cell::new(0), calls: RefCell::default(), random }
    }

    /// The calls since the last look.
    pub fn take_calls(&self) -> Vec<Call> {
        self.calls.take()
    }

    /// One run, by a process of its own but for the ledger: of what it had to remember when it died, that stays which was
    /// recorded by then.
    pub async fn run(&self, course: &Course, ledger: &impl Ledger) -> Ended {
        let findings = ledger.load().await.unwrap();
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
                findings: &findings,
                record: &record,
                retry_failed: course.retry_failed,
                now: course.now,
                side_by_side: self.scenario.side_by_side,
                max_changes: course.max_changes,
                stop: &stop,
                seed: course.seed,
            };
            Box::pin(reconciler.run((!course.dry_run).then_some(&client), &())).await
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
            Some(Ok(run)) => Ended::Planned(Box::new(self.report(run, &client, course.dry_run))),
        }
    }

    fn report(&self, run: Run, client: &Client<&Self>, dry_run: bool) -> Report {
        Report {
            instance: "simulated".to_owned(),
            run_id: self.scenario.seed.to_string(),
            dry_run,
            source: self.place(),
            base_url: "http://explo.test/".to_owned(),
            requests_per_minute: self.scenario.requests_per_minute,
            calls_made: client.calls(),
            page_sizes_refused: client.page_sizes_refused(),
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

    /// What Explo says, and how; it has heard the call from here on.
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
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        self.calls.borrow_mut()[number].is_done = reply.status == 200 && body["customer"].is_object();
        (incoming(reply.status, &reply.headers, reply.body), reply.delivery)
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(self.random.borrow_mut().random_range(1..300))
    }
}

impl Transport for &World {
    async fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, Fault> {
        let number = self.begin(request);
        let trouble = self.trouble();
        sleep(self.latency()).await;
        let answer = match trouble {
            Trouble::Nothing => {
                let (answer, delivery) = self.hear(number, request);
                sleep(self.latency()).await;
                match delivery {
                    Delivery::Whole => answer,
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
        self.end(number, &answer);
        Ok(answer)
    }
}

impl World {
    fn begin(&self, request: &Outgoing<'_>) -> usize {
        let query = |name| request.query.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let mut calls = self.calls.borrow_mut();
        calls.push(Call {
            endpoint: request.path.trim_end_matches('/').rsplit('/').next().unwrap().to_owned(),
            page: query("page").and_then(|page| page.parse().ok()),
            parent: query("parent_provided_id"),
            body: request.body.map_or(Value::Null, |body| serde_json::from_str(body).unwrap()),
            began: Instant::now(),
            answer: None,
            is_done: false,
        });
        calls.len() - 1
    }

    fn end(&self, number: usize, answer: &Incoming) {
        let pause = answer.headers.get("retry-after").map(|text| text.to_str().unwrap().parse().unwrap());
        self.calls.borrow_mut()[number].answer = Some(Answer {
            status: answer.status.as_u16(),
            pause: pause.map(Duration::from_secs),
            body: serde_json::from_slice(&answer.body).unwrap_or_default(),
            at: Instant::now(),
        });
    }
}

impl Source for World {
    async fn read(&self, take: TakeRows<'_>) -> Result<(), source::Error> {
        sleep(self.latency()).await;
        let rows: Vec<Row<'_>> = self.tenants.borrow().iter().cloned().map(Ok).collect();
        rows.chunks(3).for_each(take);
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

/// Drops a future after so many polls, wherever it waits then.
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

impl Ended {
    /// What it reported.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Planned(report) => Some(report),
            Self::Failed(_) | Self::Died => None,
        }
    }

    /// Whether the listing could not be shown to be complete.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Failed(reconciler::Error::Explo(Error::Incomplete { .. })))
    }
}

impl Call {
    /// Of a customer.
    pub fn is_write(&self) -> bool {
        matches!(self.endpoint.as_str(), "create_customer" | "update_customer")
    }

    pub fn provided_id(&self) -> &str {
        self.body["provided_id"].as_str().unwrap_or_default()
    }

    /// The id that a rename asks for.
    pub fn new_id(&self) -> Option<&str> {
        self.body["new_provided_id"].as_str()
    }

    /// The tenant that a write is for.
    pub fn tenant_id(&self) -> &str {
        self.new_id().unwrap_or_else(|| self.provided_id())
    }

    /// The fields that a write sends.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.body
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .filter(|name| !matches!(*name, "provided_id" | "new_provided_id"))
    }
}

/// Runs one world on a clock of its own.
pub fn simulate<T>(world: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(world)
}

//! Nothing that is computed makes the program deaf: while the work keeps its thread busy, for as long as the test wants, probes
//! are answered, the lock is kept, and a stop is asked for.

#![expect(clippy::print_stdout, reason = "how long it was silent is to be told, too")]

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use explo_sync::{
    applier::Outcome,
    compare::Rules,
    database::lock::{self, Attempt, Lock, Permit, Timing},
    explo::{self, Client, ListingRules, ListingVersion, Pacer, Settings},
    memory::Memory,
    ops::{self, Status},
    plan::{Allowances, Guard, Offboarding},
    progress::Progress,
    reconciler::{Reconciler, Run, Writers},
    sandbox::Sandbox,
    source::Sql,
    stop::Stop,
    watch::Watch,
};
use rstest::rstest;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::{sleep, timeout},
};
use url::Url;

use crate::{
    lock::take_away,
    service::Daemon,
    stop::silent,
    support::{Database, Kind, Program, World, endpoints, sandbox, settings},
};

/// Pings that a test can wait for.
const OFTEN: Timing = Timing { wait: Duration::ZERO, ping_every: Duration::from_millis(100) };

/// Longer than anything here takes.
const LONG: Duration = Duration::from_mins(1);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Computes when all customers are listed: keeps the thread of the run busy until something else is done.
struct Computing {
    begins: Mutex<Sender<()>>,
    ends: Mutex<Receiver<()>>,
}

impl Computing {
    /// Until this is done, on a thread of its own.
    fn during(meanwhile: impl Future<Output = ()> + Send + 'static) -> (Self, JoinHandle<()>) {
        let ((begins, begun), (end, ends)) = (channel(), channel());
        let meanwhile = thread::spawn(move || {
            begun.recv().unwrap();
            runtime().block_on(async { timeout(LONG, meanwhile).await.unwrap() });
            end.send(()).unwrap();
        });
        (Self { begins: Mutex::new(begins), ends: Mutex::new(ends) }, meanwhile)
    }
}

impl Progress for Computing {
    fn listed(&self, pages: usize, of: usize) {
        if pages == of {
            self.begins.lock().unwrap().send(()).unwrap();
            // Where the other thread fails, the test does.
            let _ = self.ends.lock().unwrap().recv();
        }
    }

    fn applied(&self, _: &'static str, _: &'static str, _: usize, _: usize) {}
}

async fn tenants(kind: Kind) -> Database {
    World::of([("a", "Ann"), ("b", "Bob")]).on(kind).start().await.0
}

/// A run with two customers to make, which computes while something else is done.
async fn run(
    database: &Database,
    sandbox: &Sandbox,
    stop: &Stop,
    meanwhile: impl Future<Output = ()> + Send + 'static,
) -> Run {
    let source = Sql::new(settings(&database.url, "select id as provided_id, name from tenants")).unwrap();
    let settings = Settings {
        base_url: format!("{}/", sandbox.url()).parse().unwrap(),
        token: "test-team-token-0123456789".to_owned().into(),
        timeout: Duration::from_secs(10),
        max_attempts: 3,
        pause_on_429: Duration::ZERO,
        ca: None,
        proxy: None,
        listing: ListingRules { version: ListingVersion::V2, page_size: 10, side_by_side: 4, trust_total: true },
    };
    let client = Client::new(settings, Pacer::new(6_000_000, 4), stop.clone(), 7).unwrap();
    let reconciler = Reconciler {
        source: &source,
        reader: &client,
        rules: Rules::default(),
        guard: Guard { floor: 10, create_floor: 100, percent: 10, max_orphan_percent: 50 },
        offboarding: Offboarding::default(),
        allowances: &Allowances::default(),
        memory: &Memory::default(),
        retry_failed: false,
        list_every: 0,
        now: 0,
        side_by_side: 4,
        max_changes: usize::MAX,
        stop,
        seed: 7,
    };
    let (computing, meanwhile) = Computing::during(meanwhile);
    let run = reconciler.run(Some(Writers::new(&Permit::Unlocked, &client, &|_| {})), &computing).await.unwrap();
    meanwhile.join().unwrap();
    run
}

/// That nothing was begun, for this reason.
fn assert_deferred(run: &Run, sandbox: &Sandbox, reason: &str) {
    let applied = run.applied.as_ref().unwrap();
    assert_eq!(applied.outcomes, [Outcome::Deferred, Outcome::Deferred]);
    assert!(matches!(applied.end, Some(explo::Error::Stopped { reason: found }) if found == reason), "{applied:?}");
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"], "no call begins");
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(LONG).build().unwrap()
}

async fn locked(watch: &Watch, url: &str) -> Lock {
    let source = Sql::new(settings(url, "select 1")).unwrap();
    let stop = Stop::default();
    match watch.run(async move { lock::acquire(source.server(), "default", OFTEN, &stop).await }).await {
        Ok(Attempt::Acquired(lock)) => lock,
        other => panic!("{other:?}"),
    }
}

/// A way to a server, on threads of its own, which counts what goes there.
fn counted_way(url: &str) -> (String, Arc<AtomicUsize>) {
    let mut url = Url::parse(url).unwrap();
    let server = (url.host_str().unwrap().to_owned(), url.port().unwrap());
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for near in listener.incoming() {
            let (mut near, mut far) = (near.unwrap(), TcpStream::connect(&server).unwrap());
            let (mut to_near, mut from_far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let counted = Arc::clone(&counted);
            thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(length @ 1..) = near.read(&mut bytes) {
                    counted.fetch_add(1, Ordering::Relaxed);
                    far.write_all(&bytes[..length]).unwrap();
                }
                let _ = far.shutdown(Shutdown::Write);
            });
            thread::spawn(move || {
                let _ = io::copy(&mut from_far, &mut to_near);
                let _ = to_near.shutdown(Shutdown::Write);
            });
        }
    });
    (url.to_string(), count)
}

/// Waits until so much more went this way.
async fn pinged(pings: &AtomicUsize, times: usize) {
    let before = pings.load(Ordering::Relaxed);
    let pinging = async {
        while pings.load(Ordering::Relaxed) < before + times {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, pinging).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn while_a_run_computes_probes_are_answered_and_the_lock_is_pinged(
    #[values(Kind::Postgres, Kind::MySql)] kind: Kind,
) {
    let (database, sandbox, watch) = (tenants(kind).await, sandbox([]).await, Watch::start().unwrap());
    let listener = watch.run(TcpListener::bind("127.0.0.1:0")).await.unwrap();
    let address = listener.local_addr().unwrap();
    watch.spawn(ops::serve(
        listener,
        ops::Limits::default(),
        Arc::new(Status::new("default", SystemTime::now())),
        SystemTime::now,
    ));
    let (url, pings) = counted_way(&database.url);
    let lock = locked(&watch, &url).await;
    let meanwhile = async move {
        let http = client();
        for path in ["livez", "metrics"].repeat(20) {
            let answer = http.get(format!("http://{address}/{path}")).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{path}");
        }
        pinged(&pings, 3).await;
    };
    let run = run(&database, &sandbox, &Stop::default(), meanwhile).await;
    assert_eq!(run.applied.unwrap().outcomes, [Outcome::Applied, Outcome::Applied]);
    assert!(!lock.lost().is_cancelled());
    lock.release().await;
}

#[rstest]
#[tokio::test]
async fn a_lock_that_is_lost_while_a_run_computes_is_noticed_before_the_next_write(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let (database, sandbox, watch) = (Arc::new(tenants(kind).await), sandbox([]).await, Watch::start().unwrap());
    let (lock, stop) = (locked(&watch, &database.url).await, Stop::default());
    let (lost, stopping) = (lock.lost().clone(), stop.clone());
    watch.spawn(async move {
        lost.cancelled().await;
        stopping.request("a lost lock").await;
    });
    let (locked, stopped) = (Arc::clone(&database), stop.clone());
    let meanwhile = async move {
        take_away(&locked).await;
        stopped.requested().await;
    };
    assert_deferred(&Box::pin(run(&database, &sandbox, &stop, meanwhile)).await, &sandbox, "a lost lock");
}

#[tokio::test]
async fn a_time_that_runs_out_while_a_run_computes_lets_no_call_begin_afterwards() {
    let (database, sandbox, watch) = (tenants(Kind::Sqlite).await, sandbox([]).await, Watch::start().unwrap());
    let (stop, (over, is_over)) = (Stop::default(), oneshot::channel());
    let (timed, stopped) = (stop.clone(), stop.clone());
    watch.spawn(async move {
        is_over.await.unwrap();
        sleep(Duration::from_millis(50)).await;
        timed.request("--max-duration").await;
    });
    let meanwhile = async move {
        over.send(()).unwrap();
        stopped.requested().await;
    };
    assert_deferred(&run(&database, &sandbox, &stop, meanwhile).await, &sandbox, "--max-duration");
}

#[tokio::test]
async fn what_is_begun_there_ends_when_nobody_keeps_it() {
    let watch = Watch::start().unwrap();
    let (sender, receiver) = oneshot::channel::<()>();
    let task = watch.begin(async move {
        std::future::pending::<()>().await;
        drop(sender);
    });
    drop(task);
    assert!(receiver.await.is_err());
    assert_eq!(watch.run(async { 7 }).await, 7);
}

#[rstest]
#[tokio::test]
async fn while_the_thread_of_its_work_stands_still_a_daemon_answers_keeps_its_locks_and_ends_at_sigterm(
    #[values(Kind::Postgres, Kind::MySql)] kind: Kind,
) {
    let (database, (silent, asked)) = (tenants(kind).await, silent().await);
    let (url, pings) = counted_way(&database.url);
    let program = Program::between(&database, &sandbox([]).await, "select id as provided_id, name from tenants")
        .with("DATABASE_URL", &url)
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &silent)
        .with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0")
        .freezable();
    let mut daemon = Daemon::start(&program, &[]);
    let line: serde_json::Value = serde_json::from_str(&daemon.says("ops server listens").await).unwrap();
    asked.notified().await;
    daemon.freezes().await;
    for path in ["livez", "metrics"] {
        let url = format!("http://{}/{path}", line["address"].as_str().unwrap());
        let answer = client().get(url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
    }
    // Each of two locks.
    pinged(&pings, 2).await;
    daemon.signal("-TERM").await;
    daemon.says("stopping").await;
    assert_eq!(daemon.ends().await, Some(0), "it need not move for that");
}

/// A million tenants, and nobody listed: a plan takes long.
const MILLION: &str = "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 1000000) \
    select printf('%08x-5f2c-4a7e-9a31-0123456789ab', n) as provided_id, 'T' as name from numbers";

/// Answers that are waited for while it plans.
const ANSWERS: usize = 50;

/// Asks for a page over one connection again and again, until enough answers came while it plans: how many came at all, and the
/// longest time without one.
async fn ask(url: String, plans: Arc<AtomicBool>) -> (usize, Duration) {
    let (http, mut answered) = (client(), Instant::now());
    let (mut count, mut while_it_plans, mut longest) = (0, 0, Duration::ZERO);
    while while_it_plans < ANSWERS {
        let it_plans = plans.load(Ordering::Relaxed);
        let answer = http.get(&url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{url}");
        answer.bytes().await.unwrap();
        let before = std::mem::replace(&mut answered, Instant::now());
        (count, while_it_plans, longest) =
            (count + 1, while_it_plans + usize::from(it_plans), longest.max(answered - before));
        tokio::task::yield_now().await;
    }
    (count, longest)
}

#[tokio::test]
async fn a_daemon_with_a_million_tenants_answers_all_the_time_and_hears_sigterm_while_it_plans() {
    let (database, sandbox) = (Database::new(Kind::Sqlite).await, sandbox([]).await);
    let program = Program::between(&database, &sandbox, MILLION)
        .with("EXPLO_SYNC__GUARD__CREATE_FLOOR", "1000000")
        .with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0");
    let mut daemon = Daemon::start(&program, &[]);
    let line: serde_json::Value = serde_json::from_str(&daemon.says("ops server listens").await).unwrap();
    let url = format!("http://{}", line["address"].as_str().unwrap());
    let plans = Arc::<AtomicBool>::default();
    let asked = ["livez", "metrics"].map(|path| tokio::spawn(ask(format!("{url}/{path}"), Arc::clone(&plans))));
    daemon.says("listed the customers").await;
    plans.store(true, Ordering::Relaxed);
    for (path, asked) in ["livez", "metrics"].into_iter().zip(asked) {
        let (count, longest) = asked.await.unwrap();
        println!("/{path}: {count} answers, the longest silence {longest:?}");
    }
    let asked = Instant::now();
    daemon.signal("-TERM").await;
    daemon.says("stopping").await;
    println!("SIGTERM is logged after {:?}", asked.elapsed());
    assert_eq!(daemon.ends().await, Some(0));
    assert_eq!(endpoints(&sandbox.take_calls()), ["customers"], "no call begins");
}

//! How soon a change reaches Explo, and what it costs: from the commit in PostgreSQL, by the trigger of `init --trigger`, to
//! the answer of a stand-in for Explo that takes 30 ms for each. Prints a table; takes about ten minutes.
//!
//! *Beyond* is the time from the end of the commit to the answer of the last call, less what the server itself took for the
//! calls of this tenant. How many calls there are is asserted; how long they take is not.
//!
//! `tests/run --bench wakes`, which starts PostgreSQL.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "it fails by panicking, and its result is printed")]
#![allow(clippy::panic, clippy::disallowed_methods, reason = "so does the database of tests, which reads a variable")]
#![allow(unreachable_pub, dead_code, reason = "the modules are shared with tests and other benches")]

#[path = "../suite/support/database.rs"]
mod database;
#[path = "wakes/explo.rs"]
mod explo;
mod loopback;
#[path = "wakes/quick.rs"]
mod quick;
#[path = "wakes/woken.rs"]
mod woken;

use std::{collections::BTreeMap, env, fmt, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use explo::Answered;
use woken::{Took, Woken};

/// Tenants with a customer each: the guard lets a tenth of them change within an hour.
const CUSTOMERS: usize = 10_000;

/// Calls per minute: so many that no call waits, those by default, and so many that very many sign-ups take a minute.
const UNPACED: u32 = 6_000_000;
const BY_DEFAULT: u32 = 120;
const BRISK: u32 = 1_200;

/// Changes one after the other, without and with the pacer.
const IDLE: usize = 200;
const IDLE_PACED: usize = 50;

/// Tenants of a first load, and how long it is watched.
const LOAD: usize = 5_000;
const WATCHED: Duration = Duration::from_secs(90);

/// Sign-ups at once, and how soon.
const FLOOD: u32 = 1_000;
const FLOODING: Duration = Duration::from_secs(10);

/// All is done once there was no call for so long.
const QUIET: Duration = Duration::from_secs(4);

/// How many of the calls in a row the highest rate is taken of.
const IN_A_ROW: usize = 100;

#[tokio::main]
async fn main() {
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    explo_sync::install_crypto();
    let [n, median, p99, beyond, beyond_p99] = ["n", "median", "p99", "beyond", "p99"];
    println!("{:<44} {n:>5} {median:>8} {p99:>8} {beyond:>8} {beyond_p99:>8}", "from commit to acknowledged, in ms");
    idle(UNPACED, IDLE, "idle").await;
    idle(BY_DEFAULT, IDLE_PACED, "idle, 120 calls a minute").await;
    first_load().await;
    flood().await;
    quick::measure().await;
}

/// Sign-ups and updates one after the other, while nothing else goes on.
async fn idle(rate: u32, changes: usize, when: &str) {
    let mut woken = Woken::start(CUSTOMERS, CUSTOMERS, rate, &[]).await;
    woken.daemon.says("run ended").await;
    woken.explo.take();
    // The slot of the last call is over, and each change has another place between two beats of the program.
    let pause = async |n: usize| {
        sleep(Duration::from_mins(1) / rate + Duration::from_millis(50 + 7 * (n as u64 % 13))).await;
    };
    let (mut signed_up, mut updated) = (Vec::new(), Vec::new());
    for n in 0..changes {
        pause(n).await;
        signed_up.push(woken.sign_up(n).await);
    }
    assert_eq!(counts(&woken.explo.take()), [("create_customer".to_owned(), changes)].into());
    for n in 0..changes {
        pause(n).await;
        updated.push(woken.update(n).await);
    }
    let calls = ["get_customer", "update_customer"].map(|endpoint| (endpoint.to_owned(), changes));
    assert_eq!(counts(&woken.explo.take()), calls.into());
    tell(&format!("sign-ups, {when}"), &signed_up);
    tell(&format!("updates, {when}"), &updated);
    woken.end().await;
}

/// Sign-ups while a first load goes on.
async fn first_load() {
    let settings = [("EXPLO_SYNC__GUARD__CREATE_FLOOR", "10000")];
    let mut woken = Woken::start(LOAD, 0, BY_DEFAULT, &settings).await;
    woken.explo.answered("create_customer", "tenant-").await;
    let (began, mut signed_up) = (Instant::now(), Vec::new());
    while began.elapsed() < WATCHED {
        let n = signed_up.len();
        signed_up.push(woken.sign_up(n).await);
        sleep(Duration::from_millis(1200 + 37 * (n as u64 % 14))).await;
    }
    let calls = woken.explo.take();
    for n in 0..signed_up.len() {
        assert_eq!(calls_of(&calls, &woken::new_id(n)), ["create_customer"], "sign-up {n}");
    }
    let pages = counts(&calls).remove("customers");
    assert!(pages == Some(1) && counts(&calls).len() == 2, "{:?}", counts(&calls));
    tell("sign-ups, a first load of 5,000 at 120", &signed_up);
    println!("the rate meanwhile: {}", Rate::of(&calls, BY_DEFAULT));
    woken.end().await;
}

/// Very many sign-ups at once.
async fn flood() {
    let mut woken = Woken::start(CUSTOMERS, CUSTOMERS, BRISK, &[]).await;
    woken.daemon.says("run ended").await;
    woken.explo.take();
    let began = Instant::now();
    for n in 0..FLOOD {
        sleep_until(began + FLOODING * n / FLOOD).await;
        woken.insert(&woken::new_id(n as usize)).await;
    }
    let took = began.elapsed();
    woken.explo.is_quiet(QUIET).await;
    let (calls, runs) = (woken.explo.take(), woken.daemon.said("run ended"));
    for n in 0..FLOOD {
        assert_eq!(calls_of(&calls, &woken::new_id(n as usize)), ["create_customer"], "sign-up {n}");
    }
    let pages = counts(&calls).remove("customers").unwrap_or_default();
    assert_eq!(calls.len(), FLOOD as usize + pages, "creates and pages, and nothing else: {:?}", counts(&calls));
    let least = CUSTOMERS.div_ceil(1000);
    assert!((runs * least..=runs * (least + 1)).contains(&pages), "{pages} pages in {runs} runs");
    println!(
        "1,000 sign-ups in {:.1} s beside 10,000: {FLOOD} creates, {pages} pages in {runs} runs; {}",
        took.as_secs_f64(),
        Rate::of(&calls, BRISK)
    );
    woken.end().await;
}

fn counts(calls: &[Answered]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.endpoint.clone()).or_default() += 1;
    }
    counts
}

/// The calls that name this tenant.
fn calls_of<'c>(calls: &'c [Answered], id: &str) -> Vec<&'c str> {
    calls.iter().filter(|call| call.is_about(id)).map(|call| &*call.endpoint).collect()
}

fn tell(what: &str, took: &[Took]) {
    let all = Times::of(took.iter().map(|took| took.all));
    let beyond = Times::of(took.iter().map(|took| took.all.saturating_sub(took.calls)));
    println!("{what:<44} {:>5} {all} {beyond}", took.len());
}

/// The median and the 99th percentile.
struct Times([Duration; 2]);

impl Times {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        Self([50, 99].map(|percent| times[(times.len() * percent).div_ceil(100) - 1]))
    }
}

impl fmt::Display for Times {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, p99] = self.0.map(|time| 1000.0 * time.as_secs_f64());
        write!(to, "{median:>8.1} {p99:>8.1}")
    }
}

/// How much of the configured rate was used from the first call to the last, and at most in a row.
struct Rate {
    used: f64,
    most: f64,
}

impl Rate {
    fn of(calls: &[Answered], configured: u32) -> Self {
        let interval = Duration::from_mins(1) / configured;
        let mut came: Vec<_> = calls.iter().map(|call| call.came).collect();
        came.sort_unstable();
        let percent = |times: &[Instant]| {
            let least = interval * u32::try_from(times.len() - 1).unwrap();
            100.0 * least.div_duration_f64(times[times.len() - 1] - times[0])
        };
        let most = came.windows(IN_A_ROW.min(came.len())).map(percent).fold(0.0, f64::max);
        Self { used: percent(&came), most }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:.1} % of it used, at most {:.1} % in {IN_A_ROW} calls", self.used, self.most)
    }
}

//! A run that compares with memory alone, beside one that lists all customers: nothing has changed.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, extract::Request};
use explo_sync::sandbox::{Api, Request as Call, Store};
use serde_json::{Value, json};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use super::{
    database::{Database, Kind},
    explo::LATENCY,
    loopback::{program, serve},
};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

const PER_PAGE: usize = 1000;

/// How often each is run: the median counts.
const RUNS: usize = 3;

const QUERY: &str = "select id as provided_id, name, emails, properties from tenants";

const ROWS: &str = "select lpad(n::text, 8, '0') || '-5f2c-4a7e-9a31-0123456789ab' as id,
    'Northwind Analytics ' || n as name,
    'ops' || n || '@tenant.example,billing' || n || '@tenant.example' as emails,
    json_build_object('account_id', 100000 + n, 'plan', 'enterprise', 'region', 'eu-west-1', 'seats', n % 500) as properties";

/// Runs a program, and prints its CPU seconds and its peak in MiB.
const MEASURED: &str = "
import os, sys
program = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(program, 0)
print()
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
";

/// What a run took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu: f64,
    peak: f64,
    wall: Duration,
    calls: usize,
}

/// Prints the calls of a quick run for each size, and for the largest its cost over that of a full one.
pub async fn measure() {
    let (mut made, mut costs) = (Vec::new(), None);
    for size in SIZES {
        let [full, quick] = cost(size).await;
        assert_eq!((full.calls, quick.calls), (size / PER_PAGE, 0), "of {size}");
        made.push(format!("{} ({})", quick.calls, full.calls));
        costs = Some((full, quick));
    }
    println!("calls of a quick run at 1k, 10k, 100k, 1M, beside (a full one): {}", made.join(", "));
    let (full, quick) = costs.unwrap();
    println!(
        "a quick run at 1M over a full one: CPU {:.2}, peak {:.2}, wall {:.2} ({:.2} s, {:.0} MiB and {:.2} s)",
        quick.cpu / full.cpu,
        quick.peak / full.peak,
        quick.wall.div_duration_f64(full.wall),
        quick.cpu,
        quick.peak,
        quick.wall.as_secs_f64()
    );
}

/// Of a full run and of a quick one.
async fn cost(size: usize) -> [Cost; 2] {
    let database = Database::new(Kind::Postgres).await;
    database.execute(&format!("create table tenants as {ROWS} from generate_series(0, {size} - 1) n")).await;
    database.execute("alter table tenants add primary key (id); analyze tenants").await;
    let calls = Arc::<AtomicUsize>::default();
    let made = Arc::clone(&calls);
    let url = serve(Router::new().fallback(async move |request: Request| {
        made.fetch_add(1, SeqCst);
        sleep(LATENCY).await;
        page(size, &request)
    }))
    .await;
    let run = async |list_every: &str| {
        calls.store(0, SeqCst);
        let directory = tempfile::tempdir().unwrap();
        let mut sync = program("sync", directory.path(), QUERY, &url);
        sync.env("DATABASE_URL", &database.url)
            .env("EXPLO_SYNC__LEDGER__URL", "source")
            .env("EXPLO_SYNC__EXPLO__LIST_EVERY", list_every);
        let began = Instant::now();
        let (cpu, peak) = measured(&sync).await;
        Cost { cpu, peak, wall: began.elapsed(), calls: calls.load(SeqCst) }
    };
    // The ledger gets its rows.
    run("0s").await;
    [median(&run, "0s").await, median(&run, "1h").await]
}

async fn median(run: &impl AsyncFn(&str) -> Cost, list_every: &str) -> Cost {
    let mut costs = Vec::new();
    for _ in 0..RUNS {
        costs.push(run(list_every).await);
    }
    costs.sort_unstable_by(|one, other| one.cpu.total_cmp(&other.cpu));
    costs[RUNS / 2]
}

async fn measured(command: &Command) -> (f64, f64) {
    let command = command.as_std();
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut python = Command::new("python3");
    python.args(["-c", MEASURED]).arg(command.get_program()).args(command.get_args());
    python.env_clear().envs(variables).stderr(Stdio::inherit());
    let output = python.output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let mut numbers = text.lines().last().unwrap().split(' ').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// A page of the listing; it takes no memory of the server's.
fn page(size: usize, request: &Request) -> String {
    let number = request.uri().query().unwrap().split('&').find_map(|part| part.strip_prefix("page="));
    let first = (number.unwrap().parse::<usize>().unwrap() - 1) * PER_PAGE;
    let customers = (first..size.min(first + PER_PAGE)).map(|n| serde_json::from_value(customer(n)).unwrap());
    let mut api = Api::new(Store::new(customers), 0);
    let path = format!("/v2/api/customers/?page=1&page_size={PER_PAGE}");
    let call = Call { method: "GET", path: &path, token: Some("t"), body: b"" };
    let mut page: Value = serde_json::from_slice(&api.answer(&call, Instant::now()).body).unwrap();
    page["total_count"] = json!(size);
    page.to_string()
}

fn customer(n: usize) -> Value {
    json!({
        "token": format!("0a7b1c2d-{n:08x}"),
        "provided_id": format!("{n:08}-5f2c-4a7e-9a31-0123456789ab"),
        "name": format!("Northwind Analytics {n}"),
        "emails": [format!("ops{n}@tenant.example"), format!("billing{n}@tenant.example")],
        "properties": {"account_id": 100_000 + n, "plan": "enterprise", "region": "eu-west-1", "seats": n % 500},
    })
}

//! A ledger that is locked, slow, full, read-only, or away for a while.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use explo_sync::{
    ledger::{Error, Refused, Writer, record_all},
    memory::{Entry, Overview, Remembered, Token},
    sandbox::Sandbox,
};
use rstest::rstest;
use serde_json::json;
use sqlx::{Connection, PgConnection, raw_sql};
use tokio::{
    process::Child,
    sync::mpsc::unbounded_channel,
    time::{Instant, sleep, timeout},
};

use super::{held, ids, world};
use crate::support::{Database, Kind, customer, endpoints, signal};

#[rstest]
// Read-only, full, a lock that took too long: each is over some time, and told with the way out.
#[case(1290, "name the primary in ledger.url")]
#[case(1836, "name the primary in ledger.url")]
#[case(1114, "the server is out of disk or memory: see its log")]
#[case(1205, "another session held what it needs: the next run tries again")]
// Another character set, too long, out of range, against a check in each server.
#[case(1366, "")]
#[case(1406, "")]
#[case(1264, "")]
#[case(3819, "")]
#[case(4025, "")]
#[tokio::test]
async fn a_row_is_at_fault_for_its_values_alone(#[case] number: u32, #[case] way_out: &str) {
    let (database, sandbox, program) = world(Kind::MySql, ids(0..3)).start().await;
    database.execute(&program.run(&["ledger", "--print-sql"]).await.stdout).await;
    let refuse = format!("signal sqlstate 'HY000' set mysql_errno = {number}, message_text = 'no'");
    database.execute(&format!("create trigger no before insert on explo_customers for each row {refuse}")).await;
    let (ended, report) = program.sync(&[]).await;
    let told = report["error"].as_str().unwrap_or_default();
    assert_eq!(ended, if way_out.is_empty() { 3 } else { 1 }, "{report}");
    assert!(told.contains(if way_out.is_empty() { "refuses or drops 3 row(s)" } else { way_out }), "{told}");
    assert!(database.tokens("default").await.is_empty());
    database.execute("drop trigger no").await;
    assert_eq!(program.sync(&[]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

#[rstest]
#[case(&["--max-changes", "0"])]
#[case(&[])]
#[tokio::test]
async fn what_is_not_recorded_is_the_exit_code_of_a_held_run_and_of_a_stopped_one(#[case] arguments: &[&str]) {
    let equal = customer(json!({"provided_id": "t-000", "name": "Name of t-000"}));
    let (database, _sandbox, program) = world(Kind::Sqlite, ids(0..3)).having([equal]).start().await;
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    database.execute("update explo_customers set token = 'another'").await;
    // Not the fault of a row.
    database.execute("create trigger broken before update on explo_customers begin select * from nowhere; end").await;
    let held = if arguments.is_empty() { "1" } else { "100" };
    let cautious = program.with("EXPLO_SYNC__GUARD__CREATE_FLOOR", held);
    let (code, report) = cautious.sync(arguments).await;
    assert_eq!((code, report["held"].as_array().unwrap().len()), (1, usize::from(arguments.is_empty())), "{report}");
    assert!(report["error"].as_str().unwrap().contains("the ledger in"), "{report}");
}

/// Takes nothing until a moment, and only portions without this customer for the first time.
struct Broken {
    until: Instant,
    refused_once: RefCell<BTreeSet<String>>,
    tries: RefCell<usize>,
    taken: RefCell<Vec<String>>,
}

impl Broken {
    fn new(until: Instant, refused_once: &[&str]) -> Self {
        let refused_once = RefCell::new(refused_once.iter().map(|id| (*id).to_owned()).collect());
        Self { until, refused_once, tries: RefCell::default(), taken: RefCell::default() }
    }
}

impl Writer for Broken {
    async fn record(&self, entries: &[Entry]) -> Result<Refused, Error> {
        *self.tries.borrow_mut() += 1;
        assert!(entries.len() <= 2000, "{} at once", entries.len());
        let refused = entries.iter().filter(|entry| self.refused_once.borrow_mut().remove(&entry.provided_id)).count();
        if Instant::now() < self.until || refused > 0 {
            return Err(Error::Failed { place: "nowhere".to_owned(), cause: "away".to_owned() });
        }
        self.taken.borrow_mut().extend(entries.iter().map(|entry| entry.provided_id.clone()));
        Ok(Refused::new())
    }

    async fn overview(&self, _: &Overview) -> Result<(), Error> {
        Ok(())
    }

    async fn keep(&self, _: &str, _: &str) -> Result<bool, Error> {
        Ok(true)
    }
}

fn entry(provided_id: String, former: Option<&str>) -> Entry {
    let former = former.map(str::to_owned);
    Entry {
        provided_id,
        former,
        token: Token::Kept,
        remembered: Remembered::default(),
        is_synced: true,
        is_back: false,
        is_deleted: false,
    }
}

#[tokio::test(start_paused = true)]
async fn during_an_outage_the_pauses_grow_and_after_it_everything_is_recorded_once() {
    let (began, (sender, entries)) = (Instant::now(), unbounded_channel());
    let broken = Broken::new(began + Duration::from_mins(5), &[]);
    let run = async move {
        for burst in 0..100 {
            (0..500).for_each(|n| drop(sender.send(entry(format!("{burst:02}-{n:03}"), None).into())));
            sleep(Duration::from_secs(4)).await;
        }
    };
    let (recorded, ()) = tokio::join!(record_all(&broken, entries), run);
    recorded.unwrap();
    let taken = broken.taken.into_inner();
    assert_eq!((taken.len(), taken.into_iter().collect::<BTreeSet<_>>().len()), (50_000, 50_000));
    // 14 in vain, as many for what came meanwhile, then a batch for each burst.
    assert!(*broken.tries.borrow() < 80, "{} tries", broken.tries.borrow());
}

#[tokio::test]
async fn what_is_recorded_is_not_recorded_again_when_the_rest_fails_and_a_rename_comes_last() {
    let (sender, entries) = unbounded_channel();
    (0..5000).for_each(|n| drop(sender.send(entry(format!("{n:04}"), None).into())));
    drop(sender.send(entry("000-new".to_owned(), Some("4999")).into()));
    drop(sender);
    let broken = Broken::new(Instant::now(), &["3000"]);
    record_all(&broken, entries).await.unwrap();
    let taken = broken.taken.into_inner();
    assert_eq!((taken.len(), &*taken[5000]), (5001, "000-new"));
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>().len(), 5001);
}

#[tokio::test]
async fn the_longest_silence_bounds_a_row_and_a_statement_and_not_the_whole() {
    let (database, sandbox, program) = world(Kind::Postgres, ids(0..700)).start().await;
    let program = program.with("EXPLO_SYNC__SOURCE__TIMEOUT", "2s");
    let slow = "create view slow as select 'default'::text as instance, n::text as provided_id, \
                repeat('x', 20000) as unsettled, pg_sleep(0.5)::text as slept from generate_series(1, 6) n";
    database.execute(slow).await;
    let reader = program.clone().with("EXPLO_SYNC__LEDGER__TABLE", "slow");
    assert_eq!(reader.sync(&["--dry-run"]).await.0, 0);

    assert_eq!(program.sync(&["--max-changes", "0", "--allow", "create=700"]).await.0, 75);
    let function = "create function slow() returns trigger as $$ begin perform pg_sleep(0.8); return null; end $$";
    database.execute(&format!("{function} language plpgsql")).await;
    let trigger = "create trigger slow before insert on explo_customers execute function slow()";
    database.execute(trigger).await;
    let (code, report) = program.sync(&["--allow", "create=700"]).await;
    assert_eq!((code, &report["error"]), (0, &json!(null)), "{report}");
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

/// Locks the table until it is dropped.
async fn lock(database: &Database) -> PgConnection {
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    raw_sql("begin; lock table explo_customers in access exclusive mode").execute(&mut connection).await.unwrap();
    connection
}

/// Waits for a call to this endpoint.
async fn asked(sandbox: &Sandbox, endpoint: &str) {
    while !endpoints(&sandbox.take_calls()).contains(&endpoint) {
        sleep(Duration::from_millis(5)).await;
    }
}

async fn ends(mut child: Child) -> Option<i32> {
    timeout(Duration::from_secs(10), child.wait()).await.unwrap().unwrap().code()
}

#[tokio::test]
async fn who_stops_does_not_wait_for_a_locked_table() {
    let (database, sandbox, program) = world(Kind::Postgres, ids(0..3)).start().await;
    assert_eq!(program.sync(&["--max-changes", "0"]).await.0, 75);
    let locked = lock(&database).await;
    drop(sandbox.take_calls());
    for arguments in [&["sync"][..], &["sync", "--dry-run"]] {
        let child = program.start(arguments);
        sleep(Duration::from_secs(1)).await;
        signal(&child, "-TERM").await;
        assert_eq!(ends(child).await, Some(75), "nothing was done: {arguments:?}");
    }
    assert!(sandbox.take_calls().is_empty());
    drop(locked);

    // The table was read, and is locked when the first batch comes.
    let slow = program.with("EXPLO_SYNC__EXPLO__REQUESTS_PER_MINUTE", "60");
    let child = slow.start(&["sync"]);
    asked(&sandbox, "customers").await;
    let locked = lock(&database).await;
    asked(&sandbox, "create_customer").await;
    signal(&child, "-INT").await;
    sleep(Duration::from_millis(500)).await;
    signal(&child, "-INT").await;
    assert_eq!(ends(child).await, Some(1), "what it did is not in the ledger");
    drop(locked);
    assert_eq!(slow.sync(&[]).await.0, 0);
    assert_eq!(database.tokens("default").await, held(&sandbox));
}

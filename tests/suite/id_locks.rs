//! One change at a time per id, beside the lock of a run or without it.

use std::{cell::Cell, os::unix::fs::PermissionsExt, time::Duration};

use explo_sync::{
    database::lock::{IdLocks, IdsAttempt, OwnIdLocks, ids},
    stop::Stop,
};
use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rstest::rstest;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use crate::{
    lock::{LONG, ONCE, Way, is_busy, is_lost, lock, postgres, source, take_away},
    support::{Database, Kind, Pooler},
};

/// One try.
const NOW: Duration = Duration::ZERO;

/// Where the locks are.
#[derive(Debug, Clone, Copy)]
enum At {
    Postgres,
    Pooler,
    MySql,
    Sqlite,
}

impl At {
    /// A fresh database, and the way to it.
    async fn start(self) -> (Database, Option<Pooler>, String) {
        let kind = match self {
            Self::Postgres => return postgres(false).await,
            Self::Pooler => return postgres(true).await,
            Self::MySql => Kind::MySql,
            Self::Sqlite => Kind::Sqlite,
        };
        let database = Database::new(kind).await;
        let url = database.url.clone();
        (database, None, url)
    }
}

async fn attempt(url: &str, prefix: &str, stop: &Stop) -> IdsAttempt {
    let source = source(url);
    ids(source.server(), prefix, ONCE, stop).await.unwrap()
}

/// The locks of another process.
async fn own(url: &str, prefix: &str) -> OwnIdLocks {
    match attempt(url, prefix, &Stop::default()).await {
        IdsAttempt::Ready(own) => own,
        other => panic!("{other:?}"),
    }
}

async fn is_free(locks: &IdLocks, id: &str) -> bool {
    locks.acquire(id, NOW).await.is_some()
}

#[rstest]
#[tokio::test]
async fn an_id_is_held_by_one_task_of_one_process_and_other_ids_are_free(
    #[values(At::Postgres, At::Pooler, At::MySql, At::Sqlite)] at: At,
) {
    let (_database, _pooler, url) = at.start().await;
    let (one, other, another) = (own(&url, "default").await, own(&url, "default").await, own(&url, "another").await);
    let held = one.locks().acquire("acme", NOW).await.unwrap();
    assert!(!is_free(other.locks(), "acme").await, "another process");
    assert!(!is_free(&one.locks().clone(), "acme").await, "the same process");
    assert!(is_free(other.locks(), "Acme").await && is_free(one.locks(), "").await, "other ids");
    assert!(is_free(another.locks(), "acme").await, "another instance");
    assert!(!is_free(other.locks(), "acme").await, "those who tried took nothing");
    drop(held);
    let begun = Instant::now();
    let taken = other.locks().acquire("acme", LONG).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "free at once");
    assert!(!is_free(one.locks(), "acme").await);
    other.release().await;
    assert!(is_free(one.locks(), "acme").await, "free when release returns");
    drop(taken);
    assert!(is_free(one.locks(), "acme").await && !one.lost().is_cancelled());
}

#[rstest]
#[tokio::test]
async fn whoever_waits_gets_the_id_when_it_is_dropped_or_nothing_at_the_end_of_the_wait(
    #[values(At::Postgres, At::MySql, At::Sqlite)] at: At,
) {
    let (_database, _pooler, url) = at.start().await;
    let (one, other) = (own(&url, "default").await, own(&url, "default").await);
    for locks in [one.locks(), other.locks()] {
        let held = one.locks().acquire("acme", NOW).await.unwrap();
        let (begun, wait) = (Instant::now(), Duration::from_millis(500));
        assert!(locks.acquire("acme", wait).await.is_none());
        assert!(begun.elapsed() >= wait && begun.elapsed() < wait * 3, "{:?}", begun.elapsed());
        let waiting = locks.acquire("acme", Duration::MAX);
        tokio::pin!(waiting);
        assert!(timeout(wait, &mut waiting).await.is_err(), "it waits");
        drop(held);
        assert!(timeout(LONG, waiting).await.unwrap().is_some());
    }
}

#[rstest]
#[tokio::test]
async fn ids_share_the_connections_of_a_run_and_are_released_with_it(
    #[values(At::Postgres, At::Pooler, At::MySql, At::Sqlite)] at: At,
) {
    let (database, _pooler, url) = at.start().await;
    let other = own(&url, "default").await;
    let connections = async || match at {
        At::Postgres => {
            let all = "select application_name from pg_stat_activity where datname = current_database()
                and application_name = 'explo-sync' and pid <> pg_backend_pid()";
            database.rows(all).await.len()
        }
        At::MySql => {
            let all = "select cast(id as char) from information_schema.processlist
                where db = database() and id <> connection_id()";
            database.rows(all).await.len()
        }
        At::Pooler | At::Sqlite => 0,
    };
    // The lock of the daemons: the ids have the name of the lock of the runs.
    let run = lock(&url, "default~daemon", ONCE).await;
    let before = connections().await;
    let locks = run.ids("default");
    let held = join_all(["a", "b", "c", "d"].map(|id| locks.acquire(id, NOW))).await;
    assert!(held.iter().all(Option::is_some), "{held:?}");
    assert_eq!(connections().await, before);
    for id in ["a", "b", "c", "d"] {
        assert!(!is_free(other.locks(), id).await && !is_free(&run.ids("default"), id).await, "{id}");
    }
    drop(held);
    let last = locks.acquire("a", LONG).await;
    assert!(other.locks().acquire("d", LONG).await.is_some() && !is_free(other.locks(), "a").await);
    assert!(is_busy(&url, "default~daemon").await, "it outlives the ids");
    run.release().await;
    assert!(is_free(other.locks(), "a").await && !is_busy(&url, "default~daemon").await);
    assert!(locks.acquire("a", LONG).await.is_none() && locks.acquire("b", LONG).await.is_none(), "it is over");
    drop(last);
}

#[rstest]
#[tokio::test]
async fn what_is_held_outlives_renewals_and_the_end_of_other_locks_while_others_try_for_it(
    #[values(At::Postgres, At::Pooler, At::MySql, At::Sqlite)] at: At,
) {
    let (database, _pooler, url) = at.start().await;
    let (run, other) = (lock(&url, "default", ONCE).await, own(&url, "default").await);
    let locks = run.ids("default");
    let (begun, tried) = (Instant::now(), Cell::new(0));
    let goes_on = || begun.elapsed() < Duration::from_secs(8);
    let _held = locks.acquire("held", NOW).await.unwrap();
    let trying = async {
        while goes_on() {
            assert!(!is_free(other.locks(), "held").await, "it is held all the time");
            tried.set(tried.get() + 1);
        }
    };
    let trying_for_all = async {
        while goes_on() {
            assert!(is_busy(&url, "default").await, "it is held all the time");
        }
    };
    let coming_and_going = async |id: &'static str| {
        while goes_on() {
            let held = locks.acquire(id, LONG).await.unwrap();
            sleep(Duration::from_millis(7)).await;
            drop(held);
        }
    };
    let looking = async {
        while goes_on() && database.kind == Kind::Postgres {
            let old = "select cast(now() - xact_start as text) from pg_stat_activity
                where datname = current_database() and application_name = 'explo-sync'
                and now() - xact_start > interval '4 s'";
            assert_eq!(database.rows(old).await, Vec::<Vec<_>>::new(), "transactions are young");
            sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::join!(trying, trying_for_all, looking, coming_and_going("x"), coming_and_going("y"));
    assert!(tried.get() > 200, "{tried:?}");
    assert!(!run.lost().is_cancelled() && !other.lost().is_cancelled());
}

#[rstest]
#[tokio::test]
async fn of_many_that_want_an_id_one_has_it(#[values(At::Postgres, At::Pooler, At::MySql, At::Sqlite)] at: At) {
    let (_database, _pooler, url) = at.start().await;
    let processes = [own(&url, "default").await, own(&url, "default").await, own(&url, "default").await];
    let (holders, turns) = (Cell::new(0), Cell::new(0));
    let wanting = processes.iter().flat_map(|process| [process.locks(); 3]).map(async |locks| {
        for _ in 0..5 {
            let held = locks.acquire("acme", LONG).await.unwrap();
            holders.set(holders.get() + 1);
            assert_eq!(holders.get(), 1, "one at a time");
            sleep(Duration::from_millis(5)).await;
            holders.set(holders.get() - 1);
            drop(held);
            turns.set(turns.get() + 1);
            sleep(Duration::from_millis(30)).await;
        }
    });
    join_all(wanting).await;
    assert_eq!(turns.get(), 45);
}

#[rstest]
#[tokio::test]
async fn an_attempt_that_is_given_up_holds_nothing(#[values(At::Postgres, At::Pooler, At::MySql, At::Sqlite)] at: At) {
    let (_database, _pooler, url) = at.start().await;
    let (one, other) = (own(&url, "default").await, own(&url, "default").await);
    let mut random = SmallRng::seed_from_u64(7);
    for _ in 0..300 {
        let impatience = Duration::from_micros(random.random_range(0..4000));
        let (id, locks) = (["a", "b"][random.random_range(0..2)], [&one, &other][random.random_range(0..2)].locks());
        drop(timeout(impatience, locks.acquire(id, LONG)).await);
    }
    for locks in [one.locks(), other.locks()] {
        assert!(locks.acquire("a", LONG).await.is_some() && locks.acquire("b", LONG).await.is_some());
    }
}

#[rstest]
#[tokio::test]
async fn ids_that_were_taken_away_with_the_lock_are_free_and_their_holder_notices(
    #[values(At::Postgres, At::MySql, At::Sqlite)] at: At,
) {
    let (database, _pooler, url) = at.start().await;
    let loser = lock(&url, "default", ONCE).await;
    let locks = loser.ids("default");
    let held = locks.acquire("acme", NOW).await.unwrap();
    take_away(&database).await;
    let other = own(&url, "default").await;
    let taken = other.locks().acquire("acme", LONG).await.unwrap();
    assert!(is_lost(&loser, LONG).await);
    assert!(locks.acquire("another", LONG).await.is_none());
    drop(held);
    loser.release().await;
    assert!(!is_free(own(&url, "default").await.locks(), "acme").await, "a loser takes nothing from the winner");
    drop(taken);
    assert!(!other.lost().is_cancelled());
}

#[rstest]
#[tokio::test]
async fn an_id_that_lost_one_of_its_keys_is_lost_and_free(#[values("min", "max")] which: &str) {
    let (database, _pooler, url) = At::Postgres.start().await;
    let (loser, winner) = (own(&url, "default").await, own(&url, "default").await);
    let _held = loser.locks().acquire("acme", NOW).await.unwrap();
    let terminate = format!(
        "select pg_terminate_backend({which}(pid)) from pg_locks where locktype = 'advisory'
         and database = (select oid from pg_database where datname = current_database())"
    );
    database.execute(&terminate).await;
    let _taken = winner.locks().acquire("acme", LONG).await.unwrap();
    assert!(loser.lost().is_cancelled(), "nobody gets the other key before its holder gave it up");
    assert!(!winner.lost().is_cancelled());
}

#[rstest]
#[tokio::test]
async fn a_silent_connection_loses_the_ids_and_a_broken_one_frees_them(
    #[values(Kind::Postgres, Kind::MySql)] kind: Kind,
) {
    let (database, way) = (Database::new(kind).await, Way::default());
    let loser = own(&way.to(&database.url).await, "default").await;
    let _held = loser.locks().acquire("acme", NOW).await.unwrap();
    way.stalled.cancel();
    assert!(loser.locks().acquire("another", LONG).await.is_none());
    assert!(loser.lost().is_cancelled());
    way.cut.cancel();
    assert!(own(&database.url, "default").await.locks().acquire("acme", LONG).await.is_some());
}

#[tokio::test]
async fn the_transactions_that_hold_ids_hold_up_nothing_else_and_without_ids_there_is_none() {
    let (database, _pooler, url) = At::Postgres.start().await;
    database.execute("create table tenants (id text)").await;
    let own = own(&url, "default").await;
    let held = [own.locks().acquire("a", NOW).await, own.locks().acquire("b", NOW).await];
    let check = "do $$ begin
            assert (select count(*) = 4 and count(distinct pid) = 2
                    and bool_and(state = 'idle in transaction' and backend_xmin is null and backend_xid is null)
                from pg_stat_activity join pg_locks using (pid)
                where locktype = 'advisory' and datname = current_database());
        end $$; drop table tenants";
    database.execute(check).await;
    drop(held);
    let open = "select state from pg_stat_activity where datname = current_database()
        and application_name = 'explo-sync' and state <> 'idle'";
    let begun = Instant::now();
    while !database.rows(open).await.is_empty() {
        assert!(begun.elapsed() < LONG, "a transaction for nothing");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn without_locks_ids_exclude_each_other_within_the_process() {
    let (locks, another) = (IdLocks::of_process(), IdLocks::of_process());
    let held = locks.acquire("acme", NOW).await.unwrap();
    assert!(!is_free(&locks.clone(), "acme").await && is_free(&locks, "another").await);
    assert!(is_free(&another, "acme").await, "only clones share them");
    let waiting = locks.acquire("acme", LONG);
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_millis(50), &mut waiting).await.is_err());
    drop(held);
    let held = waiting.await.unwrap();
    assert!(locks.acquire("acme", Duration::from_millis(50)).await.is_none());
    drop(held);
    assert!(is_free(&locks, "acme").await);
}

#[tokio::test]
async fn a_database_without_locks_is_told_and_a_stop_ends_the_attempt() {
    let (database, _pooler, url) = At::Postgres.start().await;
    let role = format!("limited_{}", uuid::Uuid::now_v7().simple());
    let limit = format!(
        "revoke execute on function pg_try_advisory_xact_lock(bigint) from public;
         create role {role} login password 'secret'"
    );
    database.execute(&limit).await;
    let mut limited = Url::parse(&url).unwrap();
    limited.set_username(&role).unwrap();
    limited.set_password(Some("secret")).unwrap();
    for (url, told) in [(limited.as_str(), "permission denied"), ("sqlite:///proc/version", "/proc/version@default")] {
        match attempt(url, "default", &Stop::default()).await {
            IdsAttempt::Unavailable(reason) => assert!(reason.contains(told), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    database.execute(&format!("drop role {role}")).await;
    let stop = Stop::default();
    stop.cut();
    assert!(matches!(attempt(&url, "default", &stop).await, IdsAttempt::Stopped));
}

#[tokio::test]
async fn ids_of_a_sqlite_database_share_files_that_stay_and_are_never_links() {
    let (database, _pooler, url) = At::Sqlite.start().await;
    let directory = database.file().parent().unwrap().to_owned();
    let files = || {
        let names = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap());
        names.filter(|entry| entry.file_name().to_str().unwrap().contains("@default.ids-")).collect::<Vec<_>>()
    };
    let (one, other) = (own(&url, "default").await, own(&url, "default").await);
    for id in 0..500 {
        assert!(is_free(one.locks(), &id.to_string()).await, "{id}");
    }
    assert_eq!(files().len(), 64);
    for file in files() {
        assert_eq!((file.metadata().unwrap().permissions().mode() & 0o777, file.metadata().unwrap().len()), (0o600, 0));
    }
    let _held = one.locks().acquire("0", LONG).await.unwrap();
    let mut busy = Vec::new();
    for id in 0..500 {
        if !is_free(other.locks(), &id.to_string()).await {
            busy.push(id.to_string());
        }
    }
    assert!((2..40).contains(&busy.len()), "{busy:?}");
    assert!(is_free(one.locks(), &busy[1]).await, "ids with one file do not exclude each other within a process");

    for file in files() {
        std::fs::remove_file(file.path()).unwrap();
        std::os::unix::fs::symlink("/dangling", file.path()).unwrap();
    }
    match attempt(&url, "default", &Stop::default()).await {
        IdsAttempt::Unavailable(reason) => assert!(reason.contains(".ids-"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

//! One run at a time per source database, instance and Explo.

use std::{
    cell::Cell,
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use explo_sync::{
    database::lock::{Attempt, Lock, Timing, acquire, name},
    source::{Error, Sql, SqlSettings},
    stop::Stop,
};
use rstest::rstest;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::support::{Database, Kind, Pooler, Program, sandbox, settings};

/// Longer than anything here takes.
pub(super) const LONG: Duration = Duration::from_secs(20);
/// One try, and pings that a test can wait for.
pub(super) const ONCE: Timing = Timing { wait: Duration::ZERO, ping_every: Duration::from_millis(300) };
/// As long as it takes.
const PATIENT: Timing = Timing { wait: LONG, ..ONCE };

pub(super) fn source(url: &str) -> Sql {
    Sql::new(SqlSettings { timeout: LONG, ..settings(url, "select 1") }).unwrap()
}

async fn attempt(url: &str, instance: &str, timing: Timing) -> Result<Attempt, Error> {
    let source = source(url);
    acquire(source.server(), instance, timing, &Stop::default()).await.map_err(|error| source.told(&error))
}

/// The lock, which must be free within the timing.
pub(super) async fn lock(url: &str, instance: &str, timing: Timing) -> Lock {
    match attempt(url, instance, timing).await {
        Ok(Attempt::Acquired(lock)) => lock,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn is_busy(url: &str, instance: &str) -> bool {
    match attempt(url, instance, ONCE).await {
        Ok(Attempt::Busy) => true,
        Ok(Attempt::Acquired(lock)) => {
            lock.release().await;
            false
        }
        other => panic!("{other:?}"),
    }
}

pub(super) async fn is_lost(lock: &Lock, within: Duration) -> bool {
    timeout(within, lock.lost().cancelled()).await.is_ok()
}

/// Takes the lock from whoever holds it, as an administrator would.
pub(super) async fn take_away(database: &Database) {
    match database.kind {
        Kind::Postgres => {
            let terminate = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
                and database = (select oid from pg_database where datname = current_database())";
            database.execute(terminate).await;
        }
        Kind::MySql => {
            let kill = "set @kill = (select concat('kill ', id) from information_schema.processlist
                where db = database() and id <> connection_id());
                prepare its_end from @kill; execute its_end";
            database.execute(kill).await;
        }
        Kind::Sqlite => std::fs::remove_file(format!("{}@default.lock", database.file().display())).unwrap(),
    }
}

#[rstest]
#[tokio::test]
async fn a_held_lock_excludes_the_same_instance_in_the_same_database_alone(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let (database, other) = (Database::new(kind).await, Database::new(kind).await);
    let held = lock(&database.url, "default", ONCE).await;
    assert!(is_busy(&database.url, "default").await);
    for instance in ["Default", "default.", "default-2", "d", &"x".repeat(64)] {
        assert!(!is_busy(&database.url, instance).await, "{instance} is another instance");
    }
    assert!(!is_busy(&other.url, "default").await, "another database");
    assert!(is_busy(&database.url, "default").await, "those who came later took nothing");
    assert!(!is_lost(&held, Duration::from_secs(1)).await, "a lock outlives its pings");
    held.release().await;
    assert!(!is_busy(&database.url, "default").await, "free when release returns");
}

#[rstest]
#[tokio::test]
async fn a_dropped_lock_is_free(#[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind) {
    let database = Database::new(kind).await;
    drop(lock(&database.url, "default", ONCE).await);
    lock(&database.url, "default", PATIENT).await;
}

#[rstest]
#[tokio::test]
async fn a_lock_that_was_taken_away_is_free_and_its_holder_notices(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let database = Database::new(kind).await;
    let loser = lock(&database.url, "default", ONCE).await;
    take_away(&database).await;
    let winner = lock(&database.url, "default", PATIENT).await;
    assert!(is_lost(&loser, LONG).await);
    loser.release().await;
    assert!(!is_lost(&winner, Duration::from_secs(1)).await);
    assert!(is_busy(&database.url, "default").await, "a loser that lets go takes nothing from the winner");
}

#[rstest]
#[tokio::test]
async fn a_waiting_run_gets_the_lock_when_it_is_let_go(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let database = Database::new(kind).await;
    let first = lock(&database.url, "default", ONCE).await;
    let second = lock(&database.url, "default", PATIENT);
    tokio::pin!(second);
    assert!(timeout(Duration::from_millis(1500), &mut second).await.is_err(), "it waits");
    first.release().await;
    timeout(LONG, second).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_wait_ends_at_its_time_or_when_a_stop_is_asked_for(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let database = Database::new(kind).await;
    let _held = lock(&database.url, "default", ONCE).await;
    let begun = Instant::now();
    let wait = Duration::from_millis(1500);
    let ended = attempt(&database.url, "default", Timing { wait, ..ONCE }).await;
    assert!(matches!(ended, Ok(Attempt::Busy)), "{ended:?}");
    assert!(begun.elapsed() >= wait);

    let (source, stop) = (source(&database.url), Stop::default());
    let forever = Timing { wait: Duration::MAX, ..ONCE };
    let waiting = acquire(source.server(), "default", forever, &stop);
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_millis(500), &mut waiting).await.is_err(), "it waits");
    let request = stop.clone();
    tokio::spawn(async move { request.request("a test").await });
    let ended = timeout(LONG, waiting).await.unwrap();
    assert!(matches!(ended, Ok(Attempt::Stopped)), "{ended:?}");
}

/// A way to a server that can go bad: closed when `cut`, silent when `stalled`.
#[derive(Clone, Default)]
pub(super) struct Way {
    pub(super) cut: CancellationToken,
    pub(super) stalled: CancellationToken,
}

impl Way {
    /// The URL that goes this way.
    pub(super) async fn to(&self, url: &str) -> String {
        let mut url = Url::parse(url).unwrap();
        let server = (url.host_str().unwrap().to_owned(), url.port().unwrap());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let way = self.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (way, mut far) = (way.clone(), TcpStream::connect(&server).await.unwrap());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        () = way.cut.cancelled() => {}
                        () = way.stalled.cancelled() => way.cut.cancelled().await,
                    }
                });
            }
        });
        url.to_string()
    }
}

#[rstest]
#[tokio::test]
async fn a_silent_connection_loses_the_lock_and_a_broken_one_frees_it(
    #[values(Kind::Postgres, Kind::MySql)] kind: Kind,
) {
    let (database, way) = (Database::new(kind).await, Way::default());
    let held = lock(&way.to(&database.url).await, "default", ONCE).await;
    way.stalled.cancel();
    assert!(is_lost(&held, LONG).await);
    way.cut.cancel();
    lock(&database.url, "default", PATIENT).await;
}

#[rstest]
#[tokio::test]
async fn a_database_that_goes_away_is_a_connect_error(#[values(Kind::Postgres, Kind::MySql)] kind: Kind) {
    let (database, way) = (Database::new(kind).await, Way::default());
    let _held = lock(&database.url, "default", ONCE).await;
    let url = way.to(&database.url).await;
    let waiting = attempt(&url, "default", PATIENT);
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_millis(500), &mut waiting).await.is_err(), "it waits");
    way.cut.cancel();
    let ended = waiting.await;
    assert!(matches!(ended, Err(Error::Connect { .. })), "{ended:?}");
}

#[rstest]
#[case("postgres://nobody:secret@127.0.0.1:1/tenants", "127.0.0.1:1/tenants: ")]
#[case("mysql://nobody:secret@127.0.0.1:1/tenants", "127.0.0.1:1/tenants: ")]
#[case("sqlite:///nowhere/tenants.db", "sqlite:/nowhere/tenants.db: ")]
#[tokio::test]
async fn a_database_that_is_not_there_is_a_connect_error(#[case] url: &str, #[case] named: &str) {
    explo_sync::install_crypto();
    let error = attempt(url, "default", PATIENT).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(error.to_string().contains(named) && !error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn the_transactions_that_hold_the_lock_hold_up_nothing_else() {
    let database = Database::new(Kind::Postgres).await;
    database.execute("create table tenants (id text)").await;
    let _held = lock(&database.url, "default", Timing::default()).await;
    let check = "do $$ begin
            assert (select count(*) = 2
                    and bool_and(state = 'idle in transaction' and backend_xmin is null and backend_xid is null)
                from pg_stat_activity join pg_locks using (pid)
                where locktype = 'advisory' and datname = current_database());
        end $$; drop table tenants";
    database.execute(check).await;
}

/// PostgreSQL, directly or through a transaction pooler, and the way to it.
pub(super) async fn postgres(is_pooled: bool) -> (Database, Option<Pooler>, String) {
    let database = Database::new(Kind::Postgres).await;
    if is_pooled {
        let pooler = Pooler::start(&database, "transaction").await;
        let url = pooler.to(&database);
        return (database, Some(pooler), url);
    }
    let url = database.url.clone();
    (database, None, url)
}

#[rstest]
#[tokio::test]
async fn a_lock_outlives_its_transactions_and_is_never_handed_to_another(#[values(false, true)] is_pooled: bool) {
    let (database, _pooler, url) = postgres(is_pooled).await;
    let held = lock(&url, "default", Timing { ping_every: Duration::from_secs(1), ..ONCE }).await;
    let begun = Instant::now();
    let asking = async {
        while begun.elapsed() < Duration::from_secs(10) {
            assert!(is_busy(&url, "default").await, "it is held all the time");
        }
    };
    let looking = async {
        while begun.elapsed() < Duration::from_secs(10) {
            let old = "select cast(now() - xact_start as text) from pg_stat_activity
                where datname = current_database() and application_name = 'explo-sync'
                and now() - xact_start > interval '6 s'";
            assert_eq!(database.rows(old).await, Vec::<Vec<_>>::new(), "transactions are young");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::join!(asking, looking);
    assert!(!held.lost().is_cancelled());
    held.release().await;
    assert!(!is_busy(&url, "default").await, "free when release returns");
}

#[rstest]
#[tokio::test]
async fn of_many_that_want_the_lock_one_has_it(#[values(false, true)] is_pooled: bool) {
    let (_database, _pooler, url) = postgres(is_pooled).await;
    let (holders, turns) = (Cell::new(0), Cell::new(0));
    let want = async || {
        let timing = Timing { wait: Duration::from_mins(2), ping_every: Duration::from_millis(200) };
        let held = lock(&url, "default", timing).await;
        holders.set(holders.get() + 1);
        assert_eq!(holders.get(), 1, "one at a time");
        tokio::time::sleep(Duration::from_millis(700)).await;
        holders.set(holders.get() - 1);
        held.release().await;
        turns.set(turns.get() + 1);
    };
    tokio::join!(want(), want(), want(), want());
    assert_eq!(turns.get(), 4);
}

#[rstest]
#[tokio::test]
async fn a_lock_that_lost_one_of_its_keys_is_lost_and_free(#[values("min", "max")] which: &str) {
    let database = Database::new(Kind::Postgres).await;
    let loser = lock(&database.url, "default", ONCE).await;
    let terminate = format!(
        "select pg_terminate_backend({which}(pid)) from pg_locks where locktype = 'advisory'
         and database = (select oid from pg_database where datname = current_database())"
    );
    database.execute(&terminate).await;
    let winner = lock(&database.url, "default", PATIENT).await;
    assert!(loser.lost().is_cancelled(), "nobody gets the other key before its holder gave it up");
    assert!(!is_lost(&winner, Duration::from_secs(1)).await);
}

#[tokio::test]
async fn a_holder_that_is_killed_behind_a_pooler_leaves_no_lock_there() {
    let (database, _pooler, url) = postgres(true).await;
    let sandbox = sandbox([]).await;
    let program = Program::between(&database, &sandbox, "select 'a' as provided_id, 'Ann' as name");
    let program = program.with("DATABASE_URL", &url).with("EXPLO_SYNC__OPS__LISTEN", "127.0.0.1:0");
    let mut child = program.start(&["run"]);
    let held = "select 1::text from pg_locks join pg_database on oid = database
        where locktype = 'advisory' and datname = current_database()";
    while database.rows(held).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    child.kill().await.unwrap();
    let begun = Instant::now();
    while !database.rows(held).await.is_empty() {
        assert!(begun.elapsed() < LONG, "the pooler keeps it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_permit_the_lock_cannot_hold_one() {
    let database = Database::new(Kind::Postgres).await;
    let role = format!("limited_{}", uuid::Uuid::now_v7().simple());
    let limit = format!(
        "revoke execute on function pg_try_advisory_xact_lock(bigint) from public;
         create role {role} login password 'secret'"
    );
    database.execute(&limit).await;
    let mut url = Url::parse(&database.url).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("secret")).unwrap();
    match attempt(url.as_str(), "default", PATIENT).await {
        Ok(Attempt::Unavailable(reason)) => assert!(reason.contains("permission denied"), "{reason}"),
        other => panic!("{other:?}"),
    }
    database.execute(&format!("drop role {role}")).await;
}

/// Every file of a directory.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[tokio::test]
async fn a_sqlite_database_gets_an_empty_file_beside_it_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    // The lock does not even open them, so it matters not what they hold.
    let present = ["tenants.db", "tenants.db-wal", "other.db"].map(|name| directory.path().join(name));
    for path in &present {
        std::fs::write(path, "as it was").unwrap();
    }
    let mut expected = contents(directory.path());
    let url = format!("sqlite://{}", present[0].display());
    let held = lock(&url, "default", ONCE).await;
    let beside = directory.path().join("tenants.db@default.lock");
    expected.insert(beside.clone(), Vec::new());
    assert_eq!(contents(directory.path()), expected);
    assert_eq!(beside.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    held.release().await;
    assert_eq!(contents(directory.path()), expected, "it is left in place");

    std::fs::write(&beside, "kept").unwrap();
    lock(&url, "default", ONCE).await.release().await;
    assert_eq!(std::fs::read_to_string(&beside).unwrap(), "kept");
}

#[tokio::test]
async fn a_link_to_a_sqlite_database_leads_to_the_same_lock() {
    let database = Database::new(Kind::Sqlite).await;
    let links = tempfile::tempdir().unwrap();
    let link = links.path().join("link.db");
    std::os::unix::fs::symlink(database.file(), &link).unwrap();
    let _held = lock(&database.url, "default", ONCE).await;
    assert!(is_busy(&format!("sqlite://{}", link.display()), "default").await);
    assert_eq!(contents(links.path()).len(), 1);
}

#[tokio::test]
async fn where_no_file_can_be_written_there_is_no_lock() {
    let database = Database::new(Kind::Sqlite).await;
    let directory = database.file().parent().unwrap().to_owned();
    let reason = async |url: String, name: &str| match attempt(&url, "default", PATIENT).await {
        Ok(Attempt::Unavailable(reason)) => assert!(reason.contains(name), "{reason}"),
        other => panic!("{other:?}"),
    };
    // Nobody can create a file there, not even root, whom permissions don't stop.
    reason("sqlite:///proc/version".to_owned(), "/proc/version@default.lock: ").await;
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o500)).unwrap();
    if std::fs::write(directory.join("probe"), "").is_err() {
        reason(database.url.clone(), "tenants.db@default.lock: ").await;
    }
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::create_dir(directory.join("tenants.db@default.lock")).unwrap();
    reason(database.url.clone(), "tenants.db@default.lock: ").await;
}

#[rstest]
#[tokio::test]
async fn runs_of_one_source_for_two_teams_or_two_explos_go_side_by_side(
    #[values(Kind::Postgres, Kind::MySql, Kind::Sqlite)] kind: Kind,
) {
    let (database, here, there) = (Database::new(kind).await, sandbox([]).await, sandbox([]).await);
    let query = "select 'a' as provided_id, 'Ann' as name";
    let ours = Program::between(&database, &here, query);
    let team = "test-team-token-0123456789";
    let held = lock(&database.url, &name("default", &here.url(), &team.into()), ONCE).await;
    assert_eq!(ours.sync(&[]).await.0, 5, "the same team of the same Explo waits");
    let elsewhere = ours.clone().with("EXPLO_SYNC__EXPLO__BASE_URL", &there.url());
    assert_eq!(elsewhere.sync(&[]).await.0, 0, "another Explo");
    assert_eq!(ours.clone().with("EXPLO_TOKEN", "another-team-token").sync(&[]).await.0, 0, "another team");
    assert_eq!(ours.clone().with("EXPLO_SYNC__NAME", "another").sync(&[]).await.0, 0, "another instance");
    held.release().await;
    assert_eq!(ours.sync(&[]).await.0, 0);
}

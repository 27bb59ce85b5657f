//! `source.listen`: ids from the notifications of a channel.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use explo_sync::source::{ListenError, Signal, Sql, SqlSettings};
use rstest::rstest;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use url::Url;

use super::{Logs, Origin};
use crate::support::{Database, Kind, Pooler, Program, Server, sandbox, settings};

const CHANNEL: &str = "explo_sync";

const QUERY: &str = "select 'a' as provided_id, 'Ann' as name";

const LISTENERS: &str =
    "from pg_stat_activity where application_name = 'explo-sync listen' and datname = current_database()";

fn source(url: &str, channel: &str) -> Sql {
    explo_sync::install_crypto();
    Sql::new(SqlSettings { listen: Some(channel.to_owned()), ..settings(url, QUERY) }).unwrap()
}

pub(super) fn listen(url: &str) -> Origin {
    listen_to(url, CHANNEL)
}

fn listen_to(url: &str, channel: &str) -> Origin {
    let sql = source(url, channel);
    Origin::start(|tell| sql.listen(move |signal| drop(tell.send(signal))))
}

async fn notify(database: &Database, id: &str) {
    database.execute(&format!("select pg_notify('{CHANNEL}', '{}')", id.replace('\'', "''"))).await;
}

#[tokio::test]
async fn each_notification_is_told_as_it_is() {
    let (database, logs) = (Database::new(Kind::Postgres).await, Logs::keep());
    let mut origin = listen(&database.url);
    origin.hears().await;
    let longest = "x".repeat(7999);
    for id in ["a", "' or 1=1; --", "line\nfeed", " ", "é 🦀 \u{202e}", &longest] {
        notify(&database, id).await;
        origin.tells(id).await;
    }
    database.execute("notify explo_sync; notify another, 'b'; notify explo_sync, 'c'").await;
    origin.tells("c").await;
    assert_eq!(database.rows(&format!("select state {LISTENERS}")).await, [[Some("idle".to_owned())]]);
    assert_eq!((logs.with("WARN").len(), logs.with("source.listen hears").len()), (0, 1), "{:?}", logs.with(""));
}

#[rstest]
#[case("Explo Sync")]
#[case("a\"b'c; --")]
#[case("ééééééééééééééééééééééééééééééé_")]
#[tokio::test]
async fn a_channel_may_have_any_name(#[case] channel: &str) {
    let database = Database::new(Kind::Postgres).await;
    let mut origin = listen_to(&database.url, channel);
    origin.hears().await;
    database.execute(&format!("select pg_notify('{}', 'a')", channel.replace('\'', "''"))).await;
    origin.tells("a").await;
}

#[tokio::test]
async fn a_connection_that_is_ended_is_made_anew_and_says_so() {
    let (database, logs) = (Database::new(Kind::Postgres).await, Logs::keep());
    let mut origin = listen(&database.url);
    origin.hears().await;
    for times in 1..=2 {
        database.rows(&format!("select pg_terminate_backend(pid)::text {LISTENERS}")).await;
        origin.hears().await;
        notify(&database, "a").await;
        origin.tells("a").await;
        let told = logs.with("WARN");
        assert!(told.len() == times && told[0].contains("that listens broke"), "{told:?}");
        assert_eq!(logs.with("source.listen hears place").len(), times + 1, "{:?}", logs.with(""));
    }
}

#[tokio::test]
async fn when_it_is_dropped_its_connection_ends() {
    let database = Database::new(Kind::Postgres).await;
    let mut origin = listen(&database.url);
    origin.hears().await;
    drop(origin);
    while !database.rows(&format!("select pid::text {LISTENERS}")).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// It ends with the runtime of its thread, too.
#[test]
fn when_its_thread_ends_it_ends_without_a_word() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (outer, inner) = (runtime(), runtime());
    let database = outer.block_on(Database::new(Kind::Postgres));
    let origin = inner.block_on(async {
        let mut origin = listen(&database.url);
        origin.hears().await;
        origin
    });
    drop(inner);
    drop(origin);
}

/// A server that is not there yet: one warning, then it hears.
#[tokio::test]
async fn a_server_that_comes_later_is_heard() {
    let (database, logs) = (Database::new(Kind::Postgres).await, Logs::keep());
    let relay = Relay::of(&database).await;
    relay.close();
    let mut origin = listen(&relay.url);
    let told = logs.say("WARN").await;
    assert!(told.contains("can't connect to "), "{told}");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    relay.open();
    origin.hears().await;
    assert_eq!(logs.with("WARN").len(), 1, "{:?}", logs.with(""));
}

/// The connection is up, and nothing comes: only a notification of one's own finds that out.
#[tokio::test]
async fn a_connection_that_is_silent_is_made_anew() {
    let (database, logs) = (Database::new(Kind::Postgres).await, Logs::keep());
    let relay = Relay::of(&database).await;
    let mut origin = listen(&relay.url);
    origin.hears().await;
    relay.silence();
    notify(&database, "missed").await;
    let told = logs.say("WARN").await;
    assert!(told.contains("it was silent for 10 s"), "{told}");
    origin.hears().await;
    notify(&database, "a").await;
    origin.tells("a").await;
}

/// `LISTEN` succeeds, and nothing is ever heard.
#[tokio::test]
async fn a_pooler_of_transactions_is_told_once() {
    let (database, logs) = (Database::new(Kind::Postgres).await, Logs::keep());
    let common = "pool_mode = transaction\nignore_startup_parameters = extra_float_digits";
    for lines in
        ["", "default_pool_size = 1", "server_round_robin = 1", "default_pool_size = 2\nserver_round_robin = 1"]
    {
        let pooler = Pooler::start_with(&database, &format!("{common}\n{lines}")).await;
        let through = Database::at(Kind::Postgres, &pooler.to(&database));
        let error = source(&through.url, CHANNEL).try_to_listen().await.unwrap_err();
        assert!(matches!(error, ListenError::Unheard { .. }), "{error}");
        // Otherwise others would get notifications that they did not ask for.
        assert!(through.rows("select pg_listening_channels()").await.is_empty(), "{lines}");
    }
    let pooler = Pooler::start(&database, "transaction").await;
    let mut origin = listen(&pooler.to(&database));
    let told = logs.say("WARN").await;
    assert!(told.contains("a transaction pooler stands between; give source.url the server's own address"), "{told}");
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(logs.with("").len(), 1, "{:?}", logs.with(""));
    assert!(origin.signals.try_recv().is_err());
}

#[tokio::test]
async fn a_pooler_of_sessions_may_stand_between() {
    let database = Database::new(Kind::Postgres).await;
    let pooler = Pooler::start(&database, "session").await;
    let mut origin = listen(&pooler.to(&database));
    origin.hears().await;
    notify(&database, "a").await;
    origin.tells("a").await;
}

#[tokio::test]
async fn a_standby_is_told() {
    let primary = Server::postgres(&[]).await;
    let standby = primary.standby(&[]).await;
    let logs = Logs::keep();
    let _origin = listen(&standby.url);
    let told = logs.say("WARN").await;
    assert!(told.contains("is a standby") && told.contains("name the primary in source.url"), "{told}");
    let mut origin = listen(&primary.url);
    origin.hears().await;
}

/// Such a payload reaches no client of UTF-8, and what comes after it is heard.
#[tokio::test]
async fn bytes_that_are_not_utf8_do_no_harm() {
    let database = Database::new(Kind::Postgres).await;
    let mut url: Url = database.url.parse().unwrap();
    let name = format!("{}_bytes", url.path().trim_start_matches('/'));
    database
        .execute(&format!("create database {name} template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'"))
        .await;
    url.set_path(&name);
    let database = Database::at(Kind::Postgres, url.as_str());
    let mut origin = listen(&database.url);
    origin.hears().await;
    database.execute(&format!("select pg_notify('{CHANNEL}', convert_from('\\xff', 'SQL_ASCII'))")).await;
    loop {
        notify(&database, "a").await;
        let signal = tokio::time::timeout(Duration::from_millis(500), origin.next()).await;
        match signal {
            Ok(Signal::Changed(id)) => break assert_eq!(id, "a"),
            Ok(Signal::Hearing) | Err(_) => {}
        }
    }
}

#[tokio::test]
async fn check_tells_whether_notifications_arrive() {
    let (database, sandbox) = (Database::new(Kind::Postgres).await, sandbox([]).await);
    let program = Program::between(&database, &sandbox, QUERY).with("EXPLO_SYNC__SOURCE__LISTEN", CHANNEL);
    let output = program.run(&["check"]).await;
    assert!(
        output.code == 0 && output.stdout.contains("ok    listen    explo_sync: notifications arrive"),
        "{output:?}"
    );
    let pooler = Pooler::start(&database, "transaction").await;
    let output = program.with("DATABASE_URL", &pooler.to(&database)).run(&["check"]).await;
    let told = "takes LISTEN, but notifications do not arrive: probably a transaction pooler";
    assert!(
        output.code == 1 && output.stdout.contains("fail  listen    ") && output.stdout.contains(told),
        "{output:?}"
    );
}

/// Stands between a client and a server, and can end or silence what goes through it.
struct Relay {
    url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_closed: AtomicBool,
    silenced: Notify,
}

impl Relay {
    async fn of(database: &Database) -> Self {
        let mut url: Url = database.url.parse().unwrap();
        let server = url.port().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let state = Arc::new(State::default());
        tokio::spawn(relay(listener, server, Arc::clone(&state)));
        Self { url: url.into(), state }
    }

    /// New connections end at once.
    fn close(&self) {
        self.state.is_closed.store(true, SeqCst);
    }

    fn open(&self) {
        self.state.is_closed.store(false, SeqCst);
    }

    /// From now on nothing goes through the connections that there are.
    fn silence(&self) {
        self.state.silenced.notify_waiters();
    }
}

async fn relay(listener: TcpListener, server: u16, state: Arc<State>) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        if state.is_closed.load(SeqCst) {
            continue;
        }
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => {}
                () = state.silenced.notified() => std::future::pending().await,
            }
        });
    }
}

//! SQLite files that can't be read.

use std::{
    fs,
    os::unix::{
        fs::{FileExt, PermissionsExt},
        net::UnixListener,
    },
    time::Duration,
};

use explo_sync::source::SqlSettings;

use rstest::rstest;
use tokio::time::timeout;

use super::{SELECT, refusal};
use crate::support::{Database, Kind, World, make_fifo, settings};

#[tokio::test]
async fn a_file_that_another_program_keeps_locked_is_told() {
    let database = Database::new(Kind::Sqlite).await;
    database.execute("pragma journal_mode = delete; create table tenants (id int)").await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database.file());
    let mut another = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("begin exclusive").execute(&mut another).await.unwrap();
    let timeout = std::time::Duration::from_secs(3);
    let told = refusal(SqlSettings { timeout, ..settings(&database.url, SELECT) }).await;
    assert!(told.contains("locked") && told.contains("the next run tries again"), "{told}");
}

#[rstest]
#[case::a_directory("DIRECTORY", "it is a directory")]
#[case::a_fifo("DIRECTORY/fifo", "it is a FIFO")]
#[case::a_device("/dev/zero", "it is a device")]
#[tokio::test]
async fn what_is_no_file_at_all_is_told(
    #[case] path: &str,
    #[case] told: &str,
    #[values("EXPLO_SYNC__SOURCE__URL", "EXPLO_SYNC__LEDGER__URL")] variable: &str,
) {
    let (_database, _sandbox, program) = World::of([("a", "Ann")]).start().await;
    let directory = tempfile::tempdir().unwrap();
    make_fifo(&directory.path().join("fifo"));
    let path = path.replace("DIRECTORY", directory.path().to_str().unwrap());
    let program = program.with(variable, &format!("sqlite:{path}"));
    for arguments in [["check", "-v"], ["sync", "--quiet"]] {
        let output = timeout(Duration::from_mins(1), program.run(&arguments)).await.unwrap();
        let printed = output.stdout + &output.stderr;
        assert!(output.code == 1 && printed.contains(told) && printed.contains("check the path in"), "{printed}");
        assert!(!printed.contains("password"), "{printed}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_told() {
    let database = Database::new(Kind::Sqlite).await;
    database.execute("pragma journal_mode = delete; create table tenants (id text)").await;
    database.execute("with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) insert into tenants select i from n").await;
    let file = fs::File::options().write(true).open(database.file()).unwrap();
    file.write_all_at(&[0xab; 4096], 2 * 4096).unwrap();
    let told = refusal(settings(&database.url, SELECT)).await;
    assert!(told.contains("the file is damaged: restore it"), "{told}");
}

#[tokio::test]
async fn a_query_that_writes_is_told() {
    let database = Database::new(Kind::Sqlite).await;
    database.execute("create table tenants (id text); insert into tenants values ('a')").await;
    let told = refusal(settings(&database.url, "update tenants set id = 'b' returning id as provided_id")).await;
    assert!(told.contains("a query may only read: check source.query"), "{told}");
}

#[rstest]
#[case::a_file("sqlite:PATH", "check the path in source.url")]
#[case::a_socket("postgres://u@localhost/d?host=DIRECTORY", "let the user that runs this open the socket")]
#[case::a_socket("mysql://u@localhost/d?socket=PATH", "let the user that runs this open the socket")]
#[tokio::test]
async fn what_this_user_may_not_open_is_told(#[case] url: &str, #[case] way_out: &str) {
    let ((database, _sandbox, program), directory) =
        (World::of([("a", "Ann")]).start().await, tempfile::tempdir().unwrap());
    let file = directory.path().join(".s.PGSQL.5432");
    let _listener = if url.starts_with("sqlite") {
        fs::copy(database.file(), &file).map(|_| None)
    } else {
        UnixListener::bind(&file).map(Some)
    }
    .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    let url = url.replace("PATH", file.to_str().unwrap()).replace("DIRECTORY", directory.path().to_str().unwrap());
    let program = program.with("DATABASE_URL", &url);
    let output = program.without_rights().run(&["sync", "--dry-run"]).await;
    assert!(output.code == 1 && output.stderr.contains(way_out), "{output:?}");
}

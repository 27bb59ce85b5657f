//! Whose password is asked for, and where it is looked for.

use std::time::Duration;

use rstest::rstest;
use tokio::time::timeout;
use url::Url;

use super::{ONE, refusal};
use crate::support::{Database, Kind, Program, make_fifo, sandbox, settings};

#[rstest]
#[case::named("PGPASSFILE", ".pgpass")]
#[case::at_home("HOME", "")]
#[tokio::test]
async fn a_file_of_passwords_that_is_a_pipe_is_refused(#[case] variable: &str, #[case] file: &str) {
    let (database, sandbox) = (Database::new(Kind::Postgres).await, sandbox([]).await);
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join(".pgpass");
    make_fifo(&pipe);
    let program = Program::between(&database, &sandbox, ONE)
        .with("DATABASE_URL", &database.bare_url())
        .with(variable, &directory.path().join(file));
    let output = timeout(Duration::from_mins(1), program.run(&["sync", "--dry-run"])).await.unwrap();
    let told = format!("{}, which is a FIFO", pipe.display());
    assert!(output.code == 1 && output.stderr.contains(&told), "{output:?}");
    assert!(output.stderr.contains("or use source.password_file"), "{output:?}");
    // With a password nobody looks for another.
    let output = timeout(Duration::from_mins(1), program.with("DATABASE_URL", &database.url).run(&["check"])).await;
    assert!(output.as_ref().unwrap().code == 0, "{output:?}");
}

#[tokio::test]
async fn no_file_of_passwords_is_none() {
    let (database, sandbox) = (Database::new(Kind::Postgres).await, sandbox([]).await);
    let program = Program::between(&database, &sandbox, ONE)
        .with("DATABASE_URL", &database.bare_url())
        .with("PGPASSFILE", "/dev/null")
        .with("HOME", "/");
    let output = program.run(&["sync", "--dry-run"]).await;
    assert!(output.code == 1 && output.stderr.contains("there or in source.password_file"), "{output:?}");
}

#[tokio::test]
async fn a_url_that_names_no_user_is_told() {
    let mut url: Url = Database::new(Kind::Postgres).await.bare_url().parse().unwrap();
    url.set_username("").unwrap();
    let told = refusal(settings(url.as_str(), ONE)).await;
    assert!(told.contains("source.url names no user, so that of PGUSER or of the system was used"), "{told}");
}

#[tokio::test]
async fn the_collation_of_a_url_is_the_sessions() {
    let database = Database::new(Kind::MySql).await;
    let with = |name: &str| settings(&format!("{}?collation={name}", database.url), "select 'a' = 'A' as provided_id");
    for (name, equal) in [("utf8mb4_bin", "0"), ("utf8mb4_unicode_ci", "1")] {
        let mut rows = crate::columns::rows(with(name)).await.unwrap();
        assert_eq!(rows.remove(0).unwrap().provided_id, equal, "{name}");
    }
    for name in ["bogus", "latin1_bin"] {
        let told = refusal(with(name)).await;
        assert!(told.contains(name) && told.contains("name a collation of utf8mb4"), "{told}");
    }
}

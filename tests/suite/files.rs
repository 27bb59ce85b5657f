//! Files that the program writes: whole or not at all, never through a link, and nothing but a regular file is replaced.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use explo_sync::sandbox::Sandbox;
use rstest::rstest;

use crate::support::{Database, Program, World, make_fifo};

/// Tenants to create, in a database that is read without a write.
async fn sides() -> (Database, Sandbox, Program) {
    let (database, sandbox, program) = World::of((0..20).map(|n| (n, format!("Tenant {n}")))).start().await;
    database.execute("pragma journal_mode = delete").await;
    (database, sandbox, program)
}

fn link_to(target: &str) -> impl Fn(&Path) -> PathBuf {
    move |directory| {
        fs::write(directory.join("theirs"), "theirs").unwrap();
        symlink(directory.join(target), directory.join("file")).unwrap();
        directory.join("file")
    }
}

fn fifo(directory: &Path) -> PathBuf {
    make_fifo(&directory.join("file"));
    directory.join("file")
}

/// What stands in a directory, and what it is.
fn contents(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let mut told: Vec<_> =
        entries.map(|entry| format!("{} {:?}", entry.file_name().display(), entry.file_type())).collect();
    told.sort();
    told
}

#[rstest]
#[case::a_link(link_to("theirs"), "it is a symbolic link, and must be a regular file")]
#[case::a_dangling_link(link_to("missing"), "it is a symbolic link")]
#[case::a_fifo(fifo, "it is a FIFO")]
#[case::a_directory(Path::to_owned, "it is a directory")]
#[case::a_device(|_: &Path| "/dev/null".into(), "it is a device")]
#[case::no_directory(|directory: &Path| directory.join("missing/file"), "No such file or directory")]
#[case::no_name(|directory: &Path| directory.join("file/"), "No such file or directory")]
#[tokio::test]
async fn what_is_no_regular_file_is_refused_before_a_run(
    #[case] stage: impl Fn(&Path) -> PathBuf,
    #[case] word: &str,
    #[values("--out", "--metrics-file")] flag: &str,
) {
    let ((_database, sandbox, program), directory) = (sides().await, tempfile::tempdir().unwrap());
    let path = stage(directory.path());
    let before = contents(directory.path());
    let path = path.to_str().unwrap();
    let output = program.run(&["sync", "--dry-run", flag, path]).await;
    let told = format!("explo-sync: {flag} {path}: ");
    assert!(output.code == 64 && output.stderr.contains(&told) && output.stderr.contains(word), "{output:?}");
    assert_eq!((sandbox.take_calls(), output.stdout.as_str()), (vec![], ""));
    assert_eq!(contents(directory.path()), before);
    if let Ok(theirs) = fs::read_to_string(directory.path().join("theirs")) {
        assert_eq!(theirs, "theirs");
    }
}

#[tokio::test]
async fn a_saved_plan_is_for_its_owner_alone_whatever_was_there() {
    let ((_database, _sandbox, program), directory) = (sides().await, tempfile::tempdir().unwrap());
    let path = directory.path().join("plan.json");
    fs::write(&path, "open to all").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    // A reader of the old file goes on reading that.
    let old = fs::File::open(&path).unwrap();
    let output = program.within(directory.path()).run(&["sync", "--dry-run", "--out", "plan.json"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&path).unwrap().contains("Tenant 7"));
    assert_eq!(std::io::read_to_string(old).unwrap(), "open to all");
}

#[tokio::test]
async fn nothing_is_written_over_what_the_run_reads_or_writes_elsewhere() {
    let ((database, sandbox, program), directory) = (sides().await, tempfile::tempdir().unwrap());
    let (source, ledger) = (database.file(), directory.path().join("ledger.db"));
    fs::hard_link(&source, directory.path().join("link.db")).unwrap();
    fs::write(&ledger, "").unwrap();
    fs::create_dir(directory.path().join("below")).unwrap();
    fs::write(directory.path().join("plan"), "{}").unwrap();
    fs::write(directory.path().join("explo-sync.toml"), "").unwrap();
    fs::write(directory.path().join("query.sql"), "select id as provided_id, name from tenants").unwrap();
    let ledger_url = format!("sqlite:{}", ledger.display());
    let program = program.within(directory.path()).with("EXPLO_SYNC__LEDGER__URL", &ledger_url);
    let program = program.with("EXPLO_SYNC__SOURCE__QUERY", "").with("EXPLO_SYNC__SOURCE__QUERY_FILE", "query.sql");
    let source = source.to_str().unwrap();
    for (arguments, told) in [
        (
            &["--dry-run", "--out", "new", "--metrics-file", "below/../new"][..],
            "--metrics-file below/../new: this is the file of --out",
        ),
        (&["--plan", "plan", "--metrics-file", "./plan"], "--metrics-file ./plan: this is the file of --plan"),
        (&["--dry-run", "--out", "explo-sync.toml"], "--out explo-sync.toml: this is the file of the configuration"),
        (&["--dry-run", "--out", source], "this is the file of source.url"),
        (&["--dry-run", "--out", "link.db"], "--out link.db: this is the file of source.url"),
        (&["--metrics-file", "ledger.db"], "--metrics-file ledger.db: this is the file of ledger.url"),
        (&["--metrics-file", "ledger.db-journal"], "--metrics-file ledger.db-journal: this is the file of ledger.url"),
        (&["--metrics-file", "ledger.db@prod.lock"], "this is the file of ledger.url"),
        (&["--dry-run", "--out", "query.sql"], "--out query.sql: this is the file of source.query_file"),
    ] {
        let before = fs::read(source).unwrap();
        let output = program.run(&[&["sync"], arguments].concat()).await;
        assert!(output.code == 64 && output.stderr.contains(told), "{told}: {output:?}");
        assert!(fs::read(source).unwrap() == before && fs::read(&ledger).unwrap().is_empty());
    }
    assert!(sandbox.take_calls().is_empty());
}

#[rstest]
#[case::plan(&["sync", "--plan", "/dev/zero"], 64)]
#[case::customers(&["sandbox", "--customers", "/dev/zero"], 1)]
#[case::upstream(&["sandbox", "--upstream", "/dev/zero"], 1)]
#[tokio::test]
async fn a_file_without_an_end_is_not_read_for_ever(#[case] arguments: &[&str], #[case] code: i32) {
    let (_database, _sandbox, program) = sides().await;
    let output = program.run(arguments).await;
    let told = format!("{} /dev/zero: it has more than 64 MiB", arguments[1]);
    assert!(output.code == code && output.stderr.contains(&told), "{output:?}");
}

#[tokio::test]
async fn a_full_disk_keeps_the_old_file() {
    let ((_database, sandbox, program), directory) = (sides().await, tempfile::tempdir().unwrap());
    let path = directory.path().join("file");
    fs::write(&path, "the old one").unwrap();
    let name = path.to_str().unwrap();
    let program = program.on_disk(512);
    for (arguments, code) in [(&["sync", "--dry-run", "--out", name], 1), (&["sync", "-q", "--metrics-file", name], 0)]
    {
        let output = program.run(arguments).await;
        let told = format!("explo-sync: {} {name}: ", arguments[2]);
        assert!(output.code == code && output.stderr.contains(&told), "{output:?}");
        assert!(output.stdout.contains("+ 7"), "the report is shown all the same: {output:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "the old one");
        assert_eq!(contents(directory.path()).len(), 1);
    }
    assert_eq!(sandbox.customers().len(), 20, "what was applied stays applied");
}

#[tokio::test]
async fn the_lock_of_a_file_is_not_taken_through_a_link() {
    let ((database, sandbox, program), links) = (sides().await, tempfile::tempdir().unwrap());
    assert_eq!(program.run(&["sync", "--max-changes", "0"]).await.code, 75);
    let mut entries = fs::read_dir(database.file().parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let lock = entries.find(|path| path.extension().is_some_and(|extension| extension == "lock")).unwrap();
    fs::remove_file(&lock).unwrap();
    symlink(links.path().join("target"), &lock).unwrap();
    let output = program.run(&["sync"]).await;
    let told = format!("{}: it is a symbolic link", lock.display());
    assert!(output.code == 0 && output.stderr.contains(&told), "{output:?}");
    assert_eq!((contents(links.path()).len(), sandbox.customers().len()), (0, 20), "it goes on without a lock");
}

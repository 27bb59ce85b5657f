//! No token, no password and no e-mail address in anything that the program printed off a terminal, whatever was tested.
//!
//! `tests/run` has everything kept (see `support`), and calls the test that looks through it when all others are done.

use std::{fs, path::Path};

use rstest::rstest;

use crate::support::kept_output;

/// Every team token and every password of the tests has one of these in it.
const GIVEN: [&str; 7] =
    ["team-token", "right-token", "secret-token", "secret-password", "pg-secret", "my-secret", "hunter2"];

/// Every customer's token begins so, or is made of so many hexadecimal digits.
const CUSTOMERS: (&str, usize) = ("sandbox-token-", 32);

/// Every e-mail address of the tests is in this top-level domain.
const DOMAIN: &str = ".example";

/// The one argument that lets addresses be shown, and the commands: what demo shows is made up, and export is for nothing else.
const SHOW_VALUES: [&str; 3] = ["--show-values", "demo", "export"];

/// The one argument that lets customers' tokens be shown.
const SHOW_TOKENS: &str = "--with-tokens";

/// What is in a line that should not be there; `arguments` are the program's.
fn secret<'l>(line: &'l str, arguments: &str) -> Option<&'l str> {
    let has = |flag: &str| arguments.split(' ').any(|argument| argument == flag);
    let words = || line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let token = || {
        let (prefix, digits) = CUSTOMERS;
        let is_token = |word: &&str| word.len() == digits && word.chars().all(|c| c.is_ascii_hexdigit());
        line.find(prefix).map(|at| &line[at..at + prefix.len()]).or_else(|| words().find(is_token))
    };
    let address = || {
        let ends = |c: char| !c.is_ascii_alphanumeric() && !"@._%+-".contains(c);
        line.split(ends).find(|word| word.trim_end_matches('.').ends_with(DOMAIN) && word.contains('@'))
    };
    let given = || GIVEN.into_iter().find_map(|given| line.find(given).map(|at| &line[at..at + given.len()]));
    given()
        .or_else(|| if has(SHOW_TOKENS) { None } else { token() })
        .or_else(|| if SHOW_VALUES.into_iter().any(has) { None } else { address() })
}

/// Every secret in the files of a directory, with its place; an error if nothing was printed at all.
fn secrets(directory: &Path) -> Result<Vec<String>, String> {
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut found, mut lines) = (Vec::new(), 0);
    for path in paths {
        let printed = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let (arguments, printed) = printed.split_once('\n').unwrap_or_default();
        for (number, line) in printed.lines().enumerate() {
            lines += 1;
            if let Some(secret) = secret(line, arguments) {
                let name = path.file_name().unwrap().display();
                found.push(format!("{name}:{}: {secret} in what `{arguments}` printed: {line}", number + 2));
            }
        }
    }
    if lines == 0 { Err(format!("nothing was printed to {}", directory.display())) } else { Ok(found) }
}

#[test]
#[ignore = "tests/run calls it when all others are done"]
fn nothing_that_the_program_printed_holds_a_secret() {
    let directory = kept_output().expect("TEST_OUTPUT is not set: run the tests with tests/run");
    let found = secrets(&directory).unwrap();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[rstest]
#[case("sync -vv", r#"{"error": "Token test-team-token-0123456789"}"#, Some("team-token"))]
#[case("sync --show-values", "postgres://postgres:pg-secret@127.0.0.1/", Some("pg-secret"))]
#[case("sync", "token=11112222333344445555666677778888.", Some("11112222333344445555666677778888"))]
#[case("sync --show-values", "got sandbox-token-1111", Some("sandbox-token-"))]
#[case("export --with-tokens", r#""token":"11112222333344445555666677778888""#, None)]
#[case("sync", "no Ann <Ann.B+c@mail.a.example> please", Some("Ann.B+c@mail.a.example"))]
#[case("sync", r#"["ann@a.example"]"#, Some("ann@a.example"))]
#[case("sync --show-values", r#"["ann@a.example"]"#, None)]
#[case("demo", "ann@a.example", None)]
#[case("sync --show-values-not", "ann@a.example.", Some("ann@a.example."))]
#[case("sync", "sqlite:test_0123456789abcdef0123456789abcdef on https://api.explo.example", None)]
#[case("sync", "run 0199a5f4-0c1e-7e0b-8f7e-5a0f0f3e9f4d", None)]
fn a_secret_in_a_line_is_found(#[case] arguments: &str, #[case] line: &str, #[case] expected: Option<&str>) {
    assert_eq!(secret(line, arguments), expected);
}

#[test]
fn a_planted_secret_is_found_with_its_file_and_line_and_silence_is_no_proof() {
    let directory = tempfile::tempdir().unwrap();
    assert!(secrets(directory.path()).unwrap_err().contains("nothing was printed"));
    fs::write(directory.path().join("1.stdout"), "sync pg-secret\n").unwrap();
    assert!(secrets(directory.path()).is_err(), "arguments are not printed");
    fs::write(directory.path().join("2.stdout"), "sync --dry-run\nfine\n\nann@a.example\n").unwrap();
    fs::write(directory.path().join("3.stderr"), "sync --show-values\nann@a.example\nmy-secret").unwrap();
    let found = secrets(directory.path()).unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("2.stdout:4: ann@a.example in what `sync --dry-run` printed"), "{found:?}");
    assert!(found[1].starts_with("3.stderr:3: my-secret"), "{found:?}");
}

/// Nothing that is started elsewhere would be looked through.
#[test]
fn the_program_is_started_in_one_place() {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let mut directories = vec![ours.clone()];
    let mut places = Vec::new();
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else if fs::read_to_string(&path).unwrap().contains(concat!("CARGO_BIN", "_EXE")) {
                places.push(path.strip_prefix(&ours).unwrap().to_owned());
            }
        }
    }
    assert_eq!(places, [Path::new("support/program.rs")]);
}

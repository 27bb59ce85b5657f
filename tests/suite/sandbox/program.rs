//! The sandbox as a command.

use clap::CommandFactory;
use explo_sync::cli::Cli;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{Program, signal};

#[tokio::test]
async fn the_command_takes_switches_faults_and_a_limit() {
    explo_sync::install_crypto();
    let flags = "--seed 3 --hide x --hide-group Test --emails merge --past-end empty --churn add,delete --churn-every 2 --limit 1/m \
                 --limit-kind window --fault status=503,times=1 --fault cut,endpoint=get_customer";
    let mut child =
        Program::default().start(&["sandbox --listen 127.0.0.1:0", flags].join(" ").split(' ').collect::<Vec<_>>());
    let url = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    let mut statuses = Vec::new();
    for _ in 0..2 {
        statuses.push(reqwest::get(format!("{url}/v2/api/customers/")).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [503, 429]);
    signal(&child, "-TERM").await;
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[rstest]
#[case(&["--fault", "teapot"], "there is no fault \"teapot\": choose throttle=SECONDS")]
#[case(&["--fault", "cut,times=0"], "write times=N with a whole number, from 1")]
#[case(&["--limit", "20/h"], "such as 20/s or 180/m")]
#[case(&["--emails", "add"], "[possible values: replace, merge]")]
#[case(&["--odd", "a=strange"], "write ID=KIND with one of properties-list, ")]
#[case(&["--fault", "nobody,endpoint=get_customer"], "omit endpoint=get_customer")]
#[tokio::test]
async fn a_bad_switch_is_bad_usage_and_the_message_names_the_way_out(#[case] flags: &[&str], #[case] told: &str) {
    let output = Program::default().run(&[&["sandbox"], flags].concat()).await;
    assert_eq!((output.code, output.stdout.as_str()), (64, ""), "{output:?}");
    assert!(output.stderr.contains(told) && output.stderr.contains(flags[1]), "{}", output.stderr);
}

#[rstest]
#[case(&["--twice", "z"])]
#[case(&["--odd", "z=long-name"])]
#[tokio::test]
async fn a_customer_that_is_not_there_is_named_and_nothing_is_served(#[case] flags: &[&str]) {
    let arguments = [&["sandbox", "--listen", "127.0.0.1:0"], flags].concat();
    let output = Program::default().run(&arguments).await;
    let told = format!("{} z: there is no customer with the given provided_id", flags[0]);
    assert!(output.code == 1 && output.stdout.is_empty() && output.stderr.contains(&told), "{output:?}");
}

#[tokio::test]
async fn the_command_doubles_a_customer_and_makes_one_odd() {
    explo_sync::install_crypto();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("customers.jsonl");
    std::fs::write(&file, r#"{"provided_id": "a", "name": "Ann"} {"provided_id": "b", "name": "Bob"}"#).unwrap();
    let flags = ["--twice", "a", "--second", "before", "--odd", "b=emails-text"];
    let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--customers", file.to_str().unwrap()];
    let mut child = Program::default().start(&[&arguments[..], &flags].concat());
    let url = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    let call = reqwest::Client::new().get(format!("{url}/v2/api/customers/"));
    let body = call.header("Explo-Authorization", "Token t").send().await.unwrap().json::<Value>().await.unwrap();
    let told = |n: usize, key| &body["results"]["customers"][n][key];
    assert_eq!([told(0, "name"), told(1, "name"), told(2, "emails")], [&json!("Ann again"), &json!("Ann"), &json!("")]);
    signal(&child, "-TERM").await;
    child.wait().await.unwrap();
}

#[test]
fn the_help_of_a_switch_names_its_choices_and_the_default_first() {
    let mut cli = Cli::command();
    cli.build();
    let sandbox = cli.find_subcommand("sandbox").unwrap();
    let global = Some("Options of every command");
    let mut switches = 0;
    for argument in sandbox.get_arguments().filter(|argument| ![None, global].contains(&argument.get_help_heading())) {
        let help = argument.get_help().unwrap().to_string();
        let choices: Vec<_> =
            argument.get_possible_values().iter().map(|choice| choice.get_name().to_owned()).collect();
        let words: Vec<_> = help.rsplit(": ").next().unwrap().split([',', ' ', '(', ')']).collect();
        assert!(choices.iter().all(|choice| words.contains(&choice.as_str())), "{help} lacks one of {choices:?}");
        if let [default] = argument.get_default_values() {
            assert_eq!(words[0], default, "{help}");
        }
        switches += 1;
    }
    assert_eq!(switches, 55);
}

#[tokio::test]
async fn the_help_has_one_line_for_each_switch() {
    let output = Program::default().run(&["sandbox", "--help"]).await;
    let lines: Vec<_> = output.stdout.lines().collect();
    let end = lines.iter().position(|line| line.starts_with("Options of every command")).unwrap();
    for line in &lines[3..end] {
        let is_one = line.is_empty() || line.ends_with(':') || line.trim_start().starts_with('-');
        assert!(is_one && line.chars().count() <= 100, "{line}");
    }
}

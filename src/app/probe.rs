//! `probe`: how this Explo behaves where its documents are silent.

use std::{
    convert::Infallible,
    future::pending,
    io::{self, IsTerminal},
    sync::Arc,
    time::Duration,
};

use tokio::time::sleep;

use super::{Context, terminal::Terminal};
use crate::{
    cli::ProbeArgs,
    config::{self, ExploAlone},
    explo::{Client, Pacer},
    files::Reading,
    probe,
    report::{self, Exit, Findings},
    stderr,
    stop::Stop,
    telemetry::Reads,
};

/// How long a call that writes may go on after a signal: the rest of the grace time is for removing the customer.
const WRITE_GRACE: Duration = Duration::from_secs(5);

/// Attempts per call: a server that always answers 500 is a finding, not to be waited for long.
const ATTEMPTS: u32 = 3;

/// Measures, removes the customer that it made, and tells what it found.
pub(super) async fn probe(context: &Context, args: &ProbeArgs) -> io::Result<u8> {
    let fail = |error: &str, exit: Exit| {
        Terminal::show_failure(error, exit, args.output.into());
        Ok(exit as u8)
    };
    let is_asked = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !args.yes && !is_asked {
        return fail(
            "probe makes a demo customer in Explo and deletes it again: agree to that with --yes",
            Exit::Usage,
        );
    }
    let alone = context.layers(Reading::Once).and_then(|layers| config::explo_alone(&layers));
    let ExploAlone { mut explo, requests_per_minute, log } = match alone {
        Ok(alone) => alone,
        Err(error) => return fail(&error.to_string(), Exit::Config),
    };
    context.terminal.start_logs(log, &context.global, Reads::Result);
    if !args.yes && !agrees(explo.base_url.as_str())? {
        return fail("nothing was done", Exit::Stopped);
    }
    let (base_url, part) = (explo.base_url.clone(), context.stop.child());
    let pacer = Arc::new(Pacer::new(requests_per_minute, 1));
    let after = Client::new(explo.clone(), Arc::clone(&pacer), context.stop.aftermath(), rand::random());
    explo.max_attempts = explo.max_attempts.min(ATTEMPTS);
    let client = Client::new(explo, pacer, part.clone(), rand::random());
    let (client, after) = match (client, after) {
        (Ok(client), Ok(after)) => (client, after),
        (Err(error), _) | (_, Err(error)) => return fail(&error, Exit::Config),
    };
    let probed = tokio::select! {
        probed = probe::probe(&client, &after, rand::random()) => probed,
        never = cut_late(&context.stop, &part) => match never {},
    };
    let exit = report::exit_of_probe(&probed);
    context.only_reports(exit as u8);
    let calls = client.calls().into_values().chain(after.calls().into_values()).sum();
    Terminal::show_findings(&Findings { probed: &probed, base_url: &base_url, calls }, exit, args.output);
    Ok(exit as u8)
}

/// Asks on the terminal whether to begin.
fn agrees(base_url: &str) -> io::Result<bool> {
    stderr::say(format!(
        "This makes a demo customer in {base_url}, writes to it and deletes it again, with about 20 calls.\nBegin? [y/N] "
    ));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// Cuts the calls of a part some time after the whole is requested to stop.
async fn cut_late(stop: &Stop, part: &Stop) -> Infallible {
    stop.requested().await;
    sleep(WRITE_GRACE).await;
    part.cut();
    pending().await
}

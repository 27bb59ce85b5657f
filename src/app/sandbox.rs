//! `sandbox`: the stand-in for Explo, until it is stopped.

use std::{
    fmt::Display,
    io::{self, Write},
};

use super::{Context, signals::stop_at_signal};
use crate::{
    cli::SandboxArgs,
    config::{Log, LogFormat},
    explo::Stop,
    sandbox::{Api, Sandbox, Store},
};

/// Serves customers; every call is a log line.
pub(super) async fn sandbox(context: &Context, args: &SandboxArgs) -> io::Result<u8> {
    let log = Log { level: tracing::Level::INFO, format: LogFormat::Auto };
    context.terminal.start_logs(log, &context.global);
    let mut store = match &args.customers {
        None => Store::default(),
        Some(path) => {
            let named = |error: &dyn Display| io::Error::other(format!("--customers {}: {error}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
            Store::parse(&text).map_err(|error| named(&error))?
        }
    };
    let customers = store.customers().len();
    store.hide(args.hide.iter().cloned());
    let mut api = Api::new(store, args.seed);
    api.behaviour.clone_from(&args.behaviour);
    api.faults.clone_from(&args.fault);
    api.limit = args.limit;
    let sandbox = Sandbox::start(args.listen, api).await?;
    writeln!(io::stdout(), "{}", sandbox.url())?;
    anstream::eprintln!(
        "A stand-in for Explo with {customers} customers. Any token will do; set explo.base_url to the address above."
    );
    let stop = Stop::default();
    tokio::spawn(stop_at_signal(stop.clone()));
    tokio::select! {
        served = sandbox.serve() => served.map(|()| 0),
        () = stop.requested() => Ok(0),
    }
}

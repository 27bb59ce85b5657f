//! `sandbox`: serves the stand-in for Explo until it is stopped.

use std::{
    fmt::Display,
    io::{self, Write},
    path::Path,
};

use super::{
    Context,
    terminal::{stdout, tell_if_lost},
};
use crate::{
    cli::SandboxArgs,
    config::{Log, LogFormat},
    files,
    sandbox::{Api, Sandbox, Store, Upstream},
    stderr,
    telemetry::Reads,
};

/// Serves customers; logs each call.
pub(super) async fn sandbox(context: &Context, args: &SandboxArgs) -> io::Result<u8> {
    let log = Log { level: tracing::Level::INFO, format: LogFormat::Auto, audit: None };
    context.terminal.start_logs(log, &context.global, Reads::Logs);
    let mut store = read("--customers", args.customers.as_deref(), Store::parse)?.unwrap_or_default();
    let customers = store.customers().len();
    args.beginning.prepare(&mut store).map_err(io::Error::other)?;
    let mut api = Api::new(store, args.seed);
    api.behaviour.clone_from(&args.behaviour);
    api.faults.clone_from(&args.fault);
    api.limit = args.limit;
    api.upstream = read("--upstream", args.upstream.as_deref(), Upstream::parse)?;
    let upstream = api.upstream.as_ref().map(|upstream| (upstream.count(), "/v2/customers"));
    let sandbox = Sandbox::start(args.listen, api).await?;
    let url = sandbox.url();
    tell_if_lost(writeln!(stdout(), "{url}"));
    stderr::say(format!(
        "A stand-in for Explo with {customers} customers. Any token will do; set explo.base_url to the address above.\n"
    ));
    if let Some((records, path)) = upstream {
        stderr::say(format!("Beside it {records} records to read tenants from: set source.url to {url}{path}.\n"));
    }
    tokio::select! {
        served = sandbox.serve() => served.map(|()| 0),
        () = context.stop.requested() => Ok(0),
    }
}

/// The parsed content of the file, if one is named.
fn read<T>(
    flag: &str,
    path: Option<&Path>,
    parse: impl FnOnce(&str) -> Result<T, serde_json::Error>,
) -> io::Result<Option<T>> {
    let Some(path) = path else { return Ok(None) };
    let named = |error: &dyn Display| io::Error::other(format!("{flag} {}: {error}", path.display()));
    let text = files::read_data(path).map_err(|error| named(&error))?;
    let text = String::from_utf8(text).map_err(|_| named(&"it is not UTF-8"))?;
    parse(&text).map(Some).map_err(|error| named(&error))
}

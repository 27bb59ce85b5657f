//! `export`: every customer that Explo lists, as JSON lines.

use std::io::{self, Write};

use super::{
    Context,
    instance::Instance,
    signals::stop_at_signal,
    terminal::{Terminal, unless_gone},
};
use crate::{
    cli::ExportArgs,
    explo::{Reader, Shown, Stop},
    progress::Progress,
    reconciler,
    report::{self, Exit},
};

/// Writes while it lists: the lines are all customers only if the exit code is 0.
pub(super) async fn export(context: &Context, args: &ExportArgs) -> io::Result<u8> {
    let stop = Stop::default();
    let instance = match context.config().and_then(|config| Instance::open(config, &stop)) {
        Ok(instance) => instance,
        Err(error) => return Terminal::fail(&error, Exit::Config),
    };
    tokio::spawn(stop_at_signal(stop.clone()));
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let progress = context.terminal.progress();
    let mut write = |shown: Shown<'_, '_>| {
        let Shown::Customers(customers) = shown else { return };
        if written.is_ok() {
            let write = |customer| report::write_customer(customer, args.with_tokens, &mut out);
            written = customers.iter().try_for_each(write);
        }
        if written.is_err() {
            // Nobody reads on.
            stop.cut();
        }
    };
    let listed = instance.client.list(&mut write, &|pages, of| progress.listed(pages, of)).await;
    let written = written.and_then(|()| out.flush());
    if written.is_err() {
        return unless_gone(written).map(|()| Exit::Success as u8);
    }
    match listed {
        Ok(_) => Ok(Exit::Success as u8),
        Err(error) => {
            let error = reconciler::Error::from(error);
            Terminal::fail(&error, report::exit_without_plan(&error))
        }
    }
}

//! `export`: every customer that Explo lists, as JSON lines.

use std::io::{self, Write};

use super::{
    Context,
    instance::Instance,
    ledger,
    terminal::{Terminal, stdout, unless_gone},
};
use crate::{
    cli::ExportArgs,
    explo::{Reader, Shown},
    model,
    progress::Progress,
    reconciler,
    report::{self, Exit},
    stop::Stop,
};

/// Writes while it lists: only with exit code 0 the lines are all customers. A customer whose record can't be read
/// whole is left out and named: exit code 3.
pub(super) async fn export(context: &Context, args: &ExportArgs) -> io::Result<u8> {
    if args.offboarded {
        return Box::pin(ledger::offboarded(context)).await;
    }
    let stop = Stop::default();
    let instance = match context.config().and_then(|config| Instance::open(config, &stop)) {
        Ok(instance) => instance,
        Err(error) => return Ok(Terminal::fail(&error, Exit::Config)),
    };
    let mut out = io::BufWriter::new(stdout());
    let (mut written, mut left_out) = (Ok(()), Vec::new());
    let progress = context.terminal.progress();
    let mut write = |shown: Shown<'_, '_>| {
        match shown {
            Shown::Customer(customer) if written.is_ok() => {
                written = report::write_customer(customer, args.with_tokens, &mut out);
            }
            Shown::Customer(_) => {}
            Shown::Partial(partial, _) => {
                let id = partial.provided_id.as_deref().map_or("(no id)".to_owned(), model::shown);
                left_out.push(format!("{id}: {}", partial.gap));
            }
        }
        if written.is_err() {
            // The reader of the output is gone.
            stop.cut();
        }
    };
    let listed = instance.client.list(&mut write, &|pages, of| progress.listed(pages, of)).await;
    let written = written.and_then(|()| out.flush());
    if written.is_err() {
        return unless_gone(written).map(|()| Exit::Success as u8);
    }
    match listed {
        Ok(_) if left_out.is_empty() => Ok(Exit::Success as u8),
        Ok(_) => {
            left_out.sort_unstable();
            let error = format!("customers that are left out:\n{}", left_out.join("\n"));
            Ok(Terminal::fail(&error, Exit::Partial))
        }
        Err(error) => {
            let error = reconciler::Error::from(error);
            Ok(Terminal::fail(&error, report::exit_without_plan(&error)))
        }
    }
}

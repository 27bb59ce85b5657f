//! `explain`: one tenant, from its row to the decision.

use std::io;

use super::{Context, instance::Instance, terminal::Terminal};
use crate::{
    cli::ExplainArgs,
    report::{self, Exit},
    stop::Stop,
};

/// Explains one id from both sides; changes nothing.
pub(super) async fn explain(context: &Context, args: &ExplainArgs) -> io::Result<u8> {
    let instance = match context.config().and_then(|config| Instance::open(config, &Stop::default())) {
        Ok(instance) => instance,
        Err(error) => return Ok(Terminal::fail(&error, Exit::Config)),
    };
    match instance.explain(&args.provided_id).await {
        Ok(explanation) => {
            context.terminal.show_explanation(&explanation);
            Ok(if explanation.is_amiss() { Exit::Partial } else { Exit::Success } as u8)
        }
        Err(error) => Ok(Terminal::fail(&error, report::exit_without_plan(&error))),
    }
}

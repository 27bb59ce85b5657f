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
    let fail = |error: &str, exit: Exit| {
        Terminal::show_failure(error, exit, args.output.into());
        Ok(exit as u8)
    };
    let instance = match context.config().and_then(|config| Instance::open(config, &Stop::default())) {
        Ok(instance) => instance,
        Err(error) => return fail(&error.to_string(), Exit::Config),
    };
    match Box::pin(instance.explain(&args.provided_id)).await {
        Ok(explanation) => {
            let exit = if explanation.is_amiss() { Exit::Partial } else { Exit::Success } as u8;
            context.terminal.show_explanation(&explanation, (&instance.config.name, exit), args.output);
            Ok(exit)
        }
        Err(error) => fail(&error.to_string(), report::exit_without_plan(&error)),
    }
}

//! `explain`: one tenant, from its row to the decision.

use std::io;

use super::{Context, instance::Instance, terminal::Terminal};
use crate::{
    cli::{ExplainArgs, Output},
    explo::Stop,
    report::{self, Exit},
};

/// Looks at both sides of one id, and changes nothing.
pub(super) async fn explain(context: &Context, args: &ExplainArgs) -> io::Result<u8> {
    let instance = match context.config().and_then(|config| Instance::open(config, &Stop::default())) {
        Ok(instance) => instance,
        Err(error) => {
            Terminal::show_failure(&error.to_string(), Exit::Config, Output::Text)?;
            return Ok(Exit::Config as u8);
        }
    };
    match instance.explain(&args.provided_id).await {
        Ok(explanation) => {
            context.terminal.show_explanation(&explanation)?;
            Ok(Exit::Success as u8)
        }
        Err(error) => {
            let exit = report::exit_without_plan(&error);
            Terminal::show_failure(&error.to_string(), exit, Output::Text)?;
            Ok(exit as u8)
        }
    }
}

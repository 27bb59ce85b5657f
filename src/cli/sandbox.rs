//! The options of `sandbox`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Arg, ArgAction, Args};

use crate::sandbox::{Beginning, Behaviour, Fault, Limit};

/// The end of the sandbox's help.
pub(super) const FAULTS: &str = "\
The first choice of a switch is its default.

A customer can be odd in these ways, until a write sets the field:
  properties-list (an empty list), emails-text (an empty text), half-surrogate (as its name),
  long-name (1.2 MB), deep-properties (70 levels), large-properties (a record of 1.5 MB)

A fault is KIND[,endpoint=NAME][,id=ID]...[,times=N][,after=N], such as status=503,times=2 or
throttle=7,endpoint=update_customer,after=3. endpoint: only calls whose path ends in NAME; id: only
calls that name this provided_id (write a comma in it as %2C); times: only the first N calls;
after: the N calls before are let through.

  The call is not applied:  throttle (429), throttle=SECONDS, throttle-until=SECONDS (a date),
                            unavailable=SECONDS (503 with Retry-After), status=CODE, unauthorized,
                            forbidden, redirect, html, drop-before (the connection ends),
                            hang-before (never an answer)
  The call is applied:      status-after=CODE, drop-after, hang-after, drip (one byte at a time),
                            empty, cut (half, then the connection ends), half (as if it were all),
                            huge, gzip-bomb, nested, other-token (that of another customer)
  A listing is wrong:       nobody (a total of 0), fewer=N (without the last N customers)";

/// Options of `sandbox`.
#[derive(Debug, Clone, Args)]
pub struct SandboxArgs {
    /// Address on this machine; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8765", value_name = "ADDRESS", value_parser = loopback)]
    pub listen: SocketAddr,
    /// Customers to begin with: JSON, an array or lines, as Explo lists them
    #[arg(long, value_name = "FILE")]
    pub customers: Option<PathBuf>,
    /// Serve these records at /v2/customers, to read tenants from: JSON as well
    #[arg(long, value_name = "FILE")]
    pub upstream: Option<PathBuf>,
    /// What goes wrong, such as throttle=7,times=2; see below (repeatable)
    #[arg(long, value_name = "FAULT")]
    pub fault: Vec<Fault>,
    /// Seed of the tokens, the shuffled order and churn
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Print help
    #[arg(short, long, action = ArgAction::HelpShort)]
    help: Option<bool>,
    /// What others did to the customers before the first call.
    #[command(flatten)]
    pub beginning: Beginning,
    /// The rate limit.
    #[command(flatten)]
    pub limit: Limit,
    /// How it behaves.
    #[command(flatten)]
    pub behaviour: Behaviour,
}

/// Keeps a switch's help on one line: its text names the choices, the default first.
pub(super) fn on_one_line(argument: Arg) -> Arg {
    let is_switch = argument.get_help_heading().is_some();
    argument.hide_default_value(is_switch).hide_possible_values(is_switch)
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "not an address with a port, such as 127.0.0.1:8765".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("not a loopback address, such as 127.0.0.1:8765".to_owned())
    }
}

//! A customer as one line of JSON.

use std::{collections::BTreeMap, io};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    ledger::Offboarded,
    model::{Customer, Exported},
};

/// Writes one customer and a line feed; `with_token`: includes its token, a secret that embeds its dashboards.
pub fn write_customer(customer: &Customer<'_>, with_token: bool, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Exported::of(customer, with_token)?)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Line<'a> {
    provided_id: &'a str,
    /// Whether it is known to be gone; one that was locked out is not.
    gone: bool,
    #[serde(flatten)]
    was: BTreeMap<&'a str, &'a RawValue>,
}

/// Writes what an offboarded customer was and a line feed.
pub fn write_offboarded(offboarded: &Offboarded, out: &mut dyn io::Write) -> io::Result<()> {
    let Offboarded { provided_id, text } = offboarded;
    // A text that somebody else wrote there is no object.
    let mut was: BTreeMap<_, _> = serde_json::from_str(text).unwrap_or_default();
    was.remove("gone");
    serde_json::to_writer(&mut *out, &Line { provided_id, gone: offboarded.is_gone(), was })?;
    out.write_all(b"\n")
}

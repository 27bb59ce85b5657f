//! Explo's part of the configuration alone, for a probe, which needs no source.

use super::{Error, Layers, Log, draft::Draft, explo, log, requests_per_minute};
use crate::explo::Settings;

/// How Explo is called, and what is logged.
#[derive(Debug)]
pub struct ExploAlone {
    /// How it is called.
    pub explo: Settings,
    /// Calls per minute.
    pub requests_per_minute: u32,
    /// What is logged.
    pub log: Log,
}

/// Reads and checks these sections; of the others only that they have no unknown key.
pub fn explo_alone(layers: &Layers) -> Result<ExploAlone, Error> {
    let mut draft = Draft::new(layers)?;
    let (explo, rate, log) = (explo(&mut draft), requests_per_minute(&mut draft), log(&mut draft));
    let mistakes = draft.mistakes();
    match (explo, rate, log) {
        (Some(explo), Some(requests_per_minute), Some(log)) if mistakes.is_empty() => {
            Ok(ExploAlone { explo, requests_per_minute, log })
        }
        _ => Err(Error(mistakes)),
    }
}

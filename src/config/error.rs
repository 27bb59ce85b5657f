//! What is wrong with a configuration.

use crate::model::{cut, printable};

/// Characters of a mistake that are told: names of keys and files may be anything.
const LONGEST: usize = 1000;

/// A configuration that can't be run: everything that is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("the configuration can't be used:\n  {}", told(.0))]
pub struct Error(pub Vec<String>);

fn told(mistakes: &[String]) -> String {
    mistakes.iter().map(|mistake| cut(printable(mistake), LONGEST)).collect::<Vec<_>>().join("\n  ")
}

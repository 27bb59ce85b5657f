//! What is wrong with a configuration.

use crate::model::{cut, printable};

/// Characters of a mistake that are shown: names of keys and files can have any length.
const LONGEST: usize = 1000;

/// All mistakes of a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration can't be used:\n  {}", told(.0))]
pub struct Error(pub Vec<String>);

fn told(mistakes: &[String]) -> String {
    mistakes.iter().map(|mistake| cut(printable(mistake), LONGEST)).collect::<Vec<_>>().join("\n  ")
}

//! What only Explo can tell beside the listing, and what it tells.

use std::collections::BTreeSet;

use crate::{memory::Entry, model::Customer};

/// What is to be asked, each with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What the customer with this id holds.
    Customer(String),
    /// Which customers are below the one with this id.
    Children(String),
    /// Which tags there are.
    Tags,
}

/// The answer to one question.
#[derive(Debug)]
pub enum Answer {
    /// To the one for the customer with this id.
    Customer(String, Found),
    /// To the one for the children of this id's; `None` where Explo does not tell them.
    Children(String, Option<Vec<String>>),
    /// To the one for the tags; `None` where Explo does not tell them.
    Tags(Option<BTreeSet<String>>),
}

/// What a question for one customer found.
#[derive(Debug)]
pub enum Found {
    /// This.
    Customer(Box<Customer<'static>>),
    /// There is none.
    Nobody,
    /// Nobody knows.
    Nothing,
}

/// What can't go on without answers.
pub trait Inquiry {
    /// What is to be asked next, once the last questions are answered; `None` at the end.
    fn questions(&mut self) -> Option<Vec<Question>>;

    /// Takes one answer; gives what is to be remembered at once.
    fn answer(&mut self, answer: Answer) -> Vec<Entry>;
}

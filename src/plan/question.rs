//! Questions that the listing can't answer, and Explo's answers.

use std::collections::BTreeSet;

use crate::{memory::Entry, model::Customer};

/// A question; each costs one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// For the customer with this id.
    Customer(String),
    /// For the customers below the one with this id.
    Children(String),
    /// For all group tags.
    Tags,
}

/// The answer to one question.
#[derive(Debug)]
pub enum Answer {
    /// About the customer with this id.
    Customer(String, Found),
    /// About the children of this id; `None` if Explo gave no answer.
    Children(String, Option<Vec<String>>),
    /// About the tags; `None` if Explo gave no answer.
    Tags(Option<BTreeSet<String>>),
}

/// The result of looking up one customer.
#[derive(Debug)]
pub enum Found {
    /// This customer.
    Customer(Box<Customer<'static>>),
    /// There is no such customer.
    Nobody,
    /// Explo gave no clear answer.
    Nothing,
}

/// A step of planning that needs answers.
pub trait Inquiry {
    /// The next questions, once the last ones are answered; `None` at the end.
    fn questions(&mut self) -> Option<Vec<Question>>;

    /// Accepts one answer; returns what to remember at once.
    fn answer(&mut self, answer: Answer) -> Vec<Entry>;
}

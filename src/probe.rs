//! Finds out how this Explo behaves where its documents are silent, with a demo customer of its own.
//!
//! Promises: it writes to no other customer, and whatever happens it removes its own, or says that it could not. A
//! token is deleted only if the listing and the answers about that customer agree that it is this customer's.

mod demo;
mod listing;
mod pages;
mod question;
mod removal;
mod settings;
mod writes;

use crate::explo::{Client, Endpoint, Error, wire};
use demo::{Answer, Demo};
use question::{GONE, UNKNOWN_TAGS};

pub use demo::PREFIX;
pub use question::{Finding, Here, QUESTIONS, Question};
pub use removal::Remains;
pub use settings::settings;

/// What a probe found, and what it left.
#[derive(Debug)]
pub struct Probed {
    /// The id of its customer.
    pub provided_id: String,
    /// One finding for each question, in their order.
    pub findings: Vec<Finding>,
    /// What became of its customer.
    pub remains: Remains,
    /// Customers of earlier probes, as far as it saw the listing.
    pub leftovers: Vec<String>,
    /// Why it ended early.
    pub error: Option<Error>,
}

impl Probed {
    /// Why it ended early, in words.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        self.error.as_ref().map(in_words)
    }
}

/// A probe has no next run that carries on.
fn in_words(error: &Error) -> String {
    match error {
        Error::Stopped { reason } => format!("stopped by {reason}"),
        error => error.to_string(),
    }
}

/// Asks every question. `client` stops at a signal; `after` goes on for a while, to remove the customer.
pub async fn probe(client: &Client, after: &Client, random: u64) -> Probed {
    let mut demo = Demo::new(client, random);
    let mut error = measure(&mut demo).await.err();
    let (remains, token) = removal::remove(&mut demo, after).await;
    if let (None, Some(token)) = (&error, token) {
        error = gone(&mut demo, &token).await.err();
    }
    let Demo { id, findings: mut found, seen, .. } = demo;
    let why = error.as_ref().map_or_else(|| "not measured".to_owned(), in_words);
    let of = |question: &&'static Question| {
        let at = found.iter().position(|finding| finding.question == *question);
        at.map_or_else(|| question.untried(why.clone()), |at| found.swap_remove(at))
    };
    let findings = QUESTIONS.iter().map(of).collect();
    Probed { provided_id: id, findings, remains, leftovers: seen.leftovers.into_iter().collect(), error }
}

async fn measure(demo: &mut Demo<'_>) -> Result<(), Error> {
    demo.find(UNKNOWN_TAGS.untried("not tried, because a tag can't be deleted"));
    demo.is_absent().await?;
    let created = demo.create().await?;
    demo.find(writes::address_case(&created));
    listing::measure(demo).await?;
    writes::measure(demo).await
}

/// What a token is answered that nobody has any more.
async fn gone(demo: &mut Demo<'_>, token: &str) -> Result<(), Error> {
    let body = serde_json::json!({"current_token": token}).to_string();
    let deleted = demo.ask(Endpoint::DeleteCustomer, Some(body), |body| wire::read_success(body).map(Some)).await;
    let finding = match deleted? {
        Answer::Shows(()) => GONE.found("success", ""),
        Answer::Refuses(refused) => GONE.found("refused", refused.status.to_string()),
    };
    demo.find(finding);
    Ok(())
}

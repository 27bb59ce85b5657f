//! Special properties of the customers that the sandbox begins with.

use clap::Args;

use super::{OddCustomer, Store, StoreError, choice::Second};

const CUSTOMERS: &str = "The customers to begin with";

/// What others did to the customers before the first call.
#[expect(clippy::doc_markdown, reason = "a terminal shows these lines as they are")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Beginning {
    /// Hide this customer from listings, as a visibility group does (repeatable)
    #[arg(long, value_name = "ID", help_heading = CUSTOMERS)]
    pub hide: Vec<String>,
    /// Hide the customers of this access_group from listings (repeatable)
    #[arg(long, value_name = "NAME", help_heading = CUSTOMERS)]
    pub hide_group: Vec<String>,
    /// Make this customer hard to read, in a way named below (repeatable)
    #[arg(long, value_name = "ID=KIND", help_heading = CUSTOMERS)]
    pub odd: Vec<OddCustomer>,
    /// Have a second customer with this provided_id (repeatable)
    #[arg(long, value_name = "ID", help_heading = CUSTOMERS)]
    pub twice: Vec<String>,
    /// Where the second one is listed: after, before (the first)
    #[arg(long, value_enum, default_value_t, value_name = "WHERE", requires = "twice", help_heading = CUSTOMERS)]
    pub second: Second,
}

/// A customer that a switch names can't be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--{switch} {id}: {source}")]
pub struct BeginningError {
    switch: &'static str,
    id: String,
    source: StoreError,
}

impl Beginning {
    /// Applies all this to the customers.
    pub fn prepare(&self, store: &mut Store) -> Result<(), BeginningError> {
        store.hide(self.hide.iter().cloned());
        self.hide_group.iter().for_each(|group| store.hide_group(group));
        for id in &self.twice {
            store.twice(id, self.second).map_err(unknown("twice", id))?;
        }
        for OddCustomer { provided_id, odd } in &self.odd {
            store.make_odd(provided_id, *odd).map_err(unknown("odd", provided_id))?;
        }
        Ok(())
    }
}

fn unknown(switch: &'static str, id: &str) -> impl FnOnce(StoreError) -> BeginningError {
    move |source| BeginningError { switch, id: id.to_owned(), source }
}

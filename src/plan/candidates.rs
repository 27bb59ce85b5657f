//! Whom somebody may mean who asks for an id that no row has: support looks people up by name, or in another case.

use std::collections::BTreeSet;

use crate::model::{Row, Tenant, id_of};

/// At most this many are kept.
const MOST: usize = 10;

/// A part of an id or a name that is shorter than this finds too many.
const SHORTEST_PART: usize = 3;

/// A row that may be meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Its id.
    pub provided_id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
}

/// The likeliest candidates among the rows observed so far.
#[derive(Debug)]
pub struct Candidates {
    asked: String,
    plain: String,
    /// By likelihood, the likeliest first.
    best: BTreeSet<(Likeness, Candidate)>,
    claimants: BTreeSet<String>,
}

/// In what a row is like the text that was asked for; the likeliest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// It had this id before.
    PreviousId,
    /// The id, but for case and for space at the ends.
    Id,
    /// The name, in the same way.
    Name,
    /// A part of the id or the name.
    Part,
}

impl Candidates {
    /// Starts with the id that was asked for.
    #[must_use]
    pub fn new(asked: &str) -> Self {
        Self { asked: asked.to_owned(), plain: plain(asked), best: BTreeSet::new(), claimants: BTreeSet::new() }
    }

    /// Observes a row of the source.
    pub fn observe(&mut self, row: &Row<'_>) {
        let Some(provided_id) = id_of(row) else { return };
        let (name, previous) = match row {
            Ok(Tenant { name, previous_provided_id, .. }) => (name.as_deref(), previous_provided_id.as_deref()),
            Err(invalid) => (None, invalid.previous_provided_id.as_deref()),
        };
        let is_claimant = previous == Some(&*self.asked) && provided_id != self.asked;
        if is_claimant && self.claimants.len() < MOST {
            self.claimants.insert(provided_id.to_owned());
        }
        let likeness = if is_claimant { Some(Likeness::PreviousId) } else { self.likeness(provided_id, name) };
        if let Some(likeness) = likeness {
            let candidate = Candidate { provided_id: provided_id.to_owned(), name: name.map(str::to_owned) };
            self.best.insert((likeness, candidate));
        }
        if self.best.len() > MOST {
            self.best.pop_last();
        }
    }

    fn likeness(&self, provided_id: &str, name: Option<&str>) -> Option<Likeness> {
        let (id, name) = (plain(provided_id), name.map(plain));
        let is_part = |text: &String| self.plain.chars().count() >= SHORTEST_PART && text.contains(&self.plain);
        match name {
            _ if id == self.plain => Some(Likeness::Id),
            Some(name) if name == self.plain => Some(Likeness::Name),
            Some(name) if is_part(&name) => Some(Likeness::Part),
            _ => is_part(&id).then_some(Likeness::Part),
        }
    }

    /// The ids of rows that name the asked id as their previous one.
    pub fn claimants(&self) -> impl Iterator<Item = &str> {
        self.claimants.iter().map(String::as_str)
    }

    /// The candidates, the likeliest first.
    #[must_use]
    pub fn into_best(self) -> Vec<Candidate> {
        self.best.into_iter().map(|(_, candidate)| candidate).collect()
    }
}

fn plain(text: &str) -> String {
    text.trim().to_lowercase()
}

//! A ledger in a table that is only thought of: it keeps tokens, and outlives the process.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use explo_sync::{
    applier::Outcome,
    ledger::{Error, Ledger, Writer},
    plan::{Entry, Findings, Token},
    report::Report,
};
use secrecy::ExposeSecret;

use super::{oracle::stored, world::World};

/// What it holds.
pub struct Table {
    findings: RefCell<Findings>,
    /// By id, as an application finds them.
    tokens: RefCell<BTreeMap<String, Option<String>>>,
}

pub struct TableWriter<'a>(&'a Table);

impl Default for Table {
    fn default() -> Self {
        Self { findings: Findings::with_tokens(HashMap::new()).into(), tokens: RefCell::default() }
    }
}

impl Table {
    /// Each tenant's token is there, and nobody has another's.
    pub fn check(&self, world: &World, report: &Report) {
        let (tenants, tokens, api) = (world.tenants.borrow(), self.tokens.borrow(), world.api.borrow());
        let held = |id: &str| stored(&api, id).map(|customer| customer["token"].as_str().unwrap().to_owned());
        // Nobody sees that a customer is gone which no listing shows.
        for (id, token) in tokens.iter().filter(|(id, _)| !world.scenario.hidden.contains(id)) {
            assert!(token.is_none() || *token == held(id), "{id} has the token {token:?}, not {:?}", held(id));
        }
        let plan = &report.run.plan;
        let undone = plan.changes.iter().enumerate().filter_map(|(number, change)| match report.outcome(number) {
            Some(Outcome::Failed(_) | Outcome::Deferred | Outcome::Waiting(_)) => Some(plan.provided_id(change)),
            _ => None,
        });
        let invalid = plan.invalid.iter().filter_map(|invalid| invalid.provided_id.as_deref().map(Cow::Borrowed));
        let excused: BTreeSet<_> = undone.chain(invalid).collect();
        for id in tenants.iter().map(|tenant| &tenant.provided_id) {
            if held(id).is_some() && !excused.contains(id) {
                assert!(tokens.get(&**id).is_some_and(Option::is_some), "{id} has no token");
            }
        }
    }
}

impl Ledger for Table {
    type Writer<'a> = TableWriter<'a>;

    async fn load(&self) -> Result<Findings, Error> {
        Ok(self.findings.borrow().clone())
    }

    async fn writer(&self) -> Result<TableWriter<'_>, Error> {
        Ok(TableWriter(self))
    }
}

impl Writer for TableWriter<'_> {
    async fn record(&self, entries: &[Entry]) -> Result<(), Error> {
        let mut tokens = self.0.tokens.borrow_mut();
        for entry in entries {
            let former = entry.former.as_ref().and_then(|former| tokens.remove(former)).flatten();
            let token = tokens.entry(entry.provided_id.clone()).or_insert(former);
            match &entry.token {
                Token::Kept => {}
                Token::Shown(shown) => *token = Some(shown.expose_secret().to_owned()),
                Token::Gone => *token = None,
            }
            self.0.findings.borrow_mut().take(entry.clone());
        }
        Ok(())
    }
}

//! One builder of what a test is about: tenants in a database, customers in Explo, and the program between them.
//!
//! The customers are derived from the tenants, so that a test says only where the two sides differ.

use std::{collections::BTreeMap, fmt::Display};

use clap::Parser;
use explo_sync::{
    model::{Object, Tenant},
    sandbox::{Api, Behaviour, Sandbox, Store, StoredCustomer},
};
use serde_json::Value;

use super::{Database, Kind, Program, customer, derived, sandbox_of};

/// A world that is not yet made.
pub struct World {
    kind: Kind,
    tenants: Vec<Tenant<'static>>,
    /// Of those that no tenant needs, the columns that there are all the same.
    columns: Vec<&'static str>,
    customers: Vec<StoredCustomer>,
    /// By the customer's id.
    numbers: BTreeMap<String, usize>,
    behaviour: Behaviour,
    token: Option<String>,
    program: Program,
}

/// What a test may write for a tenant.
pub trait AsTenant {
    fn tenant(self) -> Tenant<'static>;
}

impl AsTenant for Tenant<'static> {
    fn tenant(self) -> Self {
        self
    }
}

/// An id and a name.
impl<I: Display, N: Display> AsTenant for (I, N) {
    fn tenant(self) -> Tenant<'static> {
        let (id, name) = (self.0.to_string().into(), self.1.to_string().into());
        Tenant { provided_id: id, name: Some(name), ..Tenant::default() }
    }
}

/// An object of fields by their names; what it lacks is not managed.
impl AsTenant for Value {
    fn tenant(self) -> Tenant<'static> {
        let text = |field: &str| self[field].as_str().map(|text| text.to_owned().into());
        let list = |field: &str| {
            let list = self[field].as_array()?.iter();
            Some(list.map(|text| text.as_str().unwrap().to_owned().into()).collect())
        };
        let object = |field: &str| self.get(field).map(|object| Object::Whole(object.to_string().into()));
        Tenant {
            provided_id: text("provided_id").unwrap(),
            previous_provided_id: text("previous_provided_id"),
            parent_provided_id: text("parent_provided_id"),
            name: text("name"),
            emails: list("emails"),
            group_tags: list("group_tags"),
            properties: object("properties"),
            mapping: object("mapping"),
            is_demo_group: self["is_demo_group"].as_bool(),
            hierarchy_level_name: text("hierarchy_level_name"),
            offboard: self["offboard"].as_bool().filter(|leaves| *leaves).map(|_| 0),
        }
    }
}

impl World {
    /// These tenants, an Explo without customers, and the program as fast as it goes.
    pub fn of(tenants: impl IntoIterator<Item = impl AsTenant>) -> Self {
        Self {
            kind: Kind::Sqlite,
            tenants: tenants.into_iter().map(AsTenant::tenant).collect(),
            columns: vec!["name"],
            customers: Vec::new(),
            numbers: BTreeMap::new(),
            behaviour: Behaviour::default(),
            token: None,
            program: Program::default(),
        }
    }

    /// No tenants.
    pub fn empty() -> Self {
        Self::of([(); 0].map(|()| ("", "")))
    }

    /// The tenants are in a database of this kind; if nothing is said, in SQLite.
    pub fn on(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// The table has these columns though no tenant needs them.
    pub fn columns(mut self, fields: &[&'static str]) -> Self {
        self.columns.extend(fields);
        self
    }

    /// Each tenant has its customer, just as the tenant wants it.
    pub fn derived(self) -> Self {
        let customers: Vec<_> = self.tenants.iter().map(derived).collect();
        self.having(customers)
    }

    /// These further customers.
    pub fn having(mut self, customers: impl IntoIterator<Item = StoredCustomer>) -> Self {
        for customer in customers {
            if let Some(id) = &customer.provided_id {
                self.numbers.insert(id.clone(), self.customers.len());
            }
            self.customers.push(customer);
        }
        self
    }

    /// These further customers, in the shape of the listing.
    pub fn and(self, customers: impl IntoIterator<Item = Value>) -> Self {
        self.having(customers.into_iter().map(customer))
    }

    /// One customer is otherwise.
    pub fn but(mut self, id: &str, change: impl FnOnce(&mut StoredCustomer)) -> Self {
        change(&mut self.customers[self.numbers[id]]);
        self
    }

    /// Every customer is otherwise.
    pub fn each(mut self, change: impl FnMut(&mut StoredCustomer)) -> Self {
        self.customers.iter_mut().for_each(change);
        self
    }

    /// These tenants have no customer.
    pub fn without(self, ids: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let gone: Vec<_> = ids.into_iter().map(|id| self.numbers[id.as_ref()]).collect();
        let Self { customers, .. } = self;
        let left = customers.into_iter().enumerate().filter(|(number, _)| !gone.contains(number));
        let left: Vec<_> = left.map(|(_, customer)| customer).collect();
        Self { customers: Vec::new(), numbers: BTreeMap::new(), ..self }.having(left)
    }

    /// Explo behaves as these switches of `explo-sync sandbox` say.
    pub fn behaving(self, flags: &str) -> Self {
        Self { behaviour: behaviour(flags), ..self }
    }

    /// Explo knows this team token alone.
    pub fn knowing(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The program has one more variable.
    pub fn with(self, name: &str, value: &str) -> Self {
        Self { program: self.program.with(name, value), ..self }
    }

    /// The program keeps a ledger beside the tenants.
    pub fn with_ledger(self) -> Self {
        self.with("EXPLO_SYNC__LEDGER__URL", "source")
    }

    /// Makes it.
    pub async fn start(self) -> (Database, Sandbox, Program) {
        let (database, query) = Database::with_tenants(self.kind, &self.tenants, &self.columns).await;
        let mut api = Api::new(Store::new(self.customers), 7);
        (api.behaviour, api.token) = (self.behaviour, self.token);
        let sandbox = sandbox_of(api).await;
        let program = Program::between(&database, &sandbox, &query).and(self.program);
        (database, sandbox, program)
    }
}

/// What switches of `explo-sync sandbox` say.
pub fn behaviour(flags: &str) -> Behaviour {
    #[derive(Parser)]
    struct Switches {
        #[command(flatten)]
        behaviour: Behaviour,
    }
    Switches::parse_from(["sandbox"].into_iter().chain(flags.split_whitespace())).behaviour
}

//! Sees each call right before Explo answers it. Laws of the single write that offboards:
//!
//! - a wake offboards only whose row says so, by a read right before; a run, only whose row says so or is gone;
//! - the ledger knew the token of whom a run deletes before the run began;
//! - nobody is deleted above a customer that was there when the children were listed last, nor above a tenant that stays;
//! - after a look, another customer with the same id is neither deleted nor locked out;
//! - a deletion that reached Explo is repeated only after a look;
//! - no customer is made for a row that says that its tenant leaves.
//!
//! It also is the user who changes customers in the middle of a run.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use explo_sync::{
    model::Tenant,
    sandbox::{Api, FaultKind, Store, StoredCustomer},
};
use tokio::time::Instant;

use super::scene::customer;
use crate::simulation::{
    table::Table,
    tell,
    wire::{By, Call},
    world::World,
};

/// A run has loaded the ledger by then.
const LOADING: Duration = Duration::from_millis(100);

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    Gone,
    Leaves,
    /// Its tenant stays, below this one.
    Stays(Option<String>),
}

/// What a user does to the customer that a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Deletes it, and makes another one with the same id.
    Swap,
    /// Makes a customer below it.
    Child,
}

/// Whose calls are about which customer.
type About = (usize, u128, String);

pub struct Witness {
    api: Rc<RefCell<Api>>,
    table: Rc<Table>,
    began: Instant,
    /// How old the last read of a row may be when a write begins.
    pub freshness: Cell<Duration>,
    /// What each row said, and from when on.
    rows: RefCell<BTreeMap<String, Vec<(Instant, Says)>>>,
    /// What a user does, after this number of calls that may have to do with it.
    pub deed: Cell<Option<(Deed, usize)>>,
    /// The number of the last call, or of the last customer that a user made.
    last: Cell<usize>,
    /// The tokens of the customers that users made, with the number, and when.
    made: RefCell<BTreeMap<String, (usize, Instant)>>,
    /// The addresses of the customers that users made, by token.
    addresses: RefCell<BTreeMap<String, Vec<String>>>,
    /// The ids whose customers users made or deleted.
    meddled: RefCell<BTreeSet<String>>,
    /// The tokens of customers that were emptied before the ledger could know what they were, or that took the place of others
    /// right before a write.
    pub lost: RefCell<BTreeSet<String>>,
    /// The calls that showed a customer first; those of a listing without its id.
    first: RefCell<BTreeMap<About, usize>>,
    /// The calls that looked at a customer last, and that listed its children last.
    looks: RefCell<BTreeMap<About, usize>>,
    listings: RefCell<BTreeMap<About, usize>>,
    /// The last deletions, by token, with the customer's id.
    deletions: RefCell<BTreeMap<About, (usize, String)>>,
    /// Which customers were offboarded, when, and by whom.
    pub left: RefCell<Vec<(Instant, By, String)>>,
}

impl Witness {
    pub fn new(world: &World, table: &Rc<Table>) -> Rc<Self> {
        let witness = Rc::new(Self {
            api: Rc::clone(&world.api),
            table: Rc::clone(table),
            began: Instant::now(),
            freshness: Cell::default(),
            rows: RefCell::default(),
            deed: Cell::default(),
            last: Cell::default(),
            made: RefCell::default(),
            addresses: RefCell::default(),
            meddled: RefCell::default(),
            lost: RefCell::default(),
            first: RefCell::default(),
            looks: RefCell::default(),
            listings: RefCell::default(),
            deletions: RefCell::default(),
            left: RefCell::default(),
        });
        for customer in world.api.borrow().store().customers() {
            witness.addresses.borrow_mut().insert(customer.token.clone(), customer.emails.clone());
        }
        witness.rows(&world.tenants.borrow());
        *world.witness.borrow_mut() = Some(Rc::clone(&witness));
        witness
    }

    /// The rows are these from now on.
    pub fn rows(&self, tenants: &[Tenant<'_>]) {
        let mut rows = self.rows.borrow_mut();
        for tenant in tenants {
            rows.entry(tenant.provided_id.to_string()).or_default();
        }
        for (id, states) in rows.iter_mut() {
            let row = tenants.iter().find(|tenant| *tenant.provided_id == **id);
            let says = match row {
                None => Says::Gone,
                Some(tenant) if tenant.offboard.is_some() => Says::Leaves,
                Some(tenant) => Says::Stays(tenant.parent_provided_id.as_deref().map(str::to_owned)),
            };
            if states.last().is_none_or(|(_, last)| *last != says) {
                tell::event(format_args!("the row {id:?}: {says:?}"));
                states.push((Instant::now(), says));
            }
        }
    }

    /// Whether a row said this at any time from then on.
    fn said(&self, id: &str, from: Instant, says: impl Fn(&Says) -> bool) -> bool {
        let rows = self.rows.borrow();
        let Some(states) = rows.get(id) else { return false };
        let ends = states.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
        states.iter().zip(ends).any(|((_, said), end)| end.is_none_or(|end| end >= from) && says(said))
    }

    pub fn sees(&self, call: &Call) {
        self.act(call);
        let (number, id) = (self.next(), call.provided_id().to_owned());
        match (call.endpoint.as_str(), &call.parent) {
            ("get_customer", _) => {
                self.first.borrow_mut().entry(about(call, &id)).or_insert(number);
                self.looks.borrow_mut().insert(about(call, &id), number);
            }
            ("customers", None) => drop(self.first.borrow_mut().entry(about(call, "")).or_insert(number)),
            ("customers", Some(parent)) => drop(self.listings.borrow_mut().insert(about(call, parent), number)),
            ("create_customer", _) => {
                let since = self.began_at(call.by).min(call.began);
                assert!(self.said(&id, since, |says| *says != Says::Leaves), "{id} leaves, and is created: {call}");
            }
            ("delete_customer", _) => {
                let api = self.api.borrow();
                let token = call.deletes().unwrap();
                let customer = api.store().customers().iter().find(|customer| customer.token == token).cloned();
                drop(api);
                self.check_repeated(call, &token);
                if let Some(customer) = customer {
                    let deletion = (number, customer.provided_id.clone().unwrap());
                    self.deletions.borrow_mut().insert(about(call, &token), deletion);
                    self.check_delete(call, &customer);
                }
            }
            ("update_customer", _) if call.empties() => {
                let customer = self.api.borrow().store().get(&id).cloned();
                if let Some(customer) = customer.filter(|customer| !customer.emails.is_empty()) {
                    self.check_empty(call, &customer);
                }
            }
            ("update_customer", _) if call.fields().any(|field| field == "emails") => self.lets_in(call),
            _ => {}
        }
    }

    /// Between its listing and a write a customer may become another one: no call tells.
    fn lets_in(&self, call: &Call) {
        let customer = self.api.borrow().store().get(call.provided_id()).cloned();
        let Some(customer) = customer else { return };
        if self.made_after_first(call, &customer).is_some() {
            self.lost.borrow_mut().insert(customer.token);
        }
    }

    fn check_repeated(&self, call: &Call, token: &str) {
        if let Some((before, id)) = self.deletions.borrow().get(&about(call, token)) {
            let looked = self.looks.borrow().get(&about(call, id)).copied();
            assert!(looked > Some(*before), "the deletion of {id} is repeated without a look: {call}");
        }
    }

    fn check_delete(&self, call: &Call, customer: &StoredCustomer) {
        let id = self.check_row(call, customer);
        let since = if call.by.run.is_some() { self.began_at(call.by) + LOADING } else { Instant::now() };
        assert!(self.table.knew(&customer.token, since), "{id} is deleted, and its token was not known: {call}");
        let api = self.api.borrow();
        let listed = self.listings.borrow().get(&about(call, id)).copied();
        let mut below = api.store().customers().iter().filter(|one| one.parent_provided_id.as_deref() == Some(id));
        let was_there = |child: &&StoredCustomer| {
            self.made_at(&child.token).is_none_or(|(made, _)| listed.is_none_or(|listed| made <= listed))
        };
        let child = below.find(was_there);
        let is_lied_to = api.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Nobody | FaultKind::Fewer(_)));
        assert!(child.is_none() || is_lied_to, "{id} is deleted above {child:?}");
        if call.by.run.is_some() {
            let rows = self.rows.borrow();
            let child = rows.keys().find(|child| {
                let is_below = |says: &Says| *says == Says::Stays(Some(id.to_owned()));
                !self.said(child, self.began_at(call.by), |says| !is_below(says))
            });
            assert!(child.is_none(), "{id} is deleted above the tenant {child:?}, which stays");
        }
    }

    fn check_empty(&self, call: &Call, customer: &StoredCustomer) {
        let id = self.check_row(call, customer);
        let looked = self.looks.borrow().get(&about(call, id)).copied();
        let is_new = self.made_at(&customer.token).is_some_and(|(_, at)| at > self.began_at(call.by));
        match self.made_after_first(call, customer) {
            Some(made) => {
                assert!(looked < Some(made), "{id} is locked out, and a look has shown another customer: {call}");
                self.lost.borrow_mut().insert(customer.token.clone());
            }
            None if is_new => {}
            None => {
                let since = self.began_at(call.by) + LOADING;
                let is_said = self.said(id, call.began - self.freshness.get(), |says| *says == Says::Leaves);
                let is_known = self.table.knew(&customer.token, since);
                assert!(is_said || is_known, "{id} is locked out, and its token was not known: {call}");
            }
        }
    }

    fn check_row<'c>(&self, call: &Call, customer: &'c StoredCustomer) -> &'c str {
        let id = customer.provided_id.as_deref().unwrap();
        let is_run = call.by.run.is_some();
        let leaves = |says: &Says| *says == Says::Leaves || is_run && *says == Says::Gone;
        let is_said = self.said(id, call.began - self.freshness.get(), leaves);
        assert!(is_said, "{id} is offboarded, and its row says {:?}: {call}", self.rows.borrow().get(id));
        self.left.borrow_mut().push((Instant::now(), call.by, id.to_owned()));
        id
    }

    fn next(&self) -> usize {
        self.last.set(self.last.get() + 1);
        self.last.get()
    }

    fn began_at(&self, by: By) -> Instant {
        self.began + Duration::from_millis(by.since.try_into().unwrap())
    }

    /// When a user made a customer, if that was after the caller first saw one with its id.
    fn made_after_first(&self, call: &Call, customer: &StoredCustomer) -> Option<usize> {
        let first = self.first.borrow();
        let shown = [call.provided_id(), ""].into_iter().filter_map(|id| first.get(&about(call, id)).copied()).min();
        let (made, at) = self.made_at(&customer.token)?;
        (at > self.began_at(call.by) && shown? < made).then_some(made)
    }

    fn made_at(&self, token: &str) -> Option<(usize, Instant)> {
        self.made.borrow().get(token).copied()
    }

    /// The user acts, if it is time.
    fn act(&self, call: &Call) {
        let token = call.deletes();
        let mut api = self.api.borrow_mut();
        let of_token = |token: &String| {
            let customer = api.store().customers().iter().find(|customer| customer.token == *token);
            customer.and_then(|customer| customer.provided_id.clone())
        };
        let is_look = call.endpoint == "get_customer" || call.empties();
        let looked = is_look.then(|| call.provided_id().to_owned());
        let about = token.as_ref().and_then(of_token).or(looked).or_else(|| call.parent.clone());
        let (Some(id), Some((deed, left))) = (about, self.deed.get()) else { return };
        self.deed.set((left > 0).then(|| (deed, left - 1)));
        if left == 0 {
            match deed {
                Deed::Swap => self.swap(api.store_mut(), &id),
                Deed::Child => self.make(api.store_mut(), customer(&format!("child of {id}"), Some(id))),
            }
        }
    }

    /// Whether a user made or deleted the customer with this id.
    pub fn is_meddled(&self, id: &str) -> bool {
        self.meddled.borrow().contains(id)
    }

    /// The addresses of a customer that a user made.
    pub fn addresses(&self, token: &str) -> Option<Vec<String>> {
        self.addresses.borrow().get(token).cloned()
    }

    /// Deletes a customer and makes another one with the same id, unless somebody is below it.
    pub fn swap(&self, store: &mut Store, id: &str) {
        if let Some(customer) = self.remove(store, id) {
            self.make(store, StoredCustomer { token: String::new(), ..customer });
        }
    }

    /// Deletes a customer, unless somebody is below it, and returns it.
    pub fn remove(&self, store: &mut Store, id: &str) -> Option<StoredCustomer> {
        let customer = store.get(id)?.clone();
        store.delete(&customer.token).ok()?;
        tell::event(format_args!("somebody deletes {id:?}"));
        self.meddled.borrow_mut().insert(id.to_owned());
        self.table.removed.borrow_mut().insert(customer.token.clone());
        Some(customer)
    }

    /// Makes a customer, unless one has its id.
    pub fn make(&self, store: &mut Store, mut customer: StoredCustomer) {
        let id = customer.provided_id.clone().unwrap();
        let has_parent = customer.parent_provided_id.as_ref().is_none_or(|parent| store.get(parent).is_some());
        if has_parent && store.get(&id).is_none() {
            tell::event(format_args!("somebody makes {id:?}"));
            customer.emails = vec![format!("new{}@x.example", self.made.borrow().len())];
            let addresses = customer.emails.clone();
            store.add(customer);
            let token = store.get(&id).unwrap().token.clone();
            self.meddled.borrow_mut().insert(id);
            self.addresses.borrow_mut().insert(token.clone(), addresses);
            self.made.borrow_mut().insert(token, (self.next(), Instant::now()));
        }
    }
}

fn about(call: &Call, id: &str) -> About {
    (call.by.process, call.by.since, id.to_owned())
}

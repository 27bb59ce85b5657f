//! A simulated ledger table: it keeps tokens, and outlives the process. Checks each recorded batch for tokens of other
//! customers.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
    time::Duration,
};

use explo_sync::{
    ledger::{Error, InMemory, Ledger, Refused, Writer},
    memory::{Entry, LockedOut, Memory, Note, Overview, Token},
    model::Tenant,
    sandbox::{Api, FaultKind, Order, StoredCustomer},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use secrecy::ExposeSecret;
use tokio::time::{Instant, sleep};

use super::{
    course::{Course, Ended},
    oracle::{Watch, is_excused, is_hidden, listed, stored},
    scenario::ANOTHERS,
    world::World,
};

/// How the text of a deletion begins that is not known to be done.
const DELETING: &str = r#"{"action":"delete","at""#;

/// A ledger for a world.
pub trait Kept: Ledger {
    /// Whether it outlives a process.
    const OUTLIVES: bool;

    /// An empty ledger.
    fn of(world: &World) -> Self;

    /// Checks the ledger after a run.
    fn check_run(&self, _: &World, _: &Course, _: &Ended) {}

    /// Checks the ledger at the end.
    fn check_end(&self, _: &World) {}
}

/// The rows of the table.
pub struct Table {
    memory: RefCell<Memory>,
    /// By id, as an application reads them.
    tokens: RefCell<Tokens>,
    /// Since when each token is known, or was.
    known: RefCell<BTreeMap<String, Instant>>,
    /// The tokens of the customers that users deleted, also in the middle of a run.
    pub removed: RefCell<BTreeSet<String>>,
    /// Its clock in seconds since 1970, in worlds where tenants leave.
    pub clock: Cell<Option<u64>>,
    /// Its clock: it ticks with each batch.
    ticks: Cell<u64>,
    /// What offboarded customers were.
    pub offboarded: RefCell<BTreeMap<String, String>>,
    /// When each customer was in sync last.
    synced: RefCell<BTreeMap<String, u64>>,
    /// For how long it answers a question or takes a batch; in busy worlds alone.
    latency: Option<RefCell<SmallRng>>,
    watch: Rc<Watch>,
    api: Rc<RefCell<Api>>,
    tenants: Rc<RefCell<Vec<Tenant<'static>>>>,
    trust_total: bool,
    is_steady: bool,
}

type Tokens = BTreeMap<String, Option<String>>;

pub struct TableWriter<'a>(&'a Table);

impl Kept for InMemory {
    const OUTLIVES: bool = false;

    fn of(_: &World) -> Self {
        Self::default()
    }
}

impl Kept for Table {
    const OUTLIVES: bool = true;

    fn of(world: &World) -> Self {
        Self {
            memory: Memory::with_tokens(HashMap::new()).into(),
            tokens: RefCell::default(),
            known: RefCell::default(),
            removed: RefCell::default(),
            clock: Cell::default(),
            ticks: Cell::default(),
            offboarded: RefCell::default(),
            synced: RefCell::default(),
            latency: world.watch.is_on().then(|| SmallRng::seed_from_u64(world.scenario.seed).into()),
            watch: Rc::clone(&world.watch),
            api: Rc::clone(&world.api),
            tenants: Rc::clone(&world.tenants),
            trust_total: world.scenario.trust_total,
            is_steady: world.scenario.is_steady,
        }
    }

    /// No customer has a token that the listing showed for another one. If the run refused the listing as another team's,
    /// the listing showed none of the table's tokens.
    fn check_run(&self, world: &World, course: &Course, ended: &Ended) {
        let (tokens, api) = (self.tokens.borrow(), self.api.borrow());
        if ended.is_of_strangers() {
            let mut known = tokens.values().flatten().filter_map(|token| owner(&api, token));
            let is_none_listed = known.all(|owner| api.store().is_hidden(owner));
            let remembered = tokens.values().flatten().count();
            assert!(remembered >= 3 && (is_none_listed || world.is_lied_to()), "these are no strangers: {tokens:?}");
        }
        if matches!(ended, Ended::Planned(_)) && !course.dry_run && !world.may_miss() {
            for (id, owner) in tokens.iter().filter_map(|(id, token)| Some((id, owner(&api, token.as_ref()?)?))) {
                let is_right = self.is_of(owner, id) || api.store().is_hidden(owner);
                assert!(is_right, "{id} has the token of {owner:?}");
            }
        }
    }

    /// Each tenant's token is there, and no other.
    fn check_end(&self, world: &World) {
        let (tokens, api) = (self.tokens.borrow(), self.api.borrow());
        let listed_customers = api.store().customers().iter().filter(|one| !api.store().is_hidden(one)).count();
        let is_small = 2 * listed_customers < tokens.values().flatten().count();
        for (id, token) in tokens.iter().filter_map(|(id, token)| Some((id, token.as_ref()?))) {
            // Of two customers with one id neither token is recorded, and the remembered one stays.
            let is_veiled = is_hidden(&api, id) || world.scenario.hidden.contains(id) || listed(&api, id).count() > 1;
            let is_its = owner(&api, token).is_some_and(|owner| owner.provided_id.as_ref() == Some(id));
            assert!(is_its || is_veiled || is_small, "{id} has the token {token:?}, which nobody has under this id");
        }
        for tenant in self.tenants.borrow().iter() {
            let id = &*tenant.provided_id;
            let has_token = tokens.get(id).is_some_and(Option::is_some);
            let is_there = stored(&api, id).is_some() && !is_excused(world, &api, tenant);
            assert!(has_token || !is_there, "{id} has no token");
        }
    }
}

impl Table {
    /// No customer gets another's token, and none loses its own.
    fn check_batch(&self, before: &Tokens, after: &Tokens) {
        let api = self.api.borrow();
        let has =
            |tokens: &Tokens, id: &str, token: &str| tokens.get(id).is_some_and(|held| held.as_deref() == Some(token));
        let new = after.iter().filter_map(|(id, token)| Some((id, token.as_ref()?)));
        for (id, token) in new.filter(|(id, token)| !has(before, id, token)) {
            let Some(owner) = owner(&api, token) else {
                assert!(self.removed.borrow().contains(token), "{id} gets the token {token:?}, which nobody has");
                continue;
            };
            assert!(self.is_of(owner, id), "{id} gets the token of {owner:?}");
            assert_ne!(owner.access_group.as_deref(), Some(ANOTHERS), "{id} gets the token of another team");
            let is_ambiguous = listed(&api, id).count() > 1 && !self.is_blind(&api);
            assert!(!is_ambiguous, "{id} gets the token of one of two");
        }
        let old = before.iter().filter_map(|(id, token)| Some((id, token.as_ref()?)));
        for (id, token) in old.filter(|(id, token)| !has(after, id, token)) {
            // No run looks up a hidden customer that no tenant has, nor one that an attempt with a lost answer may
            // have created.
            let is_told = |owner: &StoredCustomer| self.is_steady || !api.store().is_hidden(owner);
            // The answer to a create shows one of the two customers that the listing leaves out.
            let is_one_of_two = self.is_blind(&api) && listed(&api, id).count() > 1;
            let is_there = owner(&api, token)
                .is_some_and(|owner| owner.provided_id.as_ref() == Some(id) && is_told(owner) && !is_one_of_two);
            assert!(!is_there || self.misses(&api), "{id} loses its token {token:?}");
        }
    }

    /// Whether a customer has this id, or is being renamed from it.
    fn is_of(&self, customer: &StoredCustomer, id: &str) -> bool {
        let own = customer.provided_id.as_deref();
        let is_renamed = |tenant: &Tenant<'_>| {
            Some(&*tenant.provided_id) == own && tenant.previous_provided_id.as_deref() == Some(id)
        };
        own == Some(id) || self.tenants.borrow().iter().any(is_renamed)
    }

    /// Whether listings may lack customers again and again.
    fn misses(&self, api: &Api) -> bool {
        !api.behaviour.churn.is_empty() || !self.trust_total && api.behaviour.order == Order::Shuffled
    }

    fn is_blind(&self, api: &Api) -> bool {
        let is_lie = |kind| matches!(kind, FaultKind::Nobody | FaultKind::Fewer(_));
        self.misses(api) || api.faults.iter().any(|fault| is_lie(fault.kind)) || api.behaviour.total_plus != 0
    }
}

fn owner<'a>(api: &'a Api, token: &str) -> Option<&'a StoredCustomer> {
    api.store().customers().iter().find(|customer| customer.token == token)
}

impl Ledger for Table {
    type Writer<'a> = TableWriter<'a>;

    async fn load(&self) -> Result<Memory, Error> {
        self.wait().await;
        let memory = self.memory.borrow().clone().loaded_at(Some(self.ticks.get().to_string()), self.clock.get());
        let deleting = self.offboarded.borrow().keys().filter(|id| self.is_deleting(id)).cloned().collect();
        let memory = memory.with_locked_out(self.locked_out()).with_deleting(deleting);
        self.wait().await;
        Ok(memory)
    }

    async fn recall(&self, provided_ids: &BTreeSet<String>) -> Result<Memory, Error> {
        self.wait().await;
        let memory = self.memory.borrow().clone().with_locked_out(self.locked_out()).of_some(provided_ids);
        self.wait().await;
        Ok(memory)
    }

    async fn is_newer(&self, provided_id: &str, memory: &Memory) -> Result<bool, Error> {
        self.wait().await;
        let synced = self.synced.borrow().get(provided_id).copied();
        self.wait().await;
        let loaded = memory.time_of_loading().map(|time| time.parse().unwrap());
        Ok(synced.zip(loaded).is_some_and(|(synced, loaded): (_, u64)| synced > loaded))
    }

    async fn writer(&self) -> Result<TableWriter<'_>, Error> {
        Ok(TableWriter(self))
    }
}

impl Writer for TableWriter<'_> {
    async fn record(&self, entries: &[Entry]) -> Result<Refused, Error> {
        self.0.wait().await;
        self.0.take(entries);
        self.0.wait().await;
        Ok(Refused::new())
    }

    async fn overview(&self, overview: &Overview) -> Result<(), Error> {
        self.0.memory.borrow_mut().note(Note::Overview(Box::new(overview.clone())));
        Ok(())
    }

    async fn keep(&self, provided_id: &str, text: &str) -> Result<bool, Error> {
        self.0.wait().await;
        self.0.offboarded.borrow_mut().insert(provided_id.to_owned(), text.to_owned());
        self.0.wait().await;
        Ok(true)
    }
}

impl Table {
    /// The same, slow to answer.
    pub fn slowed(self, seed: u64) -> Self {
        Self { latency: Some(SmallRng::seed_from_u64(seed).into()), ..self }
    }

    /// Whether a customer's token is this one.
    pub fn has_token(&self, provided_id: &str, token: &str) -> bool {
        self.tokens.borrow().get(provided_id).is_some_and(|known| known.as_deref() == Some(token))
    }

    /// Whether a customer's deletion was begun and is not known to be done.
    pub fn is_deleting(&self, provided_id: &str) -> bool {
        self.offboarded.borrow().get(provided_id).is_some_and(|text| text.starts_with(DELETING))
    }

    /// Whether a token was known at this time.
    pub fn knew(&self, token: &str, at: Instant) -> bool {
        self.known.borrow().get(token).is_some_and(|since| *since <= at)
    }

    fn locked_out(&self) -> BTreeMap<String, LockedOut> {
        let kept = self.offboarded.borrow();
        kept.iter().filter_map(|(id, text)| Some((id.clone(), LockedOut::read(text)?))).collect()
    }

    async fn wait(&self) {
        if let Some(random) = &self.latency {
            let latency = Duration::from_millis(random.borrow_mut().random_range(0..50));
            sleep(latency).await;
        }
    }

    /// Writes a batch, as the real ledger does.
    fn take(&self, entries: &[Entry]) {
        let tick = self.ticks.get() + 1;
        self.ticks.set(tick);
        let (mut tokens, mut synced) = (self.tokens.borrow_mut(), self.synced.borrow_mut());
        let before = tokens.clone();
        for entry in entries {
            let former = entry.former.as_ref().and_then(|former| tokens.remove(former)).flatten();
            if let Some(tick) = entry.former.as_ref().and_then(|former| synced.remove(former)) {
                synced.entry(entry.provided_id.clone()).or_insert(tick);
            }
            let token = tokens.entry(entry.provided_id.clone()).or_insert(former);
            match &entry.token {
                Token::Kept => {}
                Token::Shown(shown) => *token = Some(shown.expose_secret().to_owned()),
                Token::Gone => *token = None,
            }
            if entry.is_back {
                self.offboarded.borrow_mut().remove(&entry.provided_id);
            }
            if entry.is_deleted
                && let Some(text) = self.offboarded.borrow_mut().get_mut(&entry.provided_id)
            {
                *text = text.replacen(DELETING, r#"{"action":"delete","gone":true,"at""#, 1);
            }
            if entry.is_synced {
                synced.insert(entry.provided_id.clone(), tick);
                let ids = [Some(&entry.provided_id), entry.former.as_ref()];
                for id in ids.into_iter().flatten() {
                    self.watch.recorded(id);
                }
            }
            self.memory.borrow_mut().remember(entry.clone());
        }
        for token in tokens.values().flatten() {
            self.known.borrow_mut().entry(token.clone()).or_insert_with(Instant::now);
        }
        self.check_batch(&before, &tokens);
    }
}

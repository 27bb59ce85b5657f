//! Rows that change while the processes work, and the word of each change: at once, late, twice or never.

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap, time::Duration};

use explo_sync::{
    daemon::Wakes,
    model::Tenant,
    reconciler::{Origin, Woken},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{scenario::ANOTHERS, world::World};

/// Ids that no row has.
const NOBODY: [&str; 8] = ["", " ", "nobody", "the parent", "../../x", "a\u{0}b", "T0", "'; drop table x; --"];

/// The most times that rows change while one process lives, and the most rows.
const MOST: usize = 24;
const MOST_ROWS: usize = 14;

/// What happens to the rows of a world.
pub struct Changes<'w> {
    world: &'w World,
    random: RefCell<SmallRng>,
    /// The number of the newest name.
    names: RefCell<usize>,
    /// Each row as it was, by id.
    former: RefCell<BTreeMap<String, Vec<Tenant<'static>>>>,
    /// The replies that are waited for.
    pub replies: RefCell<Vec<(String, oneshot::Receiver<Woken>)>>,
}

impl<'w> Changes<'w> {
    /// Names all rows, so that each state has a name of its own, and watches them.
    pub fn new(world: &'w World) -> Self {
        let changes = Self {
            world,
            random: RefCell::new(SmallRng::seed_from_u64(world.scenario.seed ^ 0x00C0_FFEE)),
            names: RefCell::default(),
            former: RefCell::default(),
            replies: RefCell::default(),
        };
        let mut tenants = world.tenants.borrow_mut();
        let mut api = world.api.borrow_mut();
        for tenant in tenants.iter_mut().filter(|tenant| tenant.name.is_some()) {
            let name = changes.name();
            if let Ok(customer) = api.store_mut().customer(&tenant.provided_id)
                && customer.access_group.as_deref() != Some(ANOTHERS)
                && changes.is(0.6)
            {
                customer.name.clone_from(&name);
            }
            tenant.name = Some(name.into());
        }
        world.watch.start(&tenants);
        drop((tenants, api));
        changes
    }

    /// Changes rows for this long, and tells these wakes of them.
    pub async fn go_on(&self, wakes: &Wakes, how_long: Duration) {
        let end = Instant::now() + how_long;
        let longest = *self.of(&[2, 20, 200]);
        let mut left = MOST;
        let mut words: Vec<(Instant, String)> = Vec::new();
        let mut next = Instant::now() + self.within(longest);
        loop {
            let due = words.iter().map(|(at, _)| *at).min().unwrap_or(next).min(next);
            if due >= end {
                return;
            }
            sleep_until(due).await;
            for (_, id) in words.extract_if(.., |(at, _)| *at <= due).collect::<Vec<_>>() {
                self.tell(wakes, &id);
            }
            if next <= due {
                left -= 1;
                next = if left == 0 { end } else { due + self.within(longest) };
                let count = if self.is(0.1) { 2 + self.below(10) } else { 1 };
                for id in (0..count).flat_map(|_| self.change()).collect::<Vec<_>>() {
                    words.extend(self.delays().into_iter().map(|delay| (due + delay, id.clone())));
                }
                let flood = if self.is(0.01) { 150 } else { 0 };
                words.extend((0..flood).map(|number| (due, format!("nobody-{number}"))));
            }
        }
    }

    /// One word of a change.
    fn tell(&self, wakes: &Wakes, id: &str) {
        let origin = *self.of(&[Origin::Listen, Origin::Poll, Origin::Post]);
        let (sender, reply) = oneshot::channel();
        let sender = (origin == Origin::Post).then_some(sender);
        if wakes.push(id, origin, sender).is_ok() && origin == Origin::Post {
            self.replies.borrow_mut().push((id.to_owned(), reply));
        }
    }

    /// When the word of a change comes: at once, late, twice or never.
    fn delays(&self) -> Vec<Duration> {
        match self.below(8) {
            0..4 => vec![Duration::ZERO],
            4 => vec![self.within(90)],
            5 => vec![Duration::ZERO, self.within(5)],
            6 => vec![self.within(5), self.within(90)],
            _ => vec![],
        }
    }

    /// Changes one row, or none; the ids that the word of it names.
    fn change(&self) -> Vec<String> {
        let mut tenants = self.world.tenants.borrow_mut();
        let chosen = tenants.choose(&mut *self.random.borrow_mut()).cloned();
        let Some(tenant) = chosen else { return self.create(&mut tenants, &Tenant::default()) };
        let id = tenant.provided_id.to_string();
        let place = tenants.iter().position(|one| one.provided_id == tenant.provided_id).unwrap();
        match self.below(16) {
            0 => return vec![(*self.of(&NOBODY)).to_owned()],
            1 => return vec![id],
            2 | 3 if tenants.len() < MOST_ROWS => return self.create(&mut tenants, &tenant),
            4 => {
                tenants.remove(place);
                self.changed(&id, None, Some(tenant));
            }
            5 => {
                // It comes back, or gets the values that it had once.
                let ids: Vec<_> = self.former.borrow().keys().cloned().collect();
                let Some(id) = ids.choose(&mut *self.random.borrow_mut()) else { return vec![] };
                let former = self.former.borrow()[id].choose(&mut *self.random.borrow_mut()).cloned().unwrap();
                let now = tenants.iter().position(|one| one.provided_id == *id);
                let before = now.map(|place| tenants.remove(place));
                tenants.push(former.clone());
                self.changed(id, Some(&former), before);
                return vec![id.clone()];
            }
            6 => {
                let mut new = self.named(&tenant);
                new.provided_id = format!("renamed-{}", self.names.borrow()).into();
                new.previous_provided_id = Some(Cow::Owned(id.clone()));
                // Else it would be below itself.
                new.parent_provided_id = new.parent_provided_id.filter(|parent| *parent != id);
                tenants[place] = new.clone();
                self.changed(&id, None, Some(tenant));
                self.changed(&new.provided_id, Some(&new), None);
                let new = new.provided_id.into_owned();
                return if self.is(0.5) { vec![new, id] } else { vec![new] };
            }
            _ => {
                let other = tenants.choose(&mut *self.random.borrow_mut()).filter(|other| is_alike(other, &tenant));
                let other = other.unwrap_or(&tenant).clone();
                let mut new = self.named(&tenant);
                match self.below(6) {
                    0 => new.emails = other.emails,
                    1 => new.properties = other.properties,
                    2 => new.mapping = other.mapping,
                    3 => new.group_tags = other.group_tags,
                    4 if other.parent_provided_id != new.previous_provided_id => {
                        new.parent_provided_id = other.parent_provided_id;
                    }
                    _ => {}
                }
                tenants[place] = new.clone();
                self.changed(&id, Some(&new), Some(tenant));
            }
        }
        vec![id]
    }

    fn create(&self, tenants: &mut Vec<Tenant<'static>>, like: &Tenant<'static>) -> Vec<String> {
        let new = Tenant { previous_provided_id: None, ..self.named(like) };
        let new = Tenant { provided_id: format!("new-{}", self.names.borrow()).into(), ..new };
        tenants.push(new.clone());
        self.changed(&new.provided_id, Some(&new), None);
        vec![new.provided_id.into_owned()]
    }

    fn changed(&self, id: &str, now: Option<&Tenant<'static>>, before: Option<Tenant<'static>>) {
        self.world.watch.changed(id, now.and_then(|now| now.name.as_deref()));
        if let Some(before) = before {
            self.former.borrow_mut().entry(id.to_owned()).or_default().push(before);
        }
    }

    /// The same row with a new name, if its rows have names.
    fn named(&self, tenant: &Tenant<'static>) -> Tenant<'static> {
        let is_nameless = tenant.name.is_none() && !tenant.provided_id.is_empty();
        let name = self.name();
        Tenant { name: (!is_nameless).then(|| name.into()), ..tenant.clone() }
    }

    fn name(&self) -> String {
        *self.names.borrow_mut() += 1;
        format!("v{}", self.names.borrow())
    }

    fn below(&self, end: usize) -> usize {
        self.random.borrow_mut().random_range(0..end)
    }

    fn is(&self, often: f64) -> bool {
        self.random.borrow_mut().random_bool(often)
    }

    fn of<'o, T>(&self, options: &'o [T]) -> &'o T {
        options.choose(&mut *self.random.borrow_mut()).unwrap()
    }

    fn within(&self, seconds: u64) -> Duration {
        Duration::from_millis(self.random.borrow_mut().random_range(0..seconds * 1000))
    }
}

/// Whether two rows have values in the same columns.
fn is_alike(one: &Tenant<'_>, other: &Tenant<'_>) -> bool {
    let columns = |tenant: &Tenant<'_>| {
        let objects = [&tenant.properties, &tenant.mapping].map(Option::is_some);
        (tenant.emails.is_some(), tenant.group_tags.is_some(), objects)
    };
    columns(one) == columns(other)
}

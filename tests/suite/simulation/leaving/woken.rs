//! Rows that say that their tenants leave, or no longer do, go and come back while a daemon works, and the word of it wakes the
//! tenants alone, beside runs.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use explo_sync::{
    daemon::Wakes,
    memory::Action,
    plan::Offboarding,
    reconciler::{Origin, Woken},
};
use futures_util::future::join;
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{
    DAY, STRICT, Witness, check_end, quiet_down,
    rows::{Rows, change_row, meddle},
    scene,
    witness::Deed,
};
use crate::simulation::{
    each_seed,
    process::{Domain, Habits, Process},
    table::{Kept, Table},
    world::{World, dying},
};

const CASES: u64 = 100;

/// What the wakes of an hour may offboard: the guard counts a change from its plan on, and its attempts may take a while.
const MOST: usize = 3;
const HOUR: Duration = Duration::from_mins(40);

#[test]
fn a_wake_deletes_only_whose_row_says_so() {
    each_seed(800..800 + CASES, async |seed| wakes(seed, Action::Delete).await);
}

#[test]
fn a_wake_locks_out_only_whose_row_says_so() {
    each_seed(800 + CASES..800 + 2 * CASES, async |seed| wakes(seed, Action::LockOut).await);
}

/// What happens to rows, and the word of it.
struct Changes<'w> {
    world: &'w World,
    table: &'w Table,
    witness: &'w Witness,
    rows: &'w Rows,
    random: RefCell<SmallRng>,
    replies: RefCell<Vec<oneshot::Receiver<Woken>>>,
}

async fn wakes(seed: u64, action: Action) {
    let random = &mut SmallRng::seed_from_u64(seed);
    let world = scene::world(random, seed);
    let table = Rc::new(Table::of(&world).slowed(seed));
    let (witness, rows, domain) = (Witness::new(&world, &table), Rows::of(&world), Domain::default());
    let offboarding = Offboarding { action: Some(action), after: [0, 3600][random.random_range(0..2)] };
    table.clock.set(Some(world.clock()));
    for number in 1..=random.random_range(1..3) {
        world.trouble.set(*[0, 0, 100].choose(random).unwrap());
        let habits = habits(random, offboarding);
        // A source that can't select reads all rows at once, for ten seconds.
        let reads = if habits.selects { 0 } else { 10_000 };
        witness.freshness.set(witness.freshness.get().max(Duration::from_millis(reads + 700)));
        let daemon = Process::new((&world, &*table, &domain), number, habits, true);
        let longest = *[120, 1200, 7200].choose(random).unwrap();
        let life = seconds(random, longest);
        let runs: Vec<_> = (0..random.random_range(1..6))
            .map(|number| {
                let pause = if number == 0 { 1 } else { *[5, 60, 900].choose(random).unwrap() };
                (seconds(random, pause), *[None, Some(0), Some(u64::MAX)].choose(random).unwrap())
            })
            .collect();
        let changes = Changes {
            world: &world,
            table: &table,
            witness: &witness,
            rows: &rows,
            random: SmallRng::seed_from_u64(random.random()).into(),
            replies: RefCell::default(),
        };
        let dies_after = random.random_bool(0.2).then(|| random.random_range(0..2000));
        let working = async { dying(daemon.work(&runs, life), dies_after).await.is_some() };
        let (has_ended, ()) = join(working, changes.go_on(&daemon.wakes, life)).await;
        for mut reply in changes.replies.take() {
            assert!(!has_ended || reply.try_recv().is_ok(), "nobody answers a request");
        }
        drop(world.take_calls());
    }
    check_hours(&witness);
    witness.deed.set(None);
    if quiet_down(&world, &table, offboarding, world.clock() + DAY).await {
        check_end(&world, &table, &witness, &rows.ever, action);
    }
}

fn habits(random: &mut SmallRng, offboarding: Offboarding) -> Habits {
    Habits {
        guard: STRICT,
        list_every: *[0, 300, u64::MAX].choose(random).unwrap(),
        max_changes: usize::MAX,
        retry_failed: false,
        dry_run: false,
        selects: random.random_bool(0.7),
        offboarding,
        only: BTreeSet::new(),
    }
}

impl Changes<'_> {
    async fn go_on(&self, wakes: &Wakes, life: Duration) {
        let end = Instant::now() + life;
        let longest = *[2, 20, 200].choose(&mut *self.random.borrow_mut()).unwrap();
        let mut due = Vec::new();
        loop {
            let next = self.turn(wakes, &mut due, longest);
            if next >= end {
                return;
            }
            sleep_until(next).await;
        }
    }

    /// Does what is due, the changes of rows and the words alone, and adds to it; returns when the next is due.
    fn turn(&self, wakes: &Wakes, due: &mut Vec<(Instant, String, bool)>, longest: u64) -> Instant {
        let (now, random) = (Instant::now(), &mut *self.random.borrow_mut());
        self.table.clock.set(Some(self.world.clock()));
        for (_, id, is_change) in due.extract_if(.., |(at, ..)| *at <= now) {
            if is_change {
                self.change(&id, random);
            }
            self.tell(wakes, &id, random);
        }
        while due.len() < 3 {
            let ids: Vec<_> = self.rows.ever.iter().collect();
            let id = (*ids.choose(random).unwrap()).clone();
            let at = now + seconds(random, longest);
            due.push((at, id.clone(), true));
            // It changes again while it is woken.
            if random.random_bool(0.4) {
                due.push((at + seconds(random, 4), id.clone(), true));
            }
            if random.random_bool(0.2) {
                due.push((at + seconds(random, 90), id, false));
            }
        }
        due.iter().map(|(at, ..)| *at).min().unwrap_or(now)
    }

    fn change(&self, id: &str, random: &mut SmallRng) {
        change_row(&mut self.world.tenants.borrow_mut(), id, [0.15, 0.6, 0.8, 0.5, 0.7], random);
        self.witness.rows(&self.world.tenants.borrow());
        if random.random_bool(0.2) {
            meddle(self.world, self.witness, &self.rows.ever, random);
        }
        if random.random_bool(0.2) {
            let deed = *[Deed::Swap, Deed::Child].choose(random).unwrap();
            self.witness.deed.set(Some((deed, random.random_range(0..6))));
        }
        // Whatever a wake saw of any row may be older.
        for id in &self.rows.ever {
            self.world.watch.changed(id, Some("Ann"));
        }
    }

    /// The word of a change, unless it is lost.
    fn tell(&self, wakes: &Wakes, id: &str, random: &mut SmallRng) {
        let origin = *[Origin::Listen, Origin::Poll, Origin::Post].choose(random).unwrap();
        let (sender, reply) = oneshot::channel();
        let sender = (origin == Origin::Post).then_some(sender);
        if random.random_bool(0.9) && wakes.push(id, origin, sender).is_ok() && origin == Origin::Post {
            self.replies.borrow_mut().push(reply);
        }
    }
}

/// The wakes of one process offboard no more within an hour than the guard lets.
fn check_hours(witness: &Witness) {
    let left = witness.left.borrow();
    for (first, by, _) in left.iter().filter(|(_, by, _)| by.run.is_none()) {
        let is_within = |at: &Instant| *at >= *first && *at - *first <= HOUR;
        let own = left.iter().filter(|(at, one, _)| one.run.is_none() && one.process == by.process && is_within(at));
        let ids: Vec<_> = own.map(|(_, _, id)| id).collect();
        assert!(ids.len() <= MOST, "wakes offboard {ids:?} within an hour");
    }
}

fn seconds(random: &mut SmallRng, most: u64) -> Duration {
    Duration::from_millis(random.random_range(0..most * 1000))
}

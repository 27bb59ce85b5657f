//! The real reconciler, client, pacer and applier between random tenants and a sandbox in process, on a paused clock. A
//! seed defines a world completely: the same seed gives the same calls at the same times.
//!
//! `SEED=N` runs one world alone and shows its calls; `tests/run --soak N` runs N further worlds.

mod convergence;
mod course;
mod day;
mod faults;
mod leaving;
mod meddle;
mod oracle;
mod process;
mod rows;
mod scenario;
mod table;
mod tell;
mod wakes;
mod wire;
mod world;

use std::{
    ops::Range,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Runs the worlds of some seeds in parallel; names the first seed that fails or, in a soak, all of them.
fn each_seed(seeds: Range<u64>, world: impl AsyncFn(u64) + Sync) {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse().ok());
    let seeds = match (number("SEED"), number("SOAK"), number("SOAK_FIRST")) {
        (Some(seed), ..) => seed..seed + 1,
        (None, Some(count), first) => first.unwrap_or(seeds.start)..first.unwrap_or(seeds.start) + count,
        (None, None, _) => seeds,
    };
    let (threads, is_soak) =
        (std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64), number("SOAK").is_some());
    let failed = AtomicUsize::new(0);
    let share = |part: u64| {
        for seed in seeds.clone().filter(|seed| seed % threads == part) {
            if failed.load(Relaxed) > 0 && !is_soak {
                return;
            }
            let run = AssertUnwindSafe(|| world::simulate(world(seed)));
            if std::panic::catch_unwind(run).is_err() {
                failed.fetch_add(1, Relaxed);
                tell::failure(seed);
            }
        }
    };
    std::thread::scope(|scope| {
        let share = &share;
        (0..threads).for_each(|part| drop(scope.spawn(move || share(part))));
    });
    assert_eq!(failed.into_inner(), 0, "worlds fail");
}

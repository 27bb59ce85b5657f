//! The real reconciler, client, pacer and applier between random tenants and a sandbox in process, on a paused clock. A seed
//! is a whole world: the same one gives the same calls at the same times.
//!
//! `SEED=N` runs one world alone; `tests/run --soak N` runs as many more.

mod convergence;
mod day;
mod faults;
mod oracle;
mod scenario;
mod table;
mod world;

use std::{ops::Range, panic::AssertUnwindSafe};

/// Runs the worlds of some seeds, side by side; names the seed of the first that fails.
fn each_seed(seeds: Range<u64>, world: impl AsyncFn(u64) + Sync) {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse().ok());
    let seeds = match (number("SEED"), number("SOAK"), number("SOAK_FIRST")) {
        (Some(seed), ..) => seed..seed + 1,
        (None, Some(count), first) => first.unwrap_or(seeds.start)..first.unwrap_or(seeds.start) + count,
        (None, None, _) => seeds,
    };
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let share = |part: u64| {
        for seed in seeds.clone().filter(|seed| seed % threads == part) {
            let run = AssertUnwindSafe(|| world::simulate(world(seed)));
            assert!(std::panic::catch_unwind(run).is_ok(), "the world of seed {seed} fails: SEED={seed} runs it alone");
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|part| drop(scope.spawn(move || share(part)))));
}

//! What the parts of a run cost that are no waiting, for 10,000 and 100,000 tenants.
//!
//! `cargo bench --bench cost`, or for one part `cargo bench --bench cost -- decode`.

#![allow(clippy::unwrap_used, reason = "it fails by panicking")]
#![allow(unreachable_pub, reason = "the world is shared with the other bench")]

mod world;

use divan::{Bencher, counter::ItemsCount};

const SIZES: [usize; 2] = [10_000, 100_000];

fn main() {
    divan::main();
}

#[divan::bench(args = SIZES)]
fn fingerprint(bencher: Bencher<'_, '_>, n: usize) {
    let rows = world::rows(n);
    bencher.counter(ItemsCount::new(n)).bench_local(|| world::fingerprint(&rows));
}

#[divan::bench(args = SIZES)]
fn insert(bencher: Bencher<'_, '_>, n: usize) {
    let rows = world::rows(n);
    bencher.counter(ItemsCount::new(n)).bench_local(|| world::index(&rows));
}

#[divan::bench(args = SIZES)]
fn decode(bencher: Bencher<'_, '_>, n: usize) {
    let pages = world::pages(n);
    bencher.counter(ItemsCount::new(n)).bench_local(|| world::decode(&pages));
}

#[divan::bench(args = SIZES)]
fn compare(bencher: Bencher<'_, '_>, n: usize) {
    let (rows, pages) = (world::rows(n), world::pages(n));
    let bencher = bencher.counter(ItemsCount::new(n)).with_inputs(|| world::index(&rows));
    bencher.bench_local_values(|index| world::compare(index, &pages));
}

#[divan::bench(args = SIZES)]
fn render_text(bencher: Bencher<'_, '_>, n: usize) {
    let report = world::report(n);
    bencher.counter(ItemsCount::new(n)).bench_local(|| world::render_text(&report));
}

#[divan::bench(args = SIZES)]
fn render_json(bencher: Bencher<'_, '_>, n: usize) {
    let report = world::report(n);
    bencher.counter(ItemsCount::new(n)).bench_local(|| world::render_json(&report));
}

//! The instructions that the parts of a run take, for 10,000 and 100,000 tenants: the same in each run, whatever the machine is
//! busy with.
//!
//! `cargo bench --profile instructions --bench instructions`; it needs valgrind and the runner of the same version:
//! `cargo install gungraun-runner --version 0.20.0 --locked`.

#![allow(clippy::unwrap_used, reason = "it fails by panicking")]
#![allow(clippy::exit, missing_docs, unreachable_pub, reason = "the macros are like that, and the world is shared")]

mod world;

use std::io;

use explo_sync::{model::Row, plan::Plan, report::Report, tenants::Index};
use gungraun::{Callgrind, prelude::*};

/// What is only read outlives the part, so that nobody counts how it is dropped.
fn kept<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn rows(n: usize) -> &'static Vec<Row<'static>> {
    kept(world::rows(n))
}

fn pages(n: usize) -> &'static Vec<String> {
    kept(world::pages(n))
}

fn sides(n: usize) -> (Index, &'static Vec<String>) {
    (world::index(&world::rows(n)), pages(n))
}

fn report(n: usize) -> &'static Report {
    kept(world::report(n))
}

#[library_benchmark]
#[benches::of(args = [10_000, 100_000], setup = rows)]
fn fingerprint(rows: &[Row<'_>]) -> u64 {
    world::fingerprint(rows)
}

#[library_benchmark]
#[benches::of(args = [10_000, 100_000], setup = rows)]
fn insert(rows: &[Row<'_>]) -> Index {
    world::index(rows)
}

#[library_benchmark]
#[benches::of(args = [10_000, 100_000], setup = pages)]
fn decode(pages: &[String]) {
    world::decode(pages);
}

#[library_benchmark]
#[benches::of(args = [10_000, 100_000], setup = sides)]
fn compare((index, pages): (Index, &'static Vec<String>)) -> Plan {
    world::compare(index, pages)
}

#[library_benchmark]
#[benches::of(args = [10_000, 100_000], setup = report)]
fn render_text(report: &Report) -> io::Result<()> {
    world::render_text(report)
}

#[library_benchmark]
#[benches::of(args = [10_000, 100_000], setup = report)]
fn render_json(report: &Report) -> io::Result<()> {
    world::render_json(report)
}

library_benchmark_group!(name = parts, benchmarks = [fingerprint, insert, decode, compare, render_text, render_json]);

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = parts
);

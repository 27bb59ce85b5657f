//! What one of many keys, addresses, tags or ids costs, for n, 2n and 4n of them: it is to cost about the same. Prints a table.
//!
//! `cargo bench --bench linear`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "it fails by panicking, and its result is printed")]
#![allow(unreachable_pub, reason = "the ways to compare are shared with tests")]

mod many;

use std::{hint::black_box, time::Instant};

const SIZES: [usize; 3] = [16_000, 32_000, 64_000];

/// Of so many times the least counts.
const TIMES: usize = 5;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let sizes = SIZES.map(|n| format!("{n:>8}")).join(" ");
    println!("{:<34}{sizes}   of each, in ns", "");
    for (name, way) in many::WAYS {
        let each = SIZES.map(|n| format!("{:>8.0}", nanoseconds_of_each(n, way(n).as_ref())));
        println!("{name:<34}{}", each.join(" "));
    }
}

#[expect(clippy::cast_precision_loss, reason = "they are printed with few digits")]
fn nanoseconds_of_each(n: usize, compare: &dyn Fn() -> usize) -> f64 {
    let times = (0..TIMES).map(|_| {
        let begin = Instant::now();
        black_box(compare());
        begin.elapsed()
    });
    times.min().unwrap_or_default().as_nanos() as f64 / n as f64
}

//! Prints one world's course for a person who examines it.
#![expect(clippy::print_stderr, reason = "tests show it where they fail")]

use explo_sync::report::Report;

use super::wire::Call;

/// Prints a seed that fails.
pub fn failure(seed: u64) {
    eprintln!("the world of seed {seed} fails: SEED={seed} runs it alone");
}

/// Prints a call, if one world runs alone.
pub fn call(call: &Call) {
    if is_alone() {
        eprintln!("{call}");
    }
}

/// Prints what happens beside the calls, if one world runs alone.
pub fn event(what: std::fmt::Arguments<'_>) {
    if is_alone() {
        eprintln!("    {what}");
    }
}

/// Prints a run's report, if one world runs alone.
pub fn run(report: &Report) {
    let plan = &report.run.plan;
    if !is_alone() {
        return;
    }
    for (number, change) in plan.changes.iter().enumerate() {
        eprintln!("    {} {:?}: {:?}", change.kind(), plan.provided_id(change), report.outcome(number));
        if let Some(update) = change.as_update() {
            eprintln!("        {:?}", update.differences);
        }
    }
    for invalid in &plan.invalid {
        eprintln!("    {:?} is invalid: {}", invalid.provided_id, invalid.reason);
    }
}

fn is_alone() -> bool {
    std::env::var_os("SEED").is_some()
}

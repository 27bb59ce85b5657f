//! What this process takes from the machine, as the kernel tells; nothing where it does not.

use std::fs;

/// How many descriptors it may have.
#[must_use]
pub fn most_descriptors() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

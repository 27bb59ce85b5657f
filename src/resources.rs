//! What this process takes from the machine, as the kernel tells; nothing of what it does not.

use std::fs;

/// In `/proc`, a second has so many ticks, on whatever machine.
const TICKS: f64 = 100.0;

/// As metrics, by the names that every exporter has. Not for the textfile collector, which has its own by these names.
#[must_use]
pub fn encode() -> String {
    let metrics = [
        ("cpu_seconds_total", "counter", "Time on a processor, in user and system mode", cpu_seconds()),
        ("resident_memory_bytes", "gauge", "Memory in use", memory("VmRSS:")),
        ("virtual_memory_bytes", "gauge", "Addresses in use", memory("VmSize:")),
        ("start_time_seconds", "gauge", "When it began, since 1970", start_time()),
        ("open_fds", "gauge", "Descriptors in use", open_descriptors().map(f64::from)),
        ("max_fds", "gauge", "Descriptors that it may have", most_descriptors().map(f64::from)),
    ];
    let told = metrics.into_iter().filter_map(|(name, kind, help, value)| {
        let (name, value) = (format!("process_{name}"), value?);
        Some(format!("# HELP {name} {help}.\n# TYPE {name} {kind}\n{name} {value}\n"))
    });
    told.collect()
}

/// How many descriptors it may have.
#[must_use]
pub fn most_descriptors() -> Option<u32> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

/// How many it has.
#[must_use]
pub fn open_descriptors() -> Option<u32> {
    // One is that of the directory which is read.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().checked_sub(1)?;
    u32::try_from(open).ok()
}

fn memory(name: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib: f64 = status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}

fn cpu_seconds() -> Option<f64> {
    Some((ticks(14)? + ticks(15)?) / TICKS)
}

fn start_time() -> Option<f64> {
    let machine = fs::read_to_string("/proc/stat").ok()?;
    let machine: f64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()?;
    Some(machine + ticks(22)? / TICKS)
}

/// A field of the process's own line, counted from 1. The second, its name, may hold anything.
fn ticks(field: usize) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(field - 3)?.parse().ok()
}

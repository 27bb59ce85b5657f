//! The resources that this process uses, as the kernel reports them; a value that it does not report is missing.

use std::fs;

/// Ticks per second in `/proc`, on every machine.
const TICKS: f64 = 100.0;

/// The resources as metrics with Prometheus' usual names. Not for the textfile collector, which has metrics of its own
/// with these names.
#[must_use]
pub fn encode() -> String {
    let metrics = [
        ("cpu_seconds_total", "counter", "CPU time, user and system", cpu_seconds()),
        ("resident_memory_bytes", "gauge", "Memory in use", memory("VmRSS:")),
        ("virtual_memory_bytes", "gauge", "Virtual memory in use", memory("VmSize:")),
        ("start_time_seconds", "gauge", "Start of the process, since 1970", start_time()),
        ("open_fds", "gauge", "Open file descriptors", open_descriptors().map(f64::from)),
        ("max_fds", "gauge", "Limit of open file descriptors", most_descriptors().map(f64::from)),
    ];
    let told = metrics.into_iter().filter_map(|(name, kind, help, value)| {
        let (name, value) = (format!("process_{name}"), value?);
        Some(format!("# HELP {name} {help}.\n# TYPE {name} {kind}\n{name} {value}\n"))
    });
    told.collect()
}

/// The limit of open file descriptors.
#[must_use]
pub fn most_descriptors() -> Option<u32> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

/// The number of open file descriptors.
#[must_use]
pub fn open_descriptors() -> Option<u32> {
    // One of them is the directory that is being read.
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

/// A field of `/proc/self/stat`, counted from 1. The second, the program's name, may contain spaces.
fn ticks(field: usize) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(field - 3)?.parse().ok()
}

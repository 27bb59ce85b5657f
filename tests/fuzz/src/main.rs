//! The targets before libFuzzer, which takes one: the variable `FUZZ_TARGET` names it.

#![no_main]
#![allow(clippy::disallowed_methods, clippy::panic, reason = "arguments are libFuzzer's")]

use std::sync::LazyLock;

use explo_sync_fuzz::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let known = TARGETS.into_iter().find(|(known, _)| *known == name);
    known.unwrap_or_else(|| panic!("FUZZ_TARGET={name} is none of {:?}", TARGETS.map(|(name, _)| name))).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));

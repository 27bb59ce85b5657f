//! The picture of the layers is true: imports go down only, no file imports in a circle, and none is long.

mod files;

use std::collections::{BTreeMap, BTreeSet};

use files::{Files, texts};

/// The modules of the crate from the top down, as `src/lib.rs` draws them: a module may import those of its row and of the rows
/// below.
const LAYERS: [&[&str]; 9] = [
    &["lib"],
    &[
        "app",
        "cli",
        "config",
        "telemetry",
        "stderr",
        "bars",
        "daemon",
        "metrics",
        "ops",
        "resources",
        "schedule",
        "systemd",
        "watch",
        "demo",
    ],
    &["reconciler", "applier", "probe", "report", "progress"],
    &["source", "explo", "ledger"],
    GROUND,
    &["plan"],
    &["memory", "tenants"],
    &["compare"],
    VALUES,
];

/// What reaches beyond the process. It imports nothing of planning.
const GROUND: &[&str] = &["http", "database", "stop", "files"];
const VALUES: &[&str] = &["model", "html", "sandbox"];

/// What must not occur in the pure layers.
const IMPURE: [&str; 10] =
    ["async ", ".await", "tokio", "sqlx", "reqwest", "std::fs", "std::io", "std::net", "::now(", "rand::"];

#[test]
fn imports_go_down_only() {
    let row_of = |file: &str| {
        let module = file.split("::").next().filter(|module| !module.is_empty()).unwrap_or("lib");
        let row = LAYERS.iter().position(|modules| modules.contains(&module));
        row.unwrap_or_else(|| panic!("{file}: give the module {module} a place in LAYERS"))
    };
    for (file, imports) in Files::read().imports() {
        let row = row_of(&file);
        for import in imports {
            let imported = row_of(&import);
            let is_down = imported >= row && (LAYERS[row] != GROUND || [GROUND, VALUES].contains(&LAYERS[imported]));
            assert!(is_down, "{file} imports {import}, which is above it");
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = Files::read().imports();
    let mut circles = BTreeSet::new();
    for start in imports.keys() {
        let (mut from, mut open) = (BTreeMap::new(), vec![start]);
        while let Some(file) = open.pop() {
            for import in &imports[file] {
                if import == start {
                    let way = std::iter::successors(Some(file), |file| from.get(file).copied());
                    let way: Vec<_> =
                        way.take_while(|file| *file != start).chain([start]).map(String::as_str).collect();
                    circles.insert(way.join(" <- "));
                } else if !from.contains_key(import) {
                    from.insert(import, file);
                    open.push(import);
                }
            }
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn comparing_does_no_io() {
    for (file, text) in
        ["plan", "memory", "tenants", "compare", "model"].into_iter().flat_map(|part| texts(&format!("src/{part}")))
    {
        // Neither tests nor comments.
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n");
        for word in IMPURE {
            assert!(!code.contains(word), "{} has {word:?}", file.display());
        }
    }
}

#[test]
fn no_file_is_long() {
    for (file, text) in texts("src") {
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines: it may be two things", file.display());
    }
}

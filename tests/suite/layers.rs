//! The picture of the layers is true: imports go down only, no file imports in a circle, and none is long.

mod files;

use std::collections::{BTreeMap, BTreeSet};

use files::{Files, texts};

/// Module of the crate → its layer, as `src/lib.rs` draws it.
const LAYERS: [(&str, u8); 29] = [
    ("app", 6),
    ("cli", 6),
    ("config", 6),
    ("telemetry", 6),
    ("stderr", 6),
    ("bars", 6),
    ("daemon", 6),
    ("metrics", 6),
    ("ops", 6),
    ("resources", 6),
    ("schedule", 6),
    ("systemd", 6),
    ("watch", 6),
    ("demo", 6),
    ("reconciler", 5),
    ("applier", 5),
    ("report", 5),
    ("progress", 5),
    ("source", 4),
    ("explo", 4),
    ("ledger", 4),
    ("http", GROUND),
    ("database", GROUND),
    ("stop", GROUND),
    ("files", GROUND),
    ("plan", PLAN),
    ("model", 1),
    ("sandbox", 1),
    ("lib", 7),
];

/// What reaches beyond the process, and knows nothing of what is planned.
const GROUND: u8 = 3;
const PLAN: u8 = 2;

/// What must not occur in the pure layers.
const IMPURE: [&str; 10] =
    ["async ", ".await", "tokio", "sqlx", "reqwest", "std::fs", "std::io", "std::net", "::now(", "rand::"];

#[test]
fn imports_go_down_only() {
    let layers = BTreeMap::from(LAYERS);
    let layer_of = |file: &str| {
        let module = file.split("::").next().filter(|module| !module.is_empty()).unwrap_or("lib");
        *layers.get(module).unwrap_or_else(|| panic!("{file}: give the module {module} a layer in LAYERS"))
    };
    for (file, imports) in Files::read().imports() {
        let layer = layer_of(&file);
        for import in imports {
            let imported = layer_of(&import);
            let is_down = imported <= layer && (layer, imported) != (GROUND, PLAN);
            assert!(is_down, "{file} (layer {layer}) imports {import} (layer {imported})");
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
    for (file, text) in texts("src/plan").into_iter().chain(texts("src/model")) {
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

//! The picture of the layers is true: imports go down only, and no file imports in a circle.

mod files;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use files::Files;

/// Module of the crate → its layer, as `src/lib.rs` draws it.
const LAYERS: [(&str, u8); 31] = [
    ("main", 6),
    ("app", 5),
    ("cli", 5),
    ("config", 5),
    ("telemetry", 5),
    ("stderr", 5),
    ("bars", 5),
    ("daemon", 5),
    ("metrics", 5),
    ("ops", 5),
    ("resources", 5),
    ("schedule", 5),
    ("systemd", 5),
    ("watch", 5),
    ("demo", 5),
    ("reconciler", 4),
    ("applier", 4),
    ("report", 4),
    ("progress", 4),
    ("source", 3),
    ("explo", 3),
    ("ledger", 3),
    ("database", 3),
    ("http", 3),
    ("files", 3),
    ("stop", 3),
    ("lock", 3),
    ("plan", 2),
    ("model", 1),
    ("sandbox", 1),
    ("lib", 6),
];

/// What must not occur in the pure layers.
const IMPURE: [&str; 10] =
    ["async ", ".await", "tokio", "sqlx", "reqwest", "std::fs", "std::io", "std::net", "::now(", "rand::"];

/// Every file with its top module and its text, comments and tests left out.
fn sources() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                let module = name.split(['/', '.']).next().unwrap().to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                sources.push((name, module, code.join("\n")));
            }
        }
    }
    sources
}

/// The top modules that a text names after `crate::`, in braces or not.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let mut depth = 0;
        let group = rest.strip_prefix('{').map(|inside| {
            let end = inside.find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth < 0
            });
            &inside[..end.unwrap_or(inside.len())]
        });
        let word =
            |text: &str| text.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
        match group {
            None => drop(found.insert(word(rest))),
            Some(group) => {
                let mut depth = 0;
                let parts = group.split(|c| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    c == ',' && depth == 0
                });
                found.extend(parts.map(word).filter(|word| !word.is_empty()));
            }
        }
    }
    found
}

#[test]
fn imports_go_down_only() {
    let layers = BTreeMap::from(LAYERS);
    for (file, module, code) in sources() {
        let layer =
            layers.get(&*module).unwrap_or_else(|| panic!("{file}: give the module {module} a layer in LAYERS"));
        for import in imports(&code) {
            let Some(imported) = layers.get(&*import) else { continue };
            assert!(imported <= layer, "{file} (layer {layer}) imports {import} (layer {imported})");
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
    for (file, module, code) in sources() {
        if module == "plan" || module == "model" {
            for word in IMPURE {
                assert!(!code.contains(word), "{file} has {word:?}");
            }
        }
    }
}

//! The picture of the layers is true: imports go down only, and nothing below imports in a circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Module of the crate → its layer, as `src/lib.rs` draws it.
const LAYERS: [(&str, u8); 29] = [
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
    ("http", 3),
    ("files", 3),
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
fn no_modules_import_each_other_in_a_circle() {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, module, code) in sources() {
        let mut targets = imports(&code);
        targets.remove(&module);
        graph.entry(module.clone()).or_default().extend(targets);
        // Siblings in a folder: `super::name` and, in a group, `name::`.
        if let Some((folder, name)) = file.trim_end_matches(".rs").rsplit_once('/').filter(|(_, name)| *name != "mod") {
            let siblings = sources().into_iter().filter_map(|(other, ..)| {
                let other = other.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".rs")?.to_owned();
                (!other.contains('/') && other != "mod" && other != name).then_some(other)
            });
            let uses = code.split("\nuse super::").skip(1).map(|part| part.split(';').next().unwrap());
            let uses: String = uses.collect::<Vec<_>>().join("\n");
            let imported = siblings.filter(|sibling| {
                let direct = uses.starts_with(&format!("{sibling}::")) || uses.contains(&format!("\n{sibling}::"));
                direct || uses.contains(&format!(" {sibling}::")) || uses.contains(&format!("{{{sibling}::"))
            });
            graph
                .entry(format!("{folder}/{name}"))
                .or_default()
                .extend(imported.map(|name| format!("{folder}/{name}")));
        }
    }
    for start in graph.keys() {
        let mut reached = BTreeSet::new();
        let mut open: Vec<_> = graph[start].iter().collect();
        while let Some(module) = open.pop() {
            assert!(module != start, "{start} imports itself by way of others");
            if reached.insert(module) {
                open.extend(graph.get(module).into_iter().flatten());
            }
        }
    }
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

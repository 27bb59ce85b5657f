//! Which file of the crate imports which: names are followed through re-exports to the file that defines them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use syn::{
    Attribute, Item, ItemMod, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A path of names: of a module, or of something in it.
type Name = Vec<String>;

/// The modules of the crate.
#[derive(Default)]
pub struct Files {
    /// Each with what it imports.
    modules: BTreeMap<Name, Vec<Name>>,
    /// What modules give on from others, by its name there.
    exports: BTreeMap<Name, Name>,
}

/// What one file imports and gives on, relative to its own module.
#[derive(Default)]
struct Uses {
    private: Vec<Name>,
    public: Vec<(String, Name)>,
}

/// Every source file below a folder of this project, with its text.
pub fn texts(folder: &str) -> Vec<(PathBuf, String)> {
    let (mut folders, mut texts) = (vec![PathBuf::from(ROOT).join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                texts.push((path.strip_prefix(ROOT).unwrap().to_owned(), text));
            }
        }
    }
    texts
}

impl Files {
    pub fn read() -> Self {
        let mut files = Self::default();
        for (path, text) in texts("src") {
            let path = path.strip_prefix("src").unwrap().with_extension("");
            let mut module: Name = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            module.pop_if(|last| ["mod", "lib"].contains(&&**last));
            if module != ["main"] {
                files.read_file(&module, &text);
            }
        }
        files
    }

    fn read_file(&mut self, module: &[String], text: &str) {
        let mut uses = Uses::default();
        uses.visit_file(&syn::parse_file(text).unwrap_or_else(|error| panic!("{module:?}: {error}")));
        let absolute = |name: Name| match &*name[0] {
            "crate" => name[1..].to_vec(),
            "super" => {
                let up = name.iter().take_while(|part| *part == "super").count();
                [&module[..module.len() - up], &name[up..]].concat()
            }
            "self" => [module, &name[1..]].concat(),
            _ => [module, &name[..]].concat(),
        };
        for (alias, name) in uses.public {
            self.exports.insert([module, &[alias]].concat(), absolute(name));
        }
        self.modules.insert(module.to_vec(), uses.private.into_iter().map(absolute).collect());
    }

    /// Each file with those of which it imports something, itself left out.
    pub fn imports(&self) -> BTreeMap<String, BTreeSet<String>> {
        let imports = self.modules.iter().map(|(module, names)| {
            let imported = names.iter().filter_map(|name| self.defining(name)).filter(|other| other != module);
            (module.join("::"), imported.map(|module| module.join("::")).collect())
        });
        imports.collect()
    }

    /// The module that defines something; nothing for what is another crate's.
    fn defining(&self, name: &[String]) -> Option<Name> {
        for length in 1..=name.len() {
            // A function may have the name of its module.
            let is_module = length < name.len() && self.modules.contains_key(&name[..length]);
            if let Some(exported) = self.exports.get(&name[..length]).filter(|_| !is_module) {
                return self.defining(&[&exported[..], &name[length..]].concat());
            }
        }
        let module = (1..=name.len()).rev().map(|length| &name[..length]).find(|part| self.modules.contains_key(*part));
        module.map(<[_]>::to_vec)
    }
}

impl Uses {
    fn add(&mut self, tree: &UseTree, before: &[String], is_public: bool) {
        let name = |last: &syn::Ident| [before, &[last.to_string()]].concat();
        let (alias, name) = match tree {
            UseTree::Path(path) => return self.add(&path.tree, &name(&path.ident), is_public),
            UseTree::Group(group) => return group.items.iter().for_each(|tree| self.add(tree, before, is_public)),
            UseTree::Name(last) if last.ident == "self" => (before[before.len() - 1].clone(), before.to_vec()),
            UseTree::Name(last) => (last.ident.to_string(), name(&last.ident)),
            UseTree::Rename(last) => (last.rename.to_string(), name(&last.ident)),
            UseTree::Glob(_) => (String::new(), before.to_vec()),
        };
        if is_public {
            self.public.push((alias, name));
        } else {
            self.private.push(name);
        }
    }
}

impl Visit<'_> for Uses {
    fn visit_item(&mut self, item: &Item) {
        let attributes: &[Attribute] = match item {
            Item::Mod(ItemMod { attrs, .. }) | Item::Use(ItemUse { attrs, .. }) => attrs,
            _ => &[],
        };
        if !attributes.iter().any(|attribute| attribute.path().is_ident("cfg")) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        self.add(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let names: Name = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if names.len() > 1 && ["crate", "super"].contains(&&*names[0]) {
            self.private.push(names);
        }
        visit::visit_path(self, path);
    }
}

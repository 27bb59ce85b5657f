//! The layers that a configuration is made of, with where each key was set.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{DEFAULT, Error};

/// The prefix of our variables; the separator is twice as long as usual, since Kubernetes injects names with one.
const PREFIX: &str = "EXPLO_SYNC__";

/// The variables of a process.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// What was given: a file, if any, and the environment.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    file: Option<(PathBuf, String)>,
    environment: Environment,
}

impl Layers {
    /// Reads the file, once: what it says holds until the layers are read again.
    pub fn read(file: Option<PathBuf>, environment: Environment) -> Result<Self, Error> {
        let read = |path: PathBuf| match std::fs::read_to_string(&path) {
            Ok(text) => Ok((path, text)),
            Err(error) => Err(Error(vec![format!("{}: can't be read: {error}", path.display())])),
        };
        Ok(Self { file: file.map(read).transpose()?, environment })
    }

    /// The environment alone.
    #[must_use]
    pub fn of_environment(environment: Environment) -> Self {
        Self { file: None, environment }
    }

    /// What relative paths are relative to.
    pub(super) fn directory(&self) -> &Path {
        self.file.as_ref().and_then(|(path, _)| path.parent()).unwrap_or(Path::new(""))
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// Key → where it was set: `explo-sync.toml:12`, or the name of a variable.
pub(super) type Origins = BTreeMap<String, String>;

impl Environment {
    /// The variables of this process; those that are not UTF-8 are not ours.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect())
    }

    /// One variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Our variables as keys: `EXPLO_SYNC__EXPLO__PAGE_SIZE` is `explo.page_size`.
    fn keys(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.0.iter().filter_map(|(name, value)| {
            Some((name.as_str(), name.strip_prefix(PREFIX)?.to_lowercase().replace("__", "."), value.as_str()))
        })
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Puts the layers over each other; unknown keys and broken files are mistakes.
pub(super) fn merge(layers: &Layers) -> Result<(config::Config, Origins), Error> {
    let toml = |text: &str| config::File::from_str(text, config::FileFormat::Toml);
    let mut mistakes = Vec::new();
    let mut origins = Origins::new();
    let known: Vec<String> =
        keys(DEFAULT).map_err(|error| Error(vec![error]))?.into_iter().map(|(key, _)| key).collect();
    let mut builder = config::Config::builder().add_source(toml(DEFAULT));

    let mut claim = |key: String, origin: String| {
        if known.contains(&key) {
            origins.insert(key, origin);
        } else {
            mistakes.push(format!("{origin}: {}", unknown(&key, &known)));
        }
    };
    if let Some((path, text)) = &layers.file {
        let lines = keys(text).map_err(|error| Error(vec![format!("{}:{error}", path.display())]))?;
        for (key, line) in lines {
            claim(key, format!("{}:{line}", path.display()));
        }
        builder = builder.add_source(toml(text));
    }
    for (name, key, value) in layers.environment.keys() {
        claim(key.clone(), name.to_owned());
        if known.contains(&key) {
            builder = builder.set_override(key, value).map_err(|error| Error(vec![error.to_string()]))?;
        }
    }
    if !mistakes.is_empty() {
        return Err(Error(mistakes));
    }
    let merged = builder.build().map_err(|error| Error(vec![error.to_string()]))?;
    Ok((merged, origins))
}

/// The keys of a file with their lines. A message about a line never shows the line: it may hold a password.
fn keys(text: &str) -> Result<Vec<(String, usize)>, String> {
    let line_of = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let column = text[..span.start.min(text.len())].chars().rev().take_while(|&c| c != '\n').count() + 1;
        format!("{}: column {column}: {}", line_of(span.start), error.message())
    })?;
    let mut keys = Vec::new();
    collect(table.get_ref(), "", &line_of, &mut keys);
    Ok(keys)
}

fn collect(table: &DeTable<'_>, prefix: &str, line_of: &impl Fn(usize) -> usize, keys: &mut Vec<(String, usize)>) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        match value.get_ref() {
            DeValue::Table(table) if prefix.is_empty() => collect(table, &format!("{key}."), line_of, keys),
            _ => keys.push((key, line_of(name.span().start))),
        }
    }
}

fn unknown(key: &str, known: &[String]) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    let distance = |known: &&String| {
        let known_last = known.rsplit('.').next().unwrap_or(known);
        strsim::damerau_levenshtein(known, key).min(strsim::damerau_levenshtein(known_last, last))
    };
    match known.iter().min_by_key(distance).filter(|near| distance(near) <= 4) {
        Some(near) => format!("there is no key {key}; did you mean {near}?"),
        None => format!("there is no key {key}"),
    }
}

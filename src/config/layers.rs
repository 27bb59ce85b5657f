//! The layers of a configuration, merged, with the origin of each key.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Error;
use crate::files::{self, Reading};

/// Every key with its default, commented.
pub const DEFAULT: &str = include_str!("../../config/explo-sync.toml");

/// What most teams set, commented.
pub const FIRST: &str = include_str!("../../config/first.toml");

/// The prefix of our variables. The separator is `__`, because Kubernetes injects variables with a single `_`.
const PREFIX: &str = "EXPLO_SYNC__";

/// The mistake of a variable that is not UTF-8.
pub(super) const NOT_UTF8: &str = "is not UTF-8";

/// The mistake of a value with quotes around it.
pub(super) const QUOTED: &str = "is in quotes: remove them (`docker --env-file` makes them a part of the value)";

/// The variables of a process that are not empty, without a byte order mark and the final newline.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// The names of variables that are not UTF-8.
    unreadable: BTreeSet<String>,
}

/// The user's layers: a file, if any, and the environment.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    file: Option<(PathBuf, String)>,
    environment: Environment,
    /// How often the files that keys name are read.
    reading: Reading,
}

impl Layers {
    /// Reads the file once; later changes of it have no effect.
    pub fn read(file: Option<PathBuf>, environment: Environment, reading: Reading) -> Result<Self, Error> {
        let read = |path: PathBuf| match files::read_text(&path, reading) {
            Ok(text) => Ok((path, text)),
            Err(error) => Err(Error(vec![format!("{}: can't be read: {error}", path.display())])),
        };
        Ok(Self { file: file.map(read).transpose()?, environment, reading: Reading::Once })
    }

    /// Layers with a file of this text.
    #[must_use]
    pub fn of_text(path: PathBuf, text: String, environment: Environment) -> Self {
        Self { file: Some((path, text)), environment, reading: Reading::Once }
    }

    /// Layers without a file.
    #[must_use]
    pub fn of_environment(environment: Environment) -> Self {
        Self { file: None, environment, reading: Reading::Once }
    }

    /// The same for a daemon, which reads the files that keys name again for each run.
    #[must_use]
    pub fn for_each_run(self) -> Self {
        Self { reading: Reading::Again, ..self }
    }

    /// The directory that relative paths start from.
    pub(super) fn directory(&self) -> &Path {
        self.file.as_ref().and_then(|(path, _)| path.parent()).unwrap_or(Path::new(""))
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(super) fn reading(&self) -> Reading {
        self.reading
    }
}

/// Where a key was set; sorts by line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    /// The file, or the name of a variable.
    place: String,
    /// The line, if it is a file.
    line: Option<usize>,
}

/// Key → where it was set.
pub(super) type Origins = BTreeMap<String, Origin>;

/// All layers merged, and their mistakes.
pub(super) struct Merged {
    pub(super) values: config::Config,
    /// The embedded layer only.
    pub(super) defaults: config::Config,
    pub(super) origins: Origins,
    pub(super) mistakes: Vec<(Origin, String)>,
}

impl Origin {
    pub(super) fn variable(name: &str) -> Self {
        Self { place: name.to_owned(), line: None }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.place),
            None => f.write_str(&self.place),
        }
    }
}

impl Environment {
    /// The variables of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn of_process() -> Self {
        let mut environment = Self::default();
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => environment.set(name, &value),
                (Ok(name), Err(_)) => drop(environment.unreadable.insert(name)),
                (Err(name), _) => drop(environment.unreadable.insert(name.to_string_lossy().into_owned())),
            }
        }
        environment
    }

    /// An empty variable is not set: compose's `${X:-}` makes it empty.
    fn set(&mut self, name: String, value: &str) {
        let value = files::plain(value);
        if !value.is_empty() {
            self.variables.insert(name, value);
        }
    }

    /// One variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Whether a variable is set and not UTF-8.
    pub(super) fn is_unreadable(&self, name: &str) -> bool {
        self.unreadable.contains(name)
    }

    /// The mistakes of our variables, for any key.
    fn mistakes(&self) -> impl Iterator<Item = (Origin, String)> {
        let unreadable = self.unreadable.iter().filter(|name| name.starts_with(PREFIX));
        let unreadable = unreadable.map(|name| (Origin::variable(name), NOT_UTF8.to_owned()));
        let quoted = self.keys().filter(|(.., value)| is_quoted(value));
        unreadable.chain(quoted.map(|(name, key, _)| (Origin::variable(name), format!("{key} {QUOTED}"))))
    }

    /// Our variables as keys: `EXPLO_SYNC__EXPLO__PAGE_SIZE` is `explo.page_size`.
    fn keys(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.variables.iter().filter_map(|(name, value)| {
            Some((name.as_str(), name.strip_prefix(PREFIX)?.to_lowercase().replace("__", "."), value.as_str()))
        })
    }

    /// Variables that would be ours with `__` for `_`: a mistake, because no other program has reason to set one.
    fn single_underscores(&self, known: &[String]) -> impl Iterator<Item = (Origin, String)> {
        let single = |name: &str| name.replace("__", "_");
        let ours = known.iter().map(|key| variable(key)).map(|ours| (single(&ours), ours));
        let ours: BTreeMap<_, _> = ours.collect();
        let told = move |name: &String| {
            let meant = ours.get(&single(name)).filter(|ours| *ours != name)?;
            Some((Origin::variable(name), format!("there is no such variable; did you mean {meant}?")))
        };
        self.variables.keys().filter(|name| !name.starts_with(PREFIX)).filter_map(told)
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(variables: I) -> Self {
        let mut environment = Self::default();
        variables.into_iter().for_each(|(name, value)| environment.set(name.to_owned(), value));
        environment
    }
}

/// Whether a whole text is in quotes.
pub(super) fn is_quoted(text: &str) -> bool {
    let inside = |quote| text.trim().strip_prefix(quote)?.strip_suffix(quote);
    ['"', '\''].into_iter().any(|quote| inside(quote).is_some())
}

/// The name of our variable for a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// Merges the layers; an unknown key is a mistake, a file that is not TOML an error.
pub(super) fn merge(layers: &Layers) -> Result<Merged, Error> {
    let toml = |text: &str| config::File::from_str(text, config::FileFormat::Toml);
    let mut mistakes = Vec::new();
    let mut origins = Origins::new();
    let known: Vec<String> =
        keys(DEFAULT).map_err(|error| Error(vec![error]))?.into_iter().map(|(key, _)| key).collect();
    let mut builder = config::Config::builder().add_source(toml(DEFAULT));

    let mut claim = |key: String, origin: Origin| {
        if known.contains(&key) {
            origins.insert(key, origin);
        } else {
            mistakes.push((origin, unknown(&key, &known)));
        }
    };
    if let Some((path, text)) = &layers.file {
        let lines = keys(text).map_err(|error| Error(vec![format!("{}:{error}", path.display())]))?;
        for (key, line) in lines {
            claim(key, Origin { place: path.display().to_string(), line: Some(line) });
        }
        builder = builder.add_source(toml(text));
    }
    for (name, key, value) in layers.environment.keys() {
        claim(key.clone(), Origin::variable(name));
        if known.contains(&key) {
            builder = builder.set_override(key, value).map_err(|error| Error(vec![error.to_string()]))?;
        }
    }
    mistakes.extend(layers.environment.single_underscores(&known));
    mistakes.extend(layers.environment.mistakes());
    let values = builder.build().map_err(|error| Error(vec![error.to_string()]))?;
    let defaults = config::Config::builder().add_source(toml(DEFAULT)).build();
    let defaults = defaults.map_err(|error| Error(vec![error.to_string()]))?;
    Ok(Merged { values, defaults, origins, mistakes })
}

/// The keys of a file with their lines. A message about a line never shows the line: it may hold a password.
fn keys(text: &str) -> Result<Vec<(String, usize)>, String> {
    let line_of = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let place_of = |at: usize| {
        let column = text[..at.min(text.len())].chars().rev().take_while(|&c| c != '\n').count() + 1;
        format!("{}: column {column}", line_of(at))
    };
    let table = DeTable::parse(text)
        .map_err(|error| format!("{}: {}", place_of(error.span().unwrap_or_default().start), error.message()))?;
    if let Some(at) = table.get_ref().values().find_map(too_large) {
        return Err(format!("{}: the number is too large", place_of(at)));
    }
    let mut keys = Vec::new();
    collect(table.get_ref(), "", &line_of, &mut keys);
    Ok(keys)
}

/// Position of an integer beyond 64 bits: found here, because the parser's own message would quote the line.
fn too_large(value: &Spanned<DeValue<'_>>) -> Option<usize> {
    match value.get_ref() {
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).is_err().then_some(value.span().start)
        }
        DeValue::Array(values) => values.iter().find_map(too_large),
        DeValue::Table(table) => table.values().find_map(too_large),
        DeValue::String(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => None,
    }
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

/// Longer keys get no hint; the longest key has less than half of this.
const LONGEST_KEY: usize = 80;

/// The message for an unknown key, with the nearest known key.
fn unknown(key: &str, known: &[String]) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_lowercase();
    let wanted = last(key);
    let name = key.escape_debug();
    if known.iter().any(|known| known.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'))) {
        return format!("{name} is a section: write [{name}], and its keys below");
    }
    if key.len() > LONGEST_KEY {
        return format!("there is no key {name}");
    }
    // A part of a name matches the name; among equal names the right section wins.
    let flat = |key: &str| key.replace('.', "_");
    let distance = |known: &str| match last(known) {
        _ if flat(known) == flat(key) => 0,
        known if wanted.len() >= 3 && known.contains(&wanted) => 1,
        known => strsim::damerau_levenshtein(&known, &wanted),
    };
    let nearest = known.iter().min_by_key(|known| (distance(known), strsim::damerau_levenshtein(known, key)));
    match nearest.filter(|near| distance(near) <= 1 + wanted.len() / 5) {
        Some(near) => format!("there is no key {name}; did you mean {near}?"),
        None => format!("there is no key {name}"),
    }
}

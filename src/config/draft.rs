//! Turns the raw configuration into valid values, one by one, and collects every mistake. A method that gives `None`
//! has noted a mistake that says why.

mod files;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    ops::RangeInclusive,
    path::PathBuf,
};

use config::ValueKind;
use reqwest::Url;
use secrecy::SecretString;

use super::{
    Error,
    layers::{self, Environment, Layers, Merged, NOT_UTF8, Origin, Origins, QUOTED},
};
use crate::{files::Reading, http::Proxy};

/// Characters of a value that a message shows.
const WIDEST: usize = 60;

/// A word of at least this many characters that has letters and digits may be a token.
const TOKEN_LENGTH: usize = 16;

/// The merged layers and the mistakes found so far.
pub(super) struct Draft {
    merged: config::Config,
    /// The embedded layer only.
    defaults: config::Config,
    origins: Origins,
    environment: Environment,
    directory: PathBuf,
    /// How often files are read.
    reading: Reading,
    /// The files read so far, each with its key.
    files: Vec<(String, PathBuf)>,
    /// In line order.
    mistakes: BTreeSet<(Option<Origin>, String)>,
}

impl Draft {
    pub(super) fn new(layers: &Layers) -> Result<Self, Error> {
        let Merged { values, defaults, origins, mistakes } = layers::merge(layers)?;
        Ok(Self {
            merged: values,
            defaults,
            origins,
            environment: layers.environment().clone(),
            directory: layers.directory().to_owned(),
            reading: layers.reading(),
            files: Vec::new(),
            mistakes: mistakes.into_iter().map(|(origin, what)| (Some(origin), what)).collect(),
        })
    }

    /// The files that keys name.
    pub(super) fn files(&self) -> Vec<(String, PathBuf)> {
        self.files.clone()
    }

    pub(super) fn mistakes(self) -> Vec<String> {
        let told = |(origin, what)| match origin {
            Some(origin) => format!("{origin}: {what}"),
            None => what,
        };
        self.mistakes.into_iter().map(told).collect()
    }

    /// Notes a mistake about a key. `what` must not contain the value: it may be a secret.
    pub(super) fn mistake(&mut self, key: &str, what: &str) {
        self.mistakes.insert((self.origins.get(key).cloned(), format!("{key} {what}")));
    }

    /// A text that `parse` accepts; `form` describes the allowed texts.
    pub(super) fn text<T>(&mut self, key: &str, form: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let kind = self.kind(key)?;
        let parsed = if let ValueKind::String(text) = &kind { parse(text) } else { None };
        if parsed.is_none() {
            let quotes = if matches!(kind, ValueKind::String(_)) { "" } else { ", in quotes" };
            self.mistake(key, &format!("= {} must be {form}{quotes}", shown(&kind)));
        }
        parsed
    }

    /// A number or a flag; also accepted as text, because a variable is always text.
    fn plain<T>(&mut self, key: &str, form: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let kind = self.kind(key)?;
        let parsed = match &kind {
            ValueKind::String(text) => parse(text),
            ValueKind::Boolean(_) | ValueKind::I64(_) | ValueKind::Float(_) => parse(&kind.to_string()),
            _ => None,
        };
        if parsed.is_none() {
            self.mistake(key, &format!("= {} must be {form}", shown(&kind)));
        }
        parsed
    }

    /// A whole number.
    pub(super) fn number<T>(&mut self, key: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: std::str::FromStr + PartialOrd + Display,
    {
        let most = if format!("{}", range.end()).len() > 12 { String::new() } else { format!(" to {}", range.end()) };
        let form = format!("a whole number from {}{most}", range.start());
        self.plain(key, &form, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.plain(key, "true or false", |text| text.parse().ok())
    }

    /// One of these words.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let form =
            format!("one of {}", words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(", "));
        self.text(key, &form, |text| words.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice))
    }

    /// A list of strings; in a variable, a JSON array.
    pub(super) fn list(&mut self, key: &str) -> Option<Vec<String>> {
        let kind = self.kind(key)?;
        let text = |value: &config::Value| match &value.kind {
            ValueKind::String(text) => Some(text.clone()),
            _ => None,
        };
        let list = match &kind {
            ValueKind::Array(values) => values.iter().map(text).collect(),
            ValueKind::String(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        if list.is_none() {
            let form = "must be a list of strings, such as [\"emails\"] (in a variable: the same, a JSON array)";
            self.mistake(key, &format!("= {} {form}", shown(&kind)));
        }
        list
    }

    /// A table of texts and lists of texts, sorted by its keys; in a variable, a JSON object.
    pub(super) fn table(&mut self, key: &str) -> Option<Vec<(String, Vec<String>)>> {
        let kind = self.kind(key)?;
        let table = match &kind {
            ValueKind::Table(values) => {
                values.iter().map(|(name, value)| Some((name.clone(), texts(&value.kind)?))).collect()
            }
            ValueKind::String(text) => serde_json::from_str::<BTreeMap<String, OneOrMore>>(text)
                .ok()
                .map(|table| table.into_iter().map(|(name, texts)| (name, texts.into())).collect::<Vec<_>>()),
            _ => None,
        };
        if table.is_none() {
            let form = "must hold texts and lists of texts, such as name = \"/name\" (in a variable: a JSON object)";
            self.mistake(key, &format!("= {} {form}", shown(&kind)));
        }
        table.map(|mut table| {
            table.sort();
            table
        })
    }

    /// Whether a key differs from its default.
    pub(super) fn is_set(&self, key: &str) -> bool {
        let plain = |kind: ValueKind| match kind {
            ValueKind::Table(table) if table.is_empty() => "{}".to_owned(),
            ValueKind::Array(values) if values.is_empty() => "[]".to_owned(),
            other => other.to_string(),
        };
        let default = self.defaults.get::<config::Value>(key).ok().map(|value| plain(value.kind));
        self.kind(key).map(plain) != default
    }

    /// A secret from the file or our variable, else from the common variable `variable`.
    pub(super) fn secret(&mut self, key: &str, variable: &str) -> Option<SecretString> {
        let own = self.string(key)?;
        if own.trim().is_empty() { self.gap(key, variable, "set it, or") } else { self.unquoted(key, &own) }
    }

    /// A secret; `Some(None)` if it is not set.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    pub(super) fn optional_secret(&mut self, key: &str) -> Option<Option<SecretString>> {
        let own = self.string(key)?;
        if own.trim().is_empty() { Some(None) } else { self.unquoted(key, &own).map(Some) }
    }

    /// A text without NUL, which would end it for a database.
    pub(super) fn without_nul(&mut self, key: &str, text: String) -> Option<String> {
        let Some((before, _)) = text.split_once('\0') else { return Some(text) };
        let line = 1 + before.matches('\n').count();
        self.mistake(key, &format!("has a NUL byte in line {line} of its text: delete it"));
        None
    }

    /// The proxy for an address; `Some(None)` if there is none.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    pub(super) fn proxy(&mut self, address: &Url) -> Option<Option<Proxy>> {
        let proxy = Proxy::on_the_way_to(address, |name| self.environment.get(name));
        proxy.map_err(|mistake| self.mistakes.insert((None, mistake))).ok()
    }

    fn kind(&self, key: &str) -> Option<ValueKind> {
        self.merged.get::<config::Value>(key).ok().map(|value| value.kind)
    }

    /// A text that no message may show.
    fn string(&mut self, key: &str) -> Option<String> {
        if let ValueKind::String(text) = self.kind(key)? {
            return Some(text);
        }
        self.mistake(key, "must be text in quotes");
        None
    }

    /// The value of a common variable, because the key is not set.
    fn gap(&mut self, key: &str, variable: &str, way_out: &str) -> Option<SecretString> {
        let value = self.environment.get(variable).filter(|text| !text.trim().is_empty()).map(str::to_owned);
        let is_unreadable = self.environment.is_unreadable(variable);
        if value.is_some() || is_unreadable {
            self.origins.insert(key.to_owned(), Origin::variable(variable));
        }
        match value {
            Some(value) => return self.unquoted(key, &value),
            None if is_unreadable => self.mistake(key, NOT_UTF8),
            None => self.mistake(key, &format!("is not set: {way_out} {variable}")),
        }
        None
    }

    /// Trims a secret; quotes around it are a mistake.
    fn unquoted(&mut self, key: &str, secret: &str) -> Option<SecretString> {
        if layers::is_quoted(secret) {
            self.mistake(key, QUOTED);
            return None;
        }
        Some(SecretString::from(secret.trim()))
    }
}

/// A text, or a list of them.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl From<OneOrMore> for Vec<String> {
    fn from(texts: OneOrMore) -> Self {
        match texts {
            OneOrMore::One(text) => vec![text],
            OneOrMore::More(texts) => texts,
        }
    }
}

fn texts(kind: &ValueKind) -> Option<Vec<String>> {
    match kind {
        ValueKind::String(text) => Some(vec![text.clone()]),
        ValueKind::Array(values) => {
            let text = |value: &config::Value| value.clone().into_string().ok();
            values.iter().map(text).collect()
        }
        _ => None,
    }
}

/// A value for a message, cut; masked if it may be a secret in the wrong place.
fn shown(kind: &ValueKind) -> String {
    let text = match kind {
        ValueKind::String(text) if may_be_secret(text) => "\"***\"".to_owned(),
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Array(values) => {
            format!("[{}]", values.iter().map(|value| shown(&value.kind)).collect::<Vec<_>>().join(", "))
        }
        ValueKind::Table(_) => "{…}".to_owned(),
        plain => plain.to_string(),
    };
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn may_be_secret(text: &str) -> bool {
    let is_opaque = |word: &str| {
        word.len() >= TOKEN_LENGTH
            && word.contains(|c: char| c.is_ascii_digit())
            && word.contains(|c: char| c.is_ascii_alphabetic())
    };
    text.contains('@') || text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).any(is_opaque)
}

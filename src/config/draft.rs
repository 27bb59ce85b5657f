//! A configuration on its way from raw to valid: values are taken one by one, and every mistake is kept.

use std::{collections::BTreeSet, fmt::Display, ops::RangeInclusive, path::PathBuf};

use config::ValueKind;
use secrecy::SecretString;

use super::{
    Error,
    layers::{self, Environment, Layers, Origins},
};

/// The merged layers, and what was wrong with them so far.
pub(super) struct Draft {
    merged: config::Config,
    origins: Origins,
    environment: Environment,
    directory: PathBuf,
    mistakes: BTreeSet<String>,
}

impl Draft {
    pub(super) fn new(layers: &Layers) -> Result<Self, Error> {
        let (merged, origins) = layers::merge(layers)?;
        Ok(Self {
            merged,
            origins,
            environment: layers.environment().clone(),
            directory: layers.directory().to_owned(),
            mistakes: BTreeSet::new(),
        })
    }

    pub(super) fn mistakes(self) -> Vec<String> {
        self.mistakes.into_iter().collect()
    }

    /// Notes what is wrong with a key; the value is given only where it is no secret.
    pub(super) fn mistake(&mut self, key: &str, value: Option<&str>, what: &str) {
        let origin = self.origins.get(key).map_or_else(String::new, |origin| format!("{origin}: "));
        let value = value.map_or_else(String::new, |value| format!(" = {value}"));
        self.mistakes.insert(format!("{origin}{key}{value} {what}"));
    }

    /// A value in a form of its own.
    pub(super) fn text<T>(&mut self, key: &str, form: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.raw(key)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.mistake(key, Some(&format!("{text:?}")), &format!("must be {form}"));
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
        self.text(key, &form, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.text(key, "true or false", |text| text.parse().ok())
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let form =
            format!("one of {}", words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(", "));
        self.text(key, &form, |text| words.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice))
    }

    /// A list of strings; in a variable, a JSON array.
    pub(super) fn list(&mut self, key: &str) -> Option<Vec<String>> {
        let kind = self.merged.get::<config::Value>(key).ok()?.kind;
        let list = match &kind {
            ValueKind::Array(values) => values.iter().map(|value| value.clone().into_string().ok()).collect(),
            ValueKind::String(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        if list.is_none() {
            self.mistake(key, Some(&kind.to_string()), "must be a list of strings (in a variable: a JSON array)");
        }
        list
    }

    /// A secret that may stand in the file, in our variable, or in a common one.
    pub(super) fn secret(&mut self, key: &str, variable: &str) -> Option<SecretString> {
        let own = self.raw(key).filter(|text| !text.is_empty());
        let secret = own.or_else(|| self.variable(variable).filter(|text| !text.is_empty()));
        if secret.is_none() {
            self.mistake(key, None, &format!("is not set: set it, or {variable}"));
        }
        secret.map(SecretString::from)
    }

    /// The trimmed content of a file that must not be empty; `Some(None)` where none is named.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    pub(super) fn secret_file(&mut self, key: &str) -> Option<Option<SecretString>> {
        let Some((path, text)) = self.file(key)? else { return Some(None) };
        let secret = text.trim();
        if secret.is_empty() {
            self.mistake(key, Some(&path.display().to_string()), "is an empty file");
            return None;
        }
        Some(Some(SecretString::from(secret)))
    }

    /// A file by its path; `Some(None)` where none is named.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    pub(super) fn file(&mut self, key: &str) -> Option<Option<(PathBuf, String)>> {
        let named = self.raw(key)?;
        if named.is_empty() {
            return Some(None);
        }
        let path = self.directory.join(&named);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(Some((path, text))),
            Err(error) => {
                self.mistake(key, Some(&format!("{named:?}")), &format!("can't be read: {error}"));
                None
            }
        }
    }

    /// A text that stands in one key, or in the file that another key names.
    pub(super) fn either_text_or_file(&mut self, key: &str, file_key: &str) -> Option<String> {
        let text = self.raw(key)?;
        match (text.trim().is_empty(), self.file(file_key)?) {
            (false, None) => Some(text),
            (true, Some((_, text))) if !text.trim().is_empty() => Some(text),
            (true, Some(_)) => {
                self.mistake(file_key, None, "names an empty file");
                None
            }
            (true, None) => {
                self.mistake(key, None, &format!("is not set: set it, or {file_key}"));
                None
            }
            (false, Some(_)) => {
                self.mistake(key, None, &format!("is set, and {file_key} as well: keep one"));
                None
            }
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).map(str::to_owned)
    }

    /// A single value as text, whatever its type in the file.
    fn raw(&mut self, key: &str) -> Option<String> {
        let kind = self.merged.get::<config::Value>(key).ok()?.kind;
        match kind {
            ValueKind::String(text) => Some(text),
            ValueKind::Boolean(_) | ValueKind::I64(_) | ValueKind::Float(_) => Some(kind.to_string()),
            _ => {
                self.mistake(key, None, "must be a single value");
                None
            }
        }
    }
}

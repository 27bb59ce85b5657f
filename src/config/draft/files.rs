//! The files that keys name.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use super::{Draft, TOKEN_LENGTH};
use crate::{config::layers, files};

/// Shown instead of a file name that may be a secret.
const UNTOLD: &str = "a file (name not shown: it may be the secret itself)";

impl Draft {
    /// A token from the file that `key` names, else from `variable`.
    pub(in crate::config) fn token_file(&mut self, key: &str, variable: &str) -> Option<SecretString> {
        match self.optional_token_file(key)? {
            Some(secret) => Some(secret),
            None => self.gap(key, variable, "name a file that holds it, or set"),
        }
    }

    /// A token from a file, trimmed; `Some(None)` if none is named.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    pub(in crate::config) fn optional_token_file(&mut self, key: &str) -> Option<Option<SecretString>> {
        match self.secret_content(key)? {
            Some(text) => self.unquoted(key, &text).map(Some),
            None => Some(None),
        }
    }

    /// A password from a file, not trimmed; `Some(None)` if none is named.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    pub(in crate::config) fn password_file(&mut self, key: &str) -> Option<Option<SecretString>> {
        Some(self.secret_content(key)?.map(SecretString::from))
    }

    /// The text of a file; `Some(None)` if none is named.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    pub(in crate::config) fn file(&mut self, key: &str) -> Option<Option<String>> {
        let named = self.string(key)?;
        let path = self.directory.join(&named);
        self.content(key, &named, &path, &path.display().to_string())
    }

    /// The path of a file to which lines are added, which exists then; `Some(None)` if none is named.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    pub(in crate::config) fn appendable(&mut self, key: &str) -> Option<Option<PathBuf>> {
        let named = self.string(key)?;
        if named.is_empty() {
            return Some(None);
        }
        let path = self.directory.join(&named);
        match files::append(&path, b"") {
            Ok(()) => Some(Some(path)),
            Err(error) => {
                self.mistake(key, &format!("names {named}, to which nothing can be written: {error}"));
                None
            }
        }
    }

    /// Certificates from a file; `Some(None)` if none is named.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    pub(in crate::config) fn certificates(&mut self, key: &str) -> Option<Option<Vec<u8>>> {
        let file = self.file(key)?;
        if file.as_ref().is_some_and(|text| !text.contains("-----BEGIN CERTIFICATE-----")) {
            self.mistake(key, "names a file without a certificate in PEM form (-----BEGIN CERTIFICATE-----)");
            return None;
        }
        Some(file.map(String::into_bytes))
    }

    /// The text of one key, or of the file that another key names.
    pub(in crate::config) fn either_text_or_file(&mut self, key: &str, file_key: &str) -> Option<String> {
        let text = self.string(key)?;
        match (text.trim().is_empty(), self.file(file_key)?) {
            (false, None) => self.without_nul(key, text),
            (true, Some(text)) => self.without_nul(file_key, text),
            (true, None) => {
                self.mistake(key, &format!("is not set: set it, or {file_key}, or {}", layers::variable(key)));
                None
            }
            (false, Some(_)) => {
                self.mistake(key, &format!("is set, and so is {file_key}: keep one"));
                None
            }
        }
    }

    /// The text of a file with a secret; `Some(None)` if none is named.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    fn secret_content(&mut self, key: &str) -> Option<Option<String>> {
        let named = self.string(key)?;
        let path = self.directory.join(&named);
        let name = if is_file_name(&named) { path.display().to_string() } else { UNTOLD.to_owned() };
        self.content(key, &named, &path, &name)
    }

    /// The text of a file; an empty file is a mistake.
    #[expect(clippy::option_option, reason = "outside: usable; inside: named")]
    fn content(&mut self, key: &str, named: &str, path: &Path, name: &str) -> Option<Option<String>> {
        if named.is_empty() {
            return Some(None);
        }
        match files::read_text(path, self.reading) {
            Ok(text) if !text.trim().is_empty() => {
                self.files.push((key.to_owned(), path.to_owned()));
                return Some(Some(text));
            }
            Ok(_) => self.mistake(key, &format!("names {name}, which is empty")),
            Err(error) => self.mistake(key, &format!("names {name}, which can't be read: {error}")),
        }
        None
    }
}

/// Whether a text looks like a file name, not like a secret that was set where a file must be named.
fn is_file_name(text: &str) -> bool {
    let is_ending = |end: &OsStr| end.len() <= 6 && end.as_encoded_bytes().iter().all(u8::is_ascii_alphabetic);
    let is_word = text.len() < TOKEN_LENGTH && text.chars().all(|c| c.is_ascii_lowercase() || "-_".contains(c));
    text.starts_with(['/', '.']) || is_word || Path::new(text).extension().is_some_and(is_ending)
}

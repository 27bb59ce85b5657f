//! A locked file beside a SQLite database; never the database itself, whose locks belong to SQLite.
//!
//! It is `DATABASE@NAME.lock` in the directory of the database's real file, so every symbolic link leads to the same
//! lock; the [name](super::name) begins with the instance's. The file is empty, belongs to its owner alone, and stays
//! in place: if it were removed, one run could lock the old file and another a new one. A symbolic link is refused: a
//! dangling one would create its target.

use std::{
    ffi::OsString,
    fs::{File, Metadata, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::Holder;
use crate::files;

/// The lock file beside a database.
pub(super) struct Beside {
    database: PathBuf,
    name: String,
    held: Option<(PathBuf, File)>,
}

impl Beside {
    pub(super) fn new(database: PathBuf, name: &str) -> Self {
        Self { database, name: name.to_owned(), held: None }
    }
}

impl Holder for Beside {
    async fn take(&mut self) -> sqlx::Result<bool> {
        let path = lock_file(&self.database.canonicalize()?, &self.name);
        let refused = |error| sqlx::Error::Configuration(format!("{}: {error}", path.display()).into());
        let file = open(&path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => self.held = Some((path, file)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        Ok(self.held.is_some())
    }

    async fn ping(&mut self) -> Result<(), String> {
        let Some((path, file)) = &self.held else { return Ok(()) };
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let found = path.metadata().map(identity).map_err(|error| format!("{}: {error}", path.display()))?;
        let locked = file.metadata().map(identity).map_err(|error| error.to_string())?;
        if found == locked { Ok(()) } else { Err(format!("{}: was replaced", path.display())) }
    }

    async fn release(self) {}
}

/// Creates the file, or opens it if it is a regular file.
fn open(path: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            files::expect_regular(path)?;
            OpenOptions::new().read(true).write(true).open(path)
        }
        opened => opened,
    }
}

/// The lock file of a database, from the database's real path.
fn lock_file(database: &Path, name: &str) -> PathBuf {
    let mut file = database.file_name().map_or_else(OsString::new, ToOwned::to_owned);
    file.push(format!("@{name}.lock"));
    database.with_file_name(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_databases_or_instances_never_share_a_file() {
        let (one, other) = (Path::new("/var/tenants"), Path::new("/var/tenants.db"));
        assert_eq!(lock_file(other, "default"), Path::new("/var/tenants.db@default.lock"));
        assert_ne!(lock_file(one, "db.x"), lock_file(other, "x"));
        assert_ne!(lock_file(other, "x"), lock_file(other, "y"));
    }
}

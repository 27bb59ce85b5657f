//! A locked file beside a SQLite database; never the database itself, whose locks belong to SQLite.
//!
//! It is `DATABASE@NAME.lock` in the directory of the database's real file, so every symbolic link leads to the same
//! lock; the [name](super::name) begins with the instance's. The file is empty, belongs to its owner alone, and stays
//! in place: if it were removed, one run could lock the old file and another a new one. A symbolic link is refused: a
//! dangling one would create its target.
//!
//! Files of ids would stay in place too, so ids share 64 of them, by their hash: `DATABASE@NAME.ids-00.lock` to
//! `….ids-3f.lock`. Two ids with the same file exclude each other, except within a process.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{File, Metadata, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

use super::holder::{Holder, Name};
use crate::files;

/// The number of files that ids share.
const FILES: u64 = 64;

/// The lock files beside a database.
pub(super) struct Beside {
    database: PathBuf,
    /// The locked files, each with the number of its names.
    held: HashMap<PathBuf, (File, usize)>,
}

impl Beside {
    pub(super) fn new(database: PathBuf) -> Self {
        Self { database, held: HashMap::new() }
    }

    fn file(&self, name: &Name) -> io::Result<PathBuf> {
        Ok(lock_file(&self.database.canonicalize()?, name))
    }
}

impl Holder for Beside {
    async fn take(&mut self, name: &Name) -> sqlx::Result<bool> {
        let path = self.file(name)?;
        if let Some((_, names)) = self.held.get_mut(&path) {
            *names += 1;
            return Ok(true);
        }
        let refused = |error| sqlx::Error::Configuration(format!("{}: {error}", path.display()).into());
        let file = open(&path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {
                self.held.insert(path, (file, 1));
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(refused(error)),
        }
    }

    async fn give_back(&mut self, name: &Name) -> sqlx::Result<()> {
        let path = self.file(name)?;
        match self.held.get_mut(&path) {
            Some((_, names)) if *names > 1 => *names -= 1,
            _ => drop(self.held.remove(&path)),
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), String> {
        self.held.iter().try_for_each(|(path, (file, _))| {
            let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
            let found = path.metadata().map(identity).map_err(|error| format!("{}: {error}", path.display()))?;
            let locked = file.metadata().map(identity).map_err(|error| error.to_string())?;
            if found == locked { Ok(()) } else { Err(format!("{}: was replaced", path.display())) }
        })
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

/// The lock file of a database, from the database's real path. It is the same in every version.
fn lock_file(database: &Path, name: &Name) -> PathBuf {
    let mut file = database.file_name().map_or_else(OsString::new, ToOwned::to_owned);
    file.push(match name {
        Name::Whole(name) => format!("@{name}.lock"),
        Name::One { prefix, id } => format!("@{prefix}.ids-{:02x}.lock", xxh3_64(id.as_bytes()) % FILES),
    });
    database.with_file_name(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(name: &str) -> Name {
        Name::Whole(name.to_owned())
    }

    #[test]
    fn two_databases_or_instances_never_share_a_file() {
        let (one, other) = (Path::new("/var/tenants"), Path::new("/var/tenants.db"));
        assert_eq!(lock_file(other, &whole("default")), Path::new("/var/tenants.db@default.lock"));
        assert_ne!(lock_file(one, &whole("db.x")), lock_file(other, &whole("x")));
        assert_ne!(lock_file(other, &whole("x")), lock_file(other, &whole("y")));
    }

    #[test]
    fn ids_share_sixty_four_files_and_the_file_of_an_id_stays_the_same_forever() {
        let of = |id: &str| lock_file(Path::new("/t.db"), &Name::One { prefix: "d@0".to_owned(), id: id.to_owned() });
        assert_eq!(of("acme"), Path::new("/t.db@d@0.ids-21.lock"));
        let files: std::collections::BTreeSet<_> = (0..9999).map(|number| of(&number.to_string())).collect();
        assert_eq!(files.len(), 64);
    }
}

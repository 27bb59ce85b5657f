//! Writes a file whole or not at all, and reads texts without waiting for the writer of a pipe.
//!
//! Only a regular file is replaced, and nothing is written through a link: the new file is written beside the old one,
//! then renamed.

use std::{
    fs::{self, File, FileType, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Size limit of a text, in bytes.
const LARGEST_TEXT: u64 = 16 << 20;

/// Size limit of data in a file, in bytes (a million records of 1 KiB), and in a pipe or device, which may never end.
const LARGEST_DATA: u64 = 1 << 30;
const LARGEST_STREAM: u64 = 64 << 20;

/// How often a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    /// Once: the file may be a pipe, such as `/dev/stdin`.
    #[default]
    Once,
    /// Again for each run of a daemon, which must not wait for the writer of a pipe.
    Again,
}

/// The [plain] text of a file; follows links, as Kubernetes uses them for secrets.
pub fn read_text(path: &Path, reading: Reading) -> io::Result<String> {
    let found = fs::metadata(path)?.file_type();
    if reading == Reading::Again && !found.is_file() {
        let error = format!("it is {}, but a file that is read again for each run must be a regular file", kind(found));
        return Err(io::Error::other(error));
    }
    let mut text = String::new();
    if File::open(path)?.take(LARGEST_TEXT + 1).read_to_string(&mut text)? as u64 > LARGEST_TEXT {
        return Err(io::Error::other("it has more than 16 MiB"));
    }
    Ok(plain(&text))
}

/// Adds to a file, which only its owner may read if it is new. It is opened each time, so it may be renamed meanwhile.
pub fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Ok(found) = fs::metadata(path).map(|found| found.file_type())
        && !found.is_file()
        && !found.is_char_device()
    {
        return Err(io::Error::other(format!("it is {}", kind(found))));
    }
    File::options().append(true).create(true).mode(0o600).open(path)?.write_all(bytes)
}

/// The bytes of a file or pipe of records.
pub fn read_data(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let most = if file.metadata()?.is_file() { LARGEST_DATA } else { LARGEST_STREAM };
    let mut data = Vec::new();
    file.take(most + 1).read_to_end(&mut data)?;
    if data.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {} MiB", most >> 20)));
    }
    Ok(data)
}

/// A text without what an editor adds: a byte order mark, CRs and one newline at its end.
#[must_use]
pub fn plain(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    text.strip_suffix(['\n', '\r']).unwrap_or(&text).to_owned()
}

/// Whether two paths name the same file, whether or not it exists.
#[must_use]
pub fn are_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    match (identity(one), identity(other)) {
        (None, None) => {
            let named = |path: &Path| Some((fs::canonicalize(directory(path)).ok()?, path.file_name()?.to_owned()));
            named(one).is_some_and(|one| named(other) == Some(one))
        }
        (one, other) => one == other,
    }
}

/// Whether a path names a companion file of a SQLite database: a journal, or our lock.
#[must_use]
pub fn is_companion(path: &Path, database: &Path) -> bool {
    let names = [path, database].map(|path| path.file_name().unwrap_or_default().as_encoded_bytes());
    let rest = names[0].strip_prefix(names[1]).filter(|rest| !names[1].is_empty() && !rest.is_empty());
    let is_one =
        rest.is_some_and(|rest| [&b"-journal"[..], b"-wal", b"-shm"].contains(&rest) || rest.starts_with(b"@"));
    is_one && are_same(directory(path), directory(database))
}

/// An error if the file can't be replaced later, because of its type or its directory. Changes nothing.
pub fn can_replace(path: &Path) -> io::Result<()> {
    expect_regular(path)?;
    tempfile::tempfile_in(directory(path)).map(drop).map_err(|error| beside(&error))
}

/// Writes or replaces a file, with these permissions. If that fails, the old file stays as it was.
pub fn replace(path: &Path, mode: u32, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    expect_regular(path)?;
    let mut file = tempfile::NamedTempFile::new_in(directory(path)).map_err(|error| beside(&error))?;
    let mut out = BufWriter::new(file.as_file_mut());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    // Some file systems report only now that they are full.
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// An error if something other than a regular file is there.
pub fn expect_regular(path: &Path) -> io::Result<()> {
    let is_name = path.file_name().is_some() && !path.as_os_str().as_encoded_bytes().ends_with(b"/");
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(found) => Err(io::Error::other(format!("it is {}, and must be a regular file", kind(found.file_type())))),
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_name => Ok(()),
        Err(error) => Err(error),
    }
}

/// The type of a file that exists and is not regular, links followed: opening it may block forever.
#[must_use]
pub fn other_kind(path: &Path) -> Option<&'static str> {
    fs::metadata(path).ok().map(|found| found.file_type()).filter(|found| !found.is_file()).map(kind)
}

/// Names the type of a file that is not regular.
fn kind(of: FileType) -> &'static str {
    match of {
        of if of.is_symlink() => "a symbolic link",
        of if of.is_dir() => "a directory",
        of if of.is_fifo() => "a FIFO",
        of if of.is_socket() => "a socket",
        _ => "a device",
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("no file can be written beside it: {error}"))
}

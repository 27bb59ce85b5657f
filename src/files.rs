//! Files that are written whole or not at all, and texts that a daemon reads without waiting for a writer.
//!
//! Nothing but a regular file is ever replaced, and nothing is written through a link: the new file is written beside the old
//! one and takes its name.

use std::{
    fs::{self, File, FileType, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::Path,
};

/// A text of more bytes is not read to its end.
const LARGEST_TEXT: u64 = 16 << 20;

/// Nor are more bytes of data: of a file that is there, a million records of a KiB; of a pipe or device, which may never end.
const LARGEST_DATA: u64 = 1 << 30;
const LARGEST_STREAM: u64 = 64 << 20;

/// How often a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    /// Once: it may be a pipe, such as `/dev/stdin`.
    #[default]
    Once,
    /// For each run of a daemon, which must not wait for the writer of a pipe.
    Again,
}

/// The [plain] text of a file, or of what a link leads to, as Kubernetes keeps its secrets.
pub fn read_text(path: &Path, reading: Reading) -> io::Result<String> {
    let found = fs::metadata(path)?.file_type();
    if reading == Reading::Again && !found.is_file() {
        let error = format!("it is {}, and what is read again for each run must be a regular file", kind(found));
        return Err(io::Error::other(error));
    }
    let mut text = String::new();
    if File::open(path)?.take(LARGEST_TEXT + 1).read_to_string(&mut text)? as u64 > LARGEST_TEXT {
        return Err(io::Error::other("it has more than 16 MiB"));
    }
    Ok(plain(&text))
}

/// What a file of records holds, or a pipe.
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

/// A text as it was meant: a byte order mark, CRLF and one newline at its end are what an editor adds.
#[must_use]
pub fn plain(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    text.strip_suffix(['\n', '\r']).unwrap_or(&text).to_owned()
}

/// Whether two names lead to one file, or would if there were one.
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

/// Whether a name is that of a file which belongs to a SQLite database: a journal, or a lock of ours.
#[must_use]
pub fn is_companion(path: &Path, database: &Path) -> bool {
    let names = [path, database].map(|path| path.file_name().unwrap_or_default().as_encoded_bytes());
    let rest = names[0].strip_prefix(names[1]).filter(|rest| !names[1].is_empty() && !rest.is_empty());
    let is_one =
        rest.is_some_and(|rest| [&b"-journal"[..], b"-wal", b"-shm"].contains(&rest) || rest.starts_with(b"@"));
    is_one && are_same(directory(path), directory(database))
}

/// Refuses what can't be replaced later, by what stands there or by its directory; it changes nothing.
pub fn can_replace(path: &Path) -> io::Result<()> {
    expect_regular(path)?;
    tempfile::tempfile_in(directory(path)).map(drop).map_err(|error| beside(&error))
}

/// Puts a file there with these permissions. Where that fails, what was there stays as it was.
pub fn replace(path: &Path, mode: u32, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    expect_regular(path)?;
    let mut file = tempfile::NamedTempFile::new_in(directory(path)).map_err(|error| beside(&error))?;
    let mut out = BufWriter::new(file.as_file_mut());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    // Some file systems tell only now that they are full.
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Refuses what is there and no regular file.
pub fn expect_regular(path: &Path) -> io::Result<()> {
    let is_name = path.file_name().is_some() && !path.as_os_str().as_encoded_bytes().ends_with(b"/");
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(found) => Err(io::Error::other(format!("it is {}, and must be a regular file", kind(found.file_type())))),
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_name => Ok(()),
        Err(error) => Err(error),
    }
}

/// What is there that is no regular file, or what a link leads to: it may be waited for without end when it is opened.
#[must_use]
pub fn other_kind(path: &Path) -> Option<&'static str> {
    fs::metadata(path).ok().map(|found| found.file_type()).filter(|found| !found.is_file()).map(kind)
}

/// What it is that is no regular file.
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

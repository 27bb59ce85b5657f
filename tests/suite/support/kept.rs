//! What the program prints is kept as well, for `secrets` to look through when all tests are done.

use std::{
    fs::{File, OpenOptions},
    io::{PipeReader, Read, Write, pipe},
    path::PathBuf,
};

/// Where `tests/run` wants everything that the program prints; without it nothing is kept.
pub fn kept_output() -> Option<PathBuf> {
    std::env::var_os("TEST_OUTPUT").map(PathBuf::from)
}

/// Two files for what one process prints, the arguments in the first line of each.
pub struct Kept {
    pub stdout: File,
    pub stderr: File,
}

impl Kept {
    pub fn of(arguments: &[&str]) -> Self {
        let name = uuid::Uuid::now_v7().simple();
        let file = |output: &str| {
            let path = kept_output().map_or("/dev/null".into(), |directory| directory.join(format!("{name}.{output}")));
            let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
            writeln!(file, "{}", arguments.join(" ").escape_debug()).unwrap();
            file
        };
        Self { stdout: file("stdout"), stderr: file("stderr") }
    }
}

/// Keeps what comes out of a pipe, and passes it on to whoever reads the new one.
pub fn keeping(mut from: PipeReader, mut file: File) -> PipeReader {
    let (reader, mut writer) = pipe().unwrap();
    std::thread::spawn(move || {
        let mut chunk = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            file.write_all(&chunk[..length]).unwrap();
            // A test may have read enough.
            let _ = writer.write_all(&chunk[..length]);
        }
    });
    reader
}

//! Keeps all output of the program, so that `secrets` can search it when all tests are done.

use std::{
    fs::{File, OpenOptions},
    io::{PipeReader, Read, Write, pipe},
    path::PathBuf,
};

/// The directory for the program's output, from `tests/run`; `None`: output is not kept.
pub fn kept_output() -> Option<PathBuf> {
    std::env::var_os("TEST_OUTPUT").map(PathBuf::from)
}

/// Two files for the output of one process; the first line of each has the arguments.
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

/// Copies a pipe's output to a file, and passes it on through the returned pipe.
pub fn keeping(mut from: PipeReader, mut file: File) -> PipeReader {
    let (reader, mut writer) = pipe().unwrap();
    std::thread::spawn(move || {
        let mut chunk = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            file.write_all(&chunk[..length]).unwrap();
            // The test may have closed its end already.
            let _ = writer.write_all(&chunk[..length]);
        }
    });
    reader
}

//! What is said on stderr: whole lines, written by a thread of their own, so that the work never waits for a reader.
//!
//! Lines wait in a queue of limited size. Where it is full, a line waits a moment for room; if there is none, it is dropped and
//! counted, and so are the next ones until half of the queue is written. A line that can't be written, because the disk is full
//! or the reader gone, is dropped as well. A dropped line changes neither the work nor the exit code.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anstream::{AutoStream, ColorChoice};

/// Bytes that wait in the queue at the most.
const MOST: usize = 1 << 20;

/// How long the last lines wait for a reader, and how long they do so where the program is to stop.
pub const LEISURE: Duration = Duration::from_secs(2);
/// See [`LEISURE`].
pub const HASTE: Duration = Duration::from_millis(300);

/// How long a line waits for room.
const PATIENCE: Duration = Duration::from_millis(300);

static QUEUE: LazyLock<Queue> = LazyLock::new(|| {
    let writer = thread::Builder::new().name("stderr".to_owned()).spawn(|| QUEUE.write());
    Queue { lines: Mutex::default(), moved: Condvar::new(), has_writer: writer.is_ok() }
});

/// Lines on their way to stderr.
struct Queue {
    lines: Mutex<Lines>,
    /// A line came or went.
    moved: Condvar,
    /// False: no thread could be started, and each caller writes its own lines.
    has_writer: bool,
}

#[derive(Default)]
struct Lines {
    /// The first is being written.
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// So many have gone.
    gone: u64,
    dropped: u64,
    /// Nobody reads: until half of the queue is written, no line waits for room.
    is_stuck: bool,
}

/// Says something: whole lines, or what moves the cursor of a terminal.
pub fn say(text: impl Into<Vec<u8>>) {
    QUEUE.say(text.into());
}

/// Whether colours are for it: on a terminal, unless `NO_COLOR` or `TERM=dumb` takes them out.
#[must_use]
pub fn has_colours() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Waits until all is said, for as long as there is a line of progress within this time.
pub fn flush(patience: Duration) {
    let (mut lines, mut seen) = (QUEUE.lines(), None);
    while !lines.waiting.is_empty() && seen != Some(lines.gone) {
        seen = Some(lines.gone);
        lines = QUEUE.wait_while(lines, patience, |lines| !lines.waiting.is_empty() && seen == Some(lines.gone));
    }
}

/// How many lines were dropped.
#[must_use]
pub fn dropped() -> u64 {
    QUEUE.lines().dropped
}

impl Queue {
    fn say(&self, line: Vec<u8>) {
        if !self.has_writer {
            let is_written = write(&line);
            self.lines().dropped += u64::from(!is_written);
            return;
        }
        let has_room = |lines: &Lines| lines.waiting.is_empty() || lines.bytes + line.len() <= MOST;
        let mut lines = self.lines();
        if !lines.is_stuck {
            lines = self.wait_while(lines, PATIENCE, |lines| !has_room(lines));
        }
        if has_room(&lines) {
            lines.bytes += line.len();
            lines.waiting.push_back(line);
        } else {
            lines.is_stuck = true;
            lines.dropped += 1;
        }
        drop(lines);
        self.moved.notify_all();
    }

    /// Writes whatever comes, to the end of the process.
    fn write(&self) {
        loop {
            let mut lines = self.lines();
            while lines.waiting.is_empty() {
                lines = self.moved.wait(lines).unwrap_or_else(PoisonError::into_inner);
            }
            let line = lines.waiting.front_mut().map(std::mem::take).unwrap_or_default();
            drop(lines);
            let is_written = write(&line);
            let mut lines = self.lines();
            lines.waiting.pop_front();
            lines.bytes -= line.len();
            lines.gone += 1;
            lines.dropped += u64::from(!is_written);
            lines.is_stuck &= lines.bytes > MOST / 2;
            drop(lines);
            self.moved.notify_all();
        }
    }

    /// Waits while this holds, for so long at the most.
    fn wait_while<'q>(
        &self,
        lines: MutexGuard<'q, Lines>,
        most: Duration,
        holds: impl Fn(&mut Lines) -> bool,
    ) -> MutexGuard<'q, Lines> {
        self.moved.wait_timeout_while(lines, most, holds).unwrap_or_else(PoisonError::into_inner).0
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In one piece, if it can be: others may write to the same file.
fn write(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        match io::stderr().write(rest) {
            Ok(0) => return false,
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another process that has the same terminal or pipe may have set it to non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(10)),
            Err(_) => return false,
        }
    }
    true
}

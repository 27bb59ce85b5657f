//! Output to stderr: whole lines, written by their own thread, so that the work never waits for a slow reader.
//!
//! Lines wait in a queue of limited size. If it is full, a line waits 300 ms for room; if there is still none,
//! this line and all following ones are dropped and counted until half of the queue is written. A line that can't be
//! written, because the disk is full or the reader is gone, is dropped too. A dropped line changes neither the work nor
//! the exit code.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anstream::{AutoStream, ColorChoice};

/// Bytes that the queue holds at most.
const MOST: usize = 1 << 20;

/// How long [`flush`] waits for the next line to be written at a normal end.
pub const LEISURE: Duration = Duration::from_secs(2);
/// The same after a request to stop.
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
    /// Signals that a line was added or written.
    moved: Condvar,
    /// If false, no thread could be started and each caller writes its own lines.
    has_writer: bool,
}

#[derive(Default)]
struct Lines {
    /// The first one is being written.
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Number of lines that left the queue.
    gone: u64,
    dropped: u64,
    /// The queue was full: until half of it is written, no line waits for room.
    is_stuck: bool,
}

/// Queues whole lines, or terminal control sequences.
pub fn say(text: impl Into<Vec<u8>>) {
    QUEUE.say(text.into());
}

/// Whether stderr gets colours: if it is a terminal, unless `NO_COLOR` or `TERM=dumb` is set.
#[must_use]
pub fn has_colours() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Waits until all lines are written; gives up if no line is written within `patience`.
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

    /// The thread's loop: writes lines until the process ends.
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

    /// Waits while `holds` is true, at most for `most`.
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

/// Writes a line, if possible in one call: other processes may write to the same file.
fn write(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        match io::stderr().write(rest) {
            Ok(0) => return false,
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another process with the same terminal or pipe may have made it non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(10)),
            Err(_) => return false,
        }
    }
    true
}

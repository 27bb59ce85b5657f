//! Progress on a terminal: a bar for listing and one for applying, with the remaining time.

use std::{
    io::{self, IsTerminal},
    sync::OnceLock,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use terminal_size::{Height, Width, terminal_size_of};

use crate::{progress::Progress, stderr};

/// Redraws per second.
const PER_SECOND: u8 = 20;

/// Bars on stderr; hidden if it is not a terminal.
#[must_use]
pub fn on_stderr() -> MultiProgress {
    MultiProgress::with_draw_target(if io::stderr().is_terminal() {
        ProgressDrawTarget::term_like_with_hz(Box::new(Screen), PER_SECOND)
    } else {
        ProgressDrawTarget::hidden()
    })
}

/// The terminal, written to through stderr's queue: if its output is stopped, the work goes on.
#[derive(Debug)]
struct Screen;

/// The bars of one run; each appears with its first step and disappears at the end.
#[derive(Debug)]
pub struct Bars {
    all: MultiProgress,
    listing: OnceLock<ProgressBar>,
    applying: OnceLock<ProgressBar>,
}

impl Bars {
    /// Bars drawn as part of `all`.
    #[must_use]
    pub fn new(all: &MultiProgress) -> Self {
        Self { all: all.clone(), listing: OnceLock::new(), applying: OnceLock::new() }
    }

    fn step(&self, bar: &OnceLock<ProgressBar>, doing: &'static str, done: usize, of: usize) {
        let bar = bar.get_or_init(|| {
            let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}, {eta} left");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
            self.all.add(ProgressBar::new(0).with_style(style).with_message(doing))
        });
        bar.set_length(of as u64);
        bar.set_position(done as u64);
        if done >= of {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bars {
    fn listed(&self, pages: usize, of: usize) {
        self.step(&self.listing, "Listing customers", pages, of);
    }

    fn applied(&self, _: &'static str, _: &'static str, changes: usize, of: usize) {
        self.step(&self.applying, "Applying changes", changes, of);
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        terminal_size_of(io::stderr()).map_or(80, |(Width(columns), _)| columns)
    }

    fn height(&self) -> u16 {
        terminal_size_of(io::stderr()).map_or(24, |(_, Height(lines))| lines)
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        moved(lines, 'A')
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        moved(lines, 'B')
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        moved(columns, 'C')
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        moved(columns, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        stderr::say(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn moved(by: usize, direction: char) -> io::Result<()> {
    if by > 0 { Screen.write_str(&format!("\u{1b}[{by}{direction}")) } else { Ok(()) }
}

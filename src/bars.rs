//! Progress on a terminal: a bar for listing and one for applying, with the time that is left.

use std::sync::OnceLock;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::progress::Progress;

/// The bars of one run; each appears with its first step and goes when everything is done.
#[derive(Debug)]
pub struct Bars {
    all: MultiProgress,
    listing: OnceLock<ProgressBar>,
    applying: OnceLock<ProgressBar>,
}

impl Bars {
    /// Bars that are drawn among others.
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

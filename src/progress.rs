//! The progress of a run.

/// Receives the progress of a run.
pub trait Progress: Sync {
    /// `pages` of `of` are listed.
    fn listed(&self, pages: usize, of: usize);

    /// A change of this kind has this outcome; `changes` of `of` have one now.
    fn applied(&self, kind: &'static str, outcome: &'static str, changes: usize, of: usize);
}

/// Ignores the progress.
impl Progress for () {
    fn listed(&self, _: usize, _: usize) {}

    fn applied(&self, _: &'static str, _: &'static str, _: usize, _: usize) {}
}

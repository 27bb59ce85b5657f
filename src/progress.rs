//! How a run tells how far it is.

/// Told how far a run is.
pub trait Progress: Sync {
    /// So many pages of so many are listed.
    fn listed(&self, pages: usize, of: usize);

    /// A change of this kind has this outcome; so many of so many have one.
    fn applied(&self, kind: &'static str, outcome: &'static str, changes: usize, of: usize);
}

/// Nobody is watching.
impl Progress for () {
    fn listed(&self, _: usize, _: usize) {}

    fn applied(&self, _: &'static str, _: &'static str, _: usize, _: usize) {}
}

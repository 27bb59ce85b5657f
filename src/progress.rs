//! How a run tells how far it is.

/// Told how far a run is.
pub trait Progress: Sync {
    /// So many pages of so many are listed.
    fn listed(&self, pages: usize, of: usize);

    /// So many changes of so many have an outcome.
    fn applied(&self, changes: usize, of: usize);
}

/// Nobody is watching.
impl Progress for () {
    fn listed(&self, _: usize, _: usize) {}

    fn applied(&self, _: usize, _: usize) {}
}

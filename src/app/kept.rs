//! What a daemon keeps between its runs: each for as long as what it is for stays the same.

/// A value, with what it is for.
#[derive(Debug)]
pub(super) struct Kept<F, T>(Option<(F, T)>);

impl<F, T> Default for Kept<F, T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<F: PartialEq, T> Kept<F, T> {
    /// The value that is for this; a new one where there is none.
    pub(super) fn of(&mut self, what: F, make: impl FnOnce() -> T) -> &T {
        let kept = self.0.take().filter(|(of, _)| *of == what);
        &self.0.insert(kept.unwrap_or_else(|| (what, make()))).1
    }

    /// Keeps this one, which is for that.
    pub(super) fn put(&mut self, what: F, value: T) {
        self.0 = Some((what, value));
    }

    /// Whether there is one.
    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// The value, which is not kept any more.
    pub(super) fn take(&mut self) -> Option<T> {
        self.take_unless(|_, _| false)
    }

    /// The same, unless it is good.
    pub(super) fn take_unless(&mut self, is_good: impl FnOnce(&F, &T) -> bool) -> Option<T> {
        self.0.take_if(|(of, value)| !is_good(of, value)).map(|(_, value)| value)
    }
}

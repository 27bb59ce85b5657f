//! What a daemon keeps between its runs: each for as long as what it is for stays the same.

/// A value, with what it is for; none at the beginning.
pub(super) type Kept<F, T> = Option<(F, T)>;

/// The value that is for this; a new one where there is none.
pub(super) fn kept<F: PartialEq, T>(kept: &mut Kept<F, T>, what: F, make: impl FnOnce() -> T) -> &T {
    let good = kept.take().filter(|(of, _)| *of == what);
    &kept.insert(good.unwrap_or_else(|| (what, make()))).1
}

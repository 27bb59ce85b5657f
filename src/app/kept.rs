//! Values that a daemon keeps from run to run, each for one key.

/// A value with its key; `None` at the beginning.
pub(super) type Kept<F, T> = Option<(F, T)>;

/// The kept value if its key is this one, else a new value.
pub(super) fn kept<F: PartialEq, T>(kept: &mut Kept<F, T>, what: F, make: impl FnOnce() -> T) -> &T {
    let good = kept.take().filter(|(of, _)| *of == what);
    &kept.insert(good.unwrap_or_else(|| (what, make()))).1
}

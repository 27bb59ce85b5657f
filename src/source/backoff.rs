//! The waits between tries of a connection that is to last.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);

/// Waits that double from one second to a limit.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    pub(super) fn up_to(most: Duration) -> Self {
        Self { next: FIRST, most }
    }

    /// How long to wait before the next try.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.most);
        wait
    }

    /// A try has succeeded: the next wait is short again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_begin_anew() {
        let mut backoff = Backoff::up_to(Duration::from_secs(5));
        assert_eq!([(); 5].map(|()| backoff.wait().as_secs()), [1, 2, 4, 5, 5]);
        backoff.reset();
        assert_eq!(backoff.wait(), FIRST);
    }
}

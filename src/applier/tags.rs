//! Makes the tags that changes carry, before the changes. One that can't be made fails those, not the run; where the first
//! attempt at it failed, they are put behind all others.

use std::{collections::BTreeMap, sync::PoisonError};

use futures_util::{StreamExt, stream};

use super::Applier;
use crate::{
    explo::{Attempts, Error, Reader, Writer},
    plan::Change,
};

/// Tags that could not be made, with the reason.
pub(super) type Unmade = BTreeMap<String, Refusal>;

/// Why a tag could not be made.
#[derive(Debug)]
pub(super) struct Refusal {
    reason: String,
    /// Explo refused it: the changes that carry it are at fault.
    is_final: bool,
}

impl<R: Reader, W: Writer> Applier<'_, R, W> {
    /// Makes those that the changes carry and that are not made yet.
    pub(super) async fn make_tags(&self, attempts: Attempts, side_by_side: usize) {
        let make = async |tag: &str| {
            if self.end.get().is_some() {
                return;
            }
            match self.writer.create_tag(tag, attempts).await {
                Ok(()) => drop(self.unmade_tags().remove(tag)),
                Err(error) if error.ends_run() => drop(self.end.set(error)),
                Err(error) => {
                    let is_final = matches!(error, Error::Rejected { .. });
                    self.unmade_tags().insert(tag.to_owned(), Refusal { reason: error.to_string(), is_final });
                }
            }
        };
        let mut tags = self.plan.tags_to_make(self.due);
        if attempts != Attempts::FIRST {
            let unmade = self.unmade_tags();
            tags.retain(|tag| unmade.get(*tag).is_some_and(|refusal| !refusal.is_final));
        }
        stream::iter(tags).for_each_concurrent(side_by_side.max(1), make).await;
    }

    /// Whether a change carries a tag at which there are attempts to come.
    pub(super) fn lacks_tag_yet(&self, change: &Change) -> bool {
        let may_be_made = self.writer.max_attempts() > 1;
        may_be_made && self.find_unmade(change, |refusal| (!refusal.is_final).then_some(())).is_some()
    }

    /// Why a change can't be made, where it carries a tag that could not be, and whether that is its own fault.
    pub(super) fn unmade_tag(&self, change: &Change) -> Option<(String, bool)> {
        let told = |Refusal { reason, is_final }: &Refusal| {
            Some((format!("one of its group_tags could not be created: {reason}"), *is_final))
        };
        self.find_unmade(change, told)
    }

    fn find_unmade<T>(&self, change: &Change, find: impl Fn(&Refusal) -> Option<T>) -> Option<T> {
        let unmade = self.unmade_tags();
        if unmade.is_empty() {
            return None;
        }
        self.plan.sent_tags(change).iter().find_map(|tag| find(unmade.get(&**tag)?))
    }

    fn unmade_tags(&self) -> std::sync::MutexGuard<'_, Unmade> {
        self.unmade_tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Creates the tags that changes need, before the changes. A tag that can't be created fails these changes, not the
//! run; if its first attempt fails, they are postponed.

use std::sync::PoisonError;

use futures_util::{StreamExt, stream};

use super::{
    Applier, Blame, Outcome,
    postponed::{Refusal, Unmade},
};
use crate::{
    explo::{Attempts, Error, Reader, Writer},
    plan::Change,
};

impl<R: Reader, W: Writer> Applier<'_, R, W> {
    /// The first attempt at each missing tag of the due changes.
    pub(super) async fn make_tags(&self, side_by_side: usize) {
        let tags = self.plan.tags_to_make(self.due).into_iter().map(|tag| (tag.to_owned(), Attempts::FIRST));
        self.try_tags(tags.collect(), side_by_side).await;
    }

    /// The remaining attempts at tags whose first attempt failed.
    pub(super) async fn make_tags_again(&self, side_by_side: usize) {
        let left = |(tag, refusal): (&String, &mut Refusal)| Some((tag.clone(), refusal.left.take()?));
        let tags = self.unmade_tags().iter_mut().filter_map(left).collect();
        self.try_tags(tags, side_by_side).await;
    }

    async fn try_tags(&self, tags: Vec<(String, Attempts)>, side_by_side: usize) {
        let make = async |(tag, attempts): (String, Attempts)| {
            if self.end.get().is_some() {
                return;
            }
            match self.writer.create_tag(&tag, attempts).await {
                Ok(()) => drop(self.unmade_tags().remove(&tag)),
                Err(error) if error.ends_run() => drop(self.end.set(error)),
                Err(error) => {
                    let blame = if let Error::Rejected { .. } = error { Blame::Tenant } else { Blame::Nobody };
                    let left = if attempts == Attempts::FIRST { self.left(&error) } else { None };
                    self.unmade_tags().insert(tag, Refusal { reason: error.to_string(), blame, left });
                }
            }
        };
        stream::iter(tags).for_each_concurrent(side_by_side.max(1), make).await;
    }

    /// Whether a change has a tag with attempts left.
    pub(super) fn lacks_tag_yet(&self, change: &Change) -> bool {
        self.find_unmade(change, |refusal| refusal.left).is_some()
    }

    /// The failure of a change with a tag that could not be created.
    pub(super) fn unmade_tag(&self, change: &Change) -> Option<Outcome> {
        let failed = |Refusal { reason, blame, .. }: &Refusal| {
            Some(Outcome::failed(format!("one of its group_tags could not be created: {reason}"), *blame))
        };
        self.find_unmade(change, failed)
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

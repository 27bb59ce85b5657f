//! Makes the tags that changes carry, before the changes. One that can't be made fails those, not the run.

use std::{collections::BTreeMap, sync::PoisonError};

use futures_util::{StreamExt, stream};

use super::Applier;
use crate::{
    explo::{Error, Reader, Writer},
    plan::Change,
};

/// Tags that could not be made, with the reason, and whether Explo refused them.
pub(super) type Unmade = BTreeMap<String, (String, bool)>;

impl<R: Reader, W: Writer> Applier<'_, R, W> {
    /// Makes those that the changes carry.
    pub(super) async fn make_tags(&self, side_by_side: usize) {
        let make = async |tag: &str| {
            if self.end.get().is_some() {
                return;
            }
            match self.writer.create_tag(tag).await {
                Ok(()) => {}
                Err(error) if error.ends_run() => drop(self.end.set(error)),
                Err(error) => {
                    let mut unmade = self.unmade_tags.lock().unwrap_or_else(PoisonError::into_inner);
                    let is_refused = matches!(error, Error::Rejected { .. });
                    unmade.insert(tag.to_owned(), (error.to_string(), is_refused));
                }
            }
        };
        let tags = self.plan.tags_to_make(self.due);
        stream::iter(tags).for_each_concurrent(side_by_side.max(1), make).await;
    }

    /// Why a change can't be made, where it carries a tag that could not be, and whether that is its own fault.
    pub(super) fn unmade_tag(&self, change: &Change) -> Option<(String, bool)> {
        let unmade = self.unmade_tags.lock().unwrap_or_else(PoisonError::into_inner);
        if unmade.is_empty() {
            return None;
        }
        let (reason, is_refused) = self.plan.sent_tags(change).iter().find_map(|tag| unmade.get(&**tag))?;
        Some((format!("one of its group_tags could not be created: {reason}"), *is_refused))
    }
}

//! Applies a plan, with all that the applier is told and asks.

use super::{Reconciler, Writers, departure::Leaving};
use crate::{
    applier::{Applied, Applier, Claim, HasRoom, IsAnothers, Recording},
    explo::{Error, Reader, Writer},
    plan::{Due, Plan},
    progress::Progress,
    source::Source,
};

impl<S: Source, R: Reader> Reconciler<'_, S, R> {
    /// Applies the due changes. `is_anothers` tells the tokens of other customers, `has_room` whether the guard lets a further
    /// update pass.
    pub(super) async fn apply<W: Writer>(
        &self,
        plan: &Plan,
        due: &Due,
        (is_anothers, has_room): (IsAnothers<'_>, HasRoom<'_>),
        writers: &Writers<'_, W>,
        progress: &dyn Progress,
    ) -> Applied {
        let recording = Recording { memory: self.memory, now: self.now, record: writers.record };
        let applier = Applier::new(plan, due, (self.reader, writers.explo), has_room, is_anothers, recording);
        let departing = writers.keep.map(|keep| Leaving::new(self, plan).keeping(keep));
        let applier = applier.claiming(writers.claims).offboarding(departing.as_ref().map(|departing| departing as _));
        let mut run = applier.apply(self.side_by_side, progress).await;
        // Where nothing could be claimed, no call was stopped.
        if run.end.is_none() && writers.claims.is_some_and(Claim::is_lost) {
            run.end = Some(Error::Stopped { reason: "a lost lock" });
        }
        run
    }
}

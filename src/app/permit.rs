//! What `sync` may write: all customers, with the lock of runs; or, with `--only` and a ledger, those of its ids, with a
//! lock each, so that it need not wait for a run.

use std::time::Duration;

use super::{Context, instance::Instance, lock, pair};
use crate::{
    cli::SyncArgs,
    database::lock::{Attempt, IdLocks, IdsAttempt, OwnIdLocks, Permit},
    explo,
    model::shown,
    reconciler::Shared,
    report::Exit,
    source,
};

/// How long `--only` waits for another's write by default.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was granted.
pub(super) struct Granted {
    /// `None` in a dry run.
    permit: Option<Permit>,
    locks: IdLocks,
    /// The connections of the locks of ids.
    own: Option<OwnIdLocks>,
}

impl Granted {
    fn of(permit: Option<Permit>, locks: IdLocks) -> Self {
        Self { permit, locks, own: None }
    }

    pub(super) fn permit(&self) -> Option<&Permit> {
        self.permit.as_ref()
    }

    /// What the process shares, which is a run alone.
    pub(super) fn shared(&self) -> Shared {
        Shared::without_wakes(self.locks.clone())
    }

    pub(super) async fn release(self) {
        if let Some(permit) = self.permit {
            permit.release().await;
        }
        if let Some(own) = self.own {
            own.release().await;
        }
    }
}

/// Asks for it; the error has its exit code.
pub(super) async fn permit(context: &Context, instance: &Instance, args: &SyncArgs) -> Result<Granted, (String, Exit)> {
    if args.dry_run {
        return Ok(Granted::of(None, IdLocks::of_process()));
    }
    let granted = if args.only.is_empty() || instance.config.ledger.is_none() {
        of_a_run(context, instance, args).await
    } else {
        of_ids(context, instance, args).await
    };
    granted.unwrap_or_else(|error: source::Error| Err((error.to_string(), Exit::Failed)))
}

type Answer = Result<Result<Granted, (String, Exit)>, source::Error>;

async fn of_a_run(context: &Context, instance: &Instance, args: &SyncArgs) -> Answer {
    let (name, stop, prefix) = (&instance.config.name, &context.stop, pair::lock_name(&instance.config));
    let wait = wait(args);
    Ok(match lock::acquire(&context.watch, &instance.config, prefix.clone(), wait, stop).await? {
        Attempt::Acquired(lock) => {
            stop_if(context, lock.lost().clone());
            let locks = lock.ids(&prefix);
            Ok(Granted::of(Some(Permit::Locked(lock)), locks))
        }
        Attempt::Unavailable(reason) => {
            tracing::warn!(instance = name, "going on without a lock: {reason}");
            Ok(Granted::of(Some(Permit::Unlocked), IdLocks::of_process()))
        }
        Attempt::Busy => {
            let error = format!("another run of instance {name} holds the lock: wait for it with --lock-timeout 5m");
            Err((error, Exit::Locked))
        }
        Attempt::Stopped => Err(stopped(context)),
    })
}

async fn of_ids(context: &Context, instance: &Instance, args: &SyncArgs) -> Answer {
    let (name, stop, prefix) = (&instance.config.name, &context.stop, pair::lock_name(&instance.config));
    let own = match lock::of_ids(&context.watch, &instance.config, prefix, stop).await? {
        IdsAttempt::Ready(own) => own,
        IdsAttempt::Unavailable(reason) => {
            tracing::warn!(instance = name, "going on without a lock: {reason}");
            return Ok(Ok(Granted::of(Some(Permit::Unlocked), IdLocks::of_process())));
        }
        IdsAttempt::Stopped => return Ok(Err(stopped(context))),
    };
    stop_if(context, own.lost().clone());
    // In one order, so that two processes never wait for each other.
    let mut only: Vec<_> = args.only.iter().collect();
    only.sort_unstable();
    only.dedup();
    let mut held = Vec::new();
    for provided_id in only {
        let lock = tokio::select! {
            lock = own.locks().acquire(provided_id, wait(args)) => lock,
            () = stop.requested() => return Ok(Err(stopped(context))),
        };
        let Some(lock) = lock else {
            let error = format!(
                "another process is writing the customer {}: wait for it with --lock-timeout 5m",
                shown(provided_id)
            );
            own.release().await;
            return Ok(Err((error, Exit::Locked)));
        };
        held.push(lock);
    }
    let locks = own.locks().clone();
    Ok(Ok(Granted { permit: Some(Permit::Ids(held)), locks, own: Some(own) }))
}

/// How long to wait for what is locked.
fn wait(args: &SyncArgs) -> Duration {
    args.lock_timeout.unwrap_or(if args.only.is_empty() { Duration::ZERO } else { PATIENCE })
}

/// Stops the command when its lock is lost.
fn stop_if(context: &Context, lost: tokio_util::sync::CancellationToken) {
    let stop = context.stop.clone();
    context.watch.spawn(async move {
        lost.cancelled().await;
        stop.request("a lost lock").await;
    });
}

fn stopped(context: &Context) -> (String, Exit) {
    (explo::Error::Stopped { reason: context.stop.reason() }.to_string(), Exit::Stopped)
}

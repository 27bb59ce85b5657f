//! `run`: the daemon, with its signals and its ops server.

use std::{io, sync::Arc};

use chrono::{DateTime, Utc};
use tokio::{
    net::TcpListener,
    signal::unix::SignalKind,
    sync::mpsc::{Receiver, channel},
};

use super::{
    Context,
    lead::{self, Lead},
    now,
    service::Service,
    terminal::Terminal,
    warn_of_idle_schedule,
};
use crate::{
    config::{Config, Layers},
    daemon::{self, Requests, Surroundings},
    files::Reading,
    ops::{self, Status},
    report::Exit,
    resources, systemd,
    telemetry::Reads,
    watch::Watch,
};

/// Descriptors that a run needs beside one for each call to Explo: connections to source, lock and ledger, their files,
/// name lookups and files that are read.
const OF_A_RUN: usize = 32;

/// The least connections that the ops server needs: probes come at the same time.
const PROBES: usize = 4;

/// Runs until SIGTERM.
pub(super) async fn run(context: &Context) -> io::Result<u8> {
    let layers = context.layers(Reading::Once).map(Layers::for_each_run);
    let config = layers.and_then(|layers| Ok((Config::load(&layers)?, layers)));
    let (config, layers) = match config {
        Ok(config) => config,
        Err(error) => return Ok(Terminal::fail(&error, Exit::Config)),
    };
    context.terminal.start_logs(config.log.clone(), &context.global, Reads::Logs);
    warn_of_idle_schedule(&config);
    let status = Arc::new(Status::new(&config.name, now()));
    if let Some(listen) = config.ops_listen {
        let refused = |error| io::Error::other(format!("ops.listen: can't listen on {listen}: {error}"));
        let listener = context.watch.run(TcpListener::bind(listen)).await.map_err(refused)?;
        tracing::info!(instance = config.name, address = %listener.local_addr()?, "ops server listens");
        let token = config.ops_token.clone();
        let connections = connections(config.max_in_flight, ops::Limits::wanted(token.as_ref()))?;
        context.watch.spawn(ops::serve(listener, ops::Limits { connections, token }, Arc::clone(&status), now));
    }
    let mut reloads = reloads(&context.watch)?;
    let timing = config.timing();
    status.metrics().expect_wakes(&config.origins());
    let (lead, requests) = (Lead::default(), Arc::<Requests>::default());
    let mut service = Service::new(context, layers, &config, Arc::clone(&status), (&lead, status.wakes(), &requests));
    systemd::ready();
    let mut around = Surroundings {
        clock: || DateTime::<Utc>::from(now()),
        random: rand::random,
        requests: &requests,
        reloads: &mut reloads,
        stop: &context.stop,
    };
    let stop = context.stop.clone();
    context.watch.spawn(async move {
        stop.requested().await;
        systemd::stopping();
    });
    let waking = lead::carry_out(status.wakes(), &lead, &requests, &status, &context.stop);
    tokio::join!(daemon::run(&mut service, timing, &mut around), waking);
    service.end().await;
    Ok(0)
}

/// How many connections the ops server may have, so that a run still has enough descriptors.
fn connections(max_in_flight: usize, wanted: usize) -> io::Result<usize> {
    let (Some(most), Some(open)) = (resources::most_descriptors(), resources::open_descriptors()) else {
        return Ok(wanted);
    };
    let (most, taken) = (most as usize, open as usize + OF_A_RUN + max_in_flight);
    if most < taken + PROBES {
        return Err(io::Error::other(format!(
            "this process may open {most} files and connections, and needs {}: raise the limit (ulimit -n, LimitNOFILE=), or \
             lower explo.max_in_flight",
            taken + PROBES
        )));
    }
    Ok(wanted.min(most - taken))
}

/// One message per SIGHUP; several at once become one.
fn reloads(watch: &Watch) -> io::Result<Receiver<()>> {
    let mut hangup = watch.signal(SignalKind::hangup())?;
    let (sender, receiver) = channel(1);
    watch.spawn(async move {
        while hangup.recv().await.is_some() {
            let _ = sender.try_send(());
        }
    });
    Ok(receiver)
}

//! `run`: the daemon, with its signals and its ops server.

use std::{io, sync::Arc};

use chrono::{DateTime, Utc};
use tokio::{
    net::TcpListener,
    signal::unix::SignalKind,
    sync::mpsc::{Receiver, channel},
};

use super::{Context, now, service::Service, terminal::Terminal};
use crate::{
    config::{Config, Layers},
    daemon::{self, Surroundings},
    files::Reading,
    ops::{self, Status},
    report::Exit,
    systemd,
    watch::Watch,
};

/// Runs until SIGTERM.
pub(super) async fn run(context: &Context) -> io::Result<u8> {
    let layers = context.layers(Reading::Once).map(Layers::for_each_run);
    let config = layers.and_then(|layers| Ok((Config::load(&layers)?, layers)));
    let (config, layers) = match config {
        Ok(config) => config,
        Err(error) => return Ok(Terminal::fail(&error, Exit::Config)),
    };
    context.terminal.start_logs(config.log, &context.global);
    let status = Arc::new(Status::new(&config.name, now()));
    if let Some(listen) = config.ops_listen {
        let refused = |error| io::Error::other(format!("ops.listen: can't listen on {listen}: {error}"));
        let listener = context.watch.run(TcpListener::bind(listen)).await.map_err(refused)?;
        tracing::info!(instance = config.name, address = %listener.local_addr()?, "ops server listens");
        context.watch.spawn(ops::serve(listener, Arc::clone(&status), now));
    }
    let mut reloads = reloads(&context.watch)?;
    let timing = config.timing();
    let mut service = Service::new(context, layers, &config, status);
    systemd::ready();
    let mut around = Surroundings {
        clock: || DateTime::<Utc>::from(now()),
        random: rand::random,
        reloads: &mut reloads,
        stop: &context.stop,
    };
    let stop = context.stop.clone();
    context.watch.spawn(async move {
        stop.requested().await;
        systemd::stopping();
    });
    daemon::run(&mut service, timing, &mut around).await;
    service.end().await;
    Ok(0)
}

/// A message for each SIGHUP; those that come together are one.
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

//! What a database says by itself: ids of tenants that may have changed.

mod changed;
mod listen;
mod trigger;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use explo_sync::source::Signal;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};
use tracing::subscriber::DefaultGuard;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_mins(1);

/// An origin at work.
struct Origin {
    signals: UnboundedReceiver<Signal>,
    task: JoinHandle<()>,
}

impl Origin {
    /// Starts one that tells what it hears.
    fn start<F: Future<Output: Send> + Send + 'static>(begin: impl FnOnce(UnboundedSender<Signal>) -> F) -> Self {
        explo_sync::install_crypto();
        let (tell, signals) = unbounded_channel();
        let origin = begin(tell);
        Self { signals, task: tokio::spawn(async move { drop(origin.await) }) }
    }

    async fn next(&mut self) -> Signal {
        timeout(LONG, self.signals.recv()).await.unwrap().unwrap()
    }

    /// The next signal says this id.
    async fn tells(&mut self, id: &str) {
        assert_eq!(self.next().await, Signal::Changed(id.to_owned()));
    }

    async fn hears(&mut self) {
        assert_eq!(self.next().await, Signal::Hearing);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The log of this thread, from now on.
struct Logs {
    text: Written,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logs {
    fn keep() -> Self {
        let text = Written::default();
        let writer = text.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .finish();
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines of ours that have this word.
    fn with(&self, word: &str) -> Vec<String> {
        let text = String::from_utf8(self.text.0.lock().unwrap().clone()).unwrap();
        let is_ours = |line: &&str| line.contains("explo_sync") && line.contains(word);
        text.lines().filter(is_ours).map(str::to_owned).collect()
    }

    /// Waits until there is such a line.
    async fn say(&self, word: &str) -> String {
        let said = async {
            loop {
                if let Some(line) = self.with(word).pop() {
                    return line;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LONG, said).await.unwrap_or_else(|_| panic!("no {word} in {:?}", self.with("")))
    }
}

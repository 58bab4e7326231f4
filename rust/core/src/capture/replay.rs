//! Recorded mempools as a source: Parquet as flashbots/mempool-dumpster publishes it and as a capture writes it, capture
//! journals, and JSON lines. A bad row or file becomes an anomaly; the replay goes on.

mod emit;
mod files;
mod lines;
mod parquet;
#[cfg(test)]
mod tests;

use crate::config::{Limits, ReplayConfig};
use crate::error::{Error, Result};
use crate::inbox::Item;
use crate::inbox::queue::ItemSender;
use crate::stats::Stats;
use emit::Emitter;
use files::Input;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{JoinHandle, Thread};

const THREAD: &str = "mempool-ids-replay";

/// A replay running on its own thread: [`Item::Ready`], the recorded items in order, [`Item::End`].
#[derive(Debug)]
pub struct ReplaySource {
    stopped: Arc<AtomicBool>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

impl ReplaySource {
    /// Looks at every file, then starts to send. Never drops an item: it waits for the pipeline.
    ///
    /// At speed 0 it runs as fast as it can, at speed s > 0 as recorded, s times as fast. A JSON line without
    /// `timestamp_ms` counts as seen at its line number, in milliseconds since 1970.
    ///
    /// # Errors
    /// Where a path is missing, empty or of no known kind, no file can be read, or a capture is of another chain than
    /// `chain_id`.
    pub fn start(
        config: &ReplayConfig,
        chain_id: u64,
        limits: &Limits,
        stats: Arc<Stats>,
        items: ItemSender,
    ) -> Result<ReplaySource> {
        if !(config.speed >= 0.0 && config.speed.is_finite()) {
            return Err(Error::Config("replay speed must be 0 or above".into()));
        }
        let inputs = files::list(&config.paths, chain_id)?;
        let stopped = Arc::new(AtomicBool::new(false));
        let last = items.clone();
        let emitter = Emitter::new(
            items,
            stats,
            stopped.clone(),
            config.speed,
            limits.frame_bytes,
        );
        let handle = std::thread::Builder::new()
            .name(THREAD.into())
            .spawn(move || last.told_of_panics(THREAD, || run(emitter, &inputs)))
            .map_err(|source| Error::Io {
                path: "replay thread".into(),
                source,
            })?;
        Ok(ReplaySource {
            stopped,
            thread: handle.thread().clone(),
            handle: Some(handle),
        })
    }

    /// Asks to stop soon; what was sent stays in the queue and `Item::End` follows it. Does not wait.
    pub fn stop(&self) {
        self.stopped.store(true, Relaxed);
        self.thread.unpark();
    }

    /// Waits for the thread. The queue must be read meanwhile, or be gone.
    pub fn join(mut self) {
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

impl Drop for ReplaySource {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(mut emitter: Emitter, inputs: &[Input]) {
    let _ = emitter.item(Item::Ready).and_then(|()| {
        inputs
            .iter()
            .try_for_each(|input| input.replay(&mut emitter))
    });
    emitter.end();
}

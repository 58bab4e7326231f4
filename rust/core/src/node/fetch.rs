//! Single transactions that somebody asked for by name.

use super::guard::guarded;
use super::report::{Reporter, emit};
use super::routes::Routes;
use crate::evidence::AnomalyKind;
use crate::inbox::queue::ItemSender;
use crate::inbox::{Item, Raw};
use crate::stats::Stats;
use alloy_primitives::B256;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// Transactions asked for by name that wait.
pub const WAITING: usize = 1024;
/// Transactions under way.
const CONCURRENT: usize = 16;

/// Asks for single transactions.
pub struct Fetcher {
    pub routes: Rc<Routes>,
    pub items: ItemSender,
    pub stats: Arc<Stats>,
    pub reporter: Reporter,
}

impl Fetcher {
    /// Several at a time: a node that is slow with one does not hold up the next.
    pub async fn serve(self, mut wanted: mpsc::Receiver<B256>) {
        let fetcher = Rc::new(self);
        let room = Arc::new(Semaphore::new(CONCURRENT));
        while let Ok(permit) = room.clone().acquire_owned().await
            && let Some(hash) = wanted.recv().await
        {
            let fetcher = fetcher.clone();
            tokio::task::spawn_local(async move {
                let fetch = async {
                    if let Err(reason) = fetcher.fetch(hash).await {
                        let said = format!("{hash}: {reason}");
                        fetcher.reporter.report(AnomalyKind::NodeError, &said);
                    }
                };
                guarded(fetch, &fetcher.reporter).await;
                drop(permit);
            });
        }
    }

    async fn fetch(&self, hash: B256) -> Result<(), String> {
        let params = format!(r#"["{hash}"]"#);
        let answer = self
            .routes
            .ask(None, "eth_getTransactionByHash", &params)
            .await
            .map_err(|error| error.to_string())?;
        if !answer.raw.starts_with(b"{") {
            return Err("not an object".into());
        }
        self.stats.received.add(1);
        let raw = Raw {
            bytes: answer.raw,
            endpoint: 0,
            at: answer.arrival.at,
            unix_ms: answer.arrival.unix_ms,
        };
        // A pipeline that is gone needs no answer.
        emit(&self.items, Item::Fetched(raw)).await.ok();
        Ok(())
    }
}

//! Single transactions that somebody asked for by name.

use super::thread::Shared;
use crate::evidence::AnomalyKind;
use crate::inbox::{Item, Raw};
use crate::node::guard::guarded;
use crate::node::report::{Reporter, emit};
use alloy_primitives::B256;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// Transactions under way.
const CONCURRENT: usize = 16;

/// Transactions asked for by name, several at a time: a node that is slow with one does not hold up the next.
pub async fn serve(shared: Rc<Shared>, mut wanted: mpsc::Receiver<B256>, reporter: Reporter) {
    let reporter = Rc::new(reporter);
    let room = Arc::new(Semaphore::new(CONCURRENT));
    while let Ok(permit) = room.clone().acquire_owned().await
        && let Some(hash) = wanted.recv().await
    {
        let (shared, reporter) = (shared.clone(), reporter.clone());
        tokio::task::spawn_local(async move {
            let fetch = async {
                if let Err(reason) = fetch_one(&shared, hash).await {
                    reporter.report(AnomalyKind::NodeError, &format!("{hash}: {reason}"));
                }
            };
            guarded(fetch, &reporter).await;
            drop(permit);
        });
    }
}

async fn fetch_one(shared: &Shared, hash: B256) -> Result<(), String> {
    let answer = shared
        .routes
        .ask(None, "eth_getTransactionByHash", &format!(r#"["{hash}"]"#))
        .await;
    let answer = answer.map_err(|error| error.to_string())?;
    if !answer.raw.starts_with(b"{") {
        return Err("not an object".into());
    }
    shared.stats.received.add(1);
    let (at, unix_ms) = (answer.arrival.at, answer.arrival.unix_ms);
    let raw = Raw {
        bytes: answer.raw,
        endpoint: 0,
        at,
        unix_ms,
    };
    // A pipeline that is gone needs no answer.
    emit(&shared.items, Item::Fetched(raw)).await.ok();
    Ok(())
}

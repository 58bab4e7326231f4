//! Follows the chain as the endpoints announce it: what was missed between two heads is asked for.

use super::canonical::{Chain, Step};
use super::report::{Reporter, emit};
use super::routes::Routes;
use super::transport::Arrival;
use crate::chain::{Head, Reorg};
use crate::evidence::AnomalyKind;
use crate::inbox::Item;
use crate::inbox::queue::{Closed, ItemSender};
use crate::wire::json;
use alloy_primitives::B256;
use std::cell::Cell;
use std::rc::Rc;
use tokio::sync::mpsc;

/// Announcements that wait to be followed.
pub const WAITING: usize = 1024;

/// A head as one endpoint announced it.
#[derive(Debug, Clone)]
pub struct Announced {
    pub head: Head,
    pub endpoint: u16,
    /// Mined while nobody may have listened: its transactions are forwarded too.
    pub missed: bool,
}

/// A new canonical block, whose contents are to be fetched.
#[derive(Debug, Clone, Copy)]
pub struct NewBlock {
    pub hash: B256,
    pub endpoint: u16,
    pub missed: bool,
}

/// Follows announcements. Emits heads and reorgs, and passes on the new blocks.
pub struct Follower {
    pub routes: Rc<Routes>,
    pub items: ItemSender,
    /// The number of the canonical head; 0 before the first.
    pub head: Rc<Cell<u64>>,
    pub blocks: mpsc::Sender<NewBlock>,
    pub reporter: Reporter,
}

impl Follower {
    /// One announcement after the other, until the pipeline is gone.
    pub async fn follow(&self, chain: &mut Chain, announced: &mut mpsc::Receiver<Announced>) {
        while let Some(next) = announced.recv().await {
            if self.take(chain, next).await.is_err() {
                break;
            }
        }
    }

    async fn take(&self, chain: &mut Chain, announced: Announced) -> Result<(), Closed> {
        let Announced {
            head,
            endpoint,
            missed,
        } = announced;
        let old = chain.tip().map(|tip| tip.hash);
        let mut give_up = false;
        let (new, depth, gap) = loop {
            match chain.advance(&head, endpoint, give_up) {
                Step::Nothing => return Ok(()),
                Step::Advance { blocks, depth, gap } => break (blocks, depth, gap),
                Step::Impossible => {
                    self.reporter.report(
                        AnomalyKind::MalformedFrame,
                        "a head whose number does not follow its parent's",
                    );
                    return Ok(());
                }
                Step::Missing(hash) => match self.header(endpoint, hash).await {
                    Ok(parent) => chain.learn(parent),
                    Err(reason) => {
                        let said = format!("no header of {}: {reason}", json::short(&hash));
                        self.reporter.report(AnomalyKind::NodeError, &said);
                        // One endpoint's word against a chain that others can still announce: theirs is waited for.
                        if self.routes.others_up(endpoint) {
                            return Ok(());
                        }
                        give_up = true;
                    }
                },
            }
        };
        if gap > 0 {
            self.reporter.report(
                AnomalyKind::NodeError,
                &format!("{gap} blocks before {} were not followed", head.number),
            );
        }
        if let Some(old_head) = old.filter(|_| depth > 0) {
            let at_ms = Arrival::now().unix_ms;
            let reorg = Reorg {
                at_ms,
                depth,
                old_head,
                new_head: head.hash,
                number: head.number,
            };
            emit(&self.items, Item::Reorg(reorg)).await?;
        }
        self.head.set(head.number);
        // Heads that nobody announced were mined while nobody listened.
        let missed = missed || (new.len() > 1 && depth == 0);
        for block in new {
            let contents = NewBlock {
                hash: block.hash,
                endpoint,
                missed,
            };
            emit(&self.items, Item::Head(block)).await?;
            if self.blocks.try_send(contents).is_err() {
                self.reporter.report(
                    AnomalyKind::NodeError,
                    "blocks come faster than they can be fetched: one left out",
                );
            }
        }
        Ok(())
    }

    async fn header(&self, endpoint: u16, hash: B256) -> Result<Head, String> {
        let params = format!(r#"["{hash}",false]"#);
        let answer = self
            .routes
            .ask(Some(endpoint), "eth_getBlockByHash", &params)
            .await;
        let answer = answer.map_err(|error| error.to_string())?;
        let head = answer.read(|answer| json::head(answer.text(), answer.arrival.unix_ms));
        let head = head.await.ok_or("not a block")?;
        if head.hash == hash {
            Ok(head)
        } else {
            Err("the node gave another block".into())
        }
    }
}

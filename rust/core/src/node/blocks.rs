//! The contents of each new block, in the order of the blocks.

use super::heads::NewBlock;
use super::message::Answer;
use super::report::{Reporter, emit};
use super::routes::Routes;
use super::transport::Arrival;
use crate::chain::BlockContents;
use crate::evidence::AnomalyKind;
use crate::inbox::Item;
use crate::inbox::queue::{Closed, ItemSender};
use crate::wire::json;
use alloy_primitives::B256;
use bytes::Bytes;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Blocks that wait to be fetched.
pub const WAITING: usize = 512;
/// A node that has not got the block yet is asked again after these.
const RETRY_AFTER: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(2),
];

/// Fetches the contents of new blocks.
pub struct Contents {
    pub routes: Rc<Routes>,
    pub items: ItemSender,
    pub reporter: Reporter,
}

/// A block as a node gave it.
struct Full {
    contents: BlockContents,
    /// Its transaction objects, where they are wanted.
    objects: Vec<Bytes>,
    unreadable: usize,
}

impl Contents {
    /// Block after block until the pipeline is gone. `mined` takes the transaction objects of missed ones: the endpoint that
    /// announced the block, the object, and when it came.
    pub async fn fetch(
        &self,
        blocks: &mut mpsc::Receiver<NewBlock>,
        mined: impl AsyncFn(u16, Bytes, Arrival) -> Result<(), Closed>,
    ) {
        while let Some(block) = blocks.recv().await {
            let forwarded = match self.ask(&block).await {
                Ok(answer) => self.forward(&block, answer, &mined).await,
                Err(reason) => {
                    let hash = json::short(&block.hash);
                    let said = format!("no contents of block {hash}: {reason}");
                    self.reporter.report(AnomalyKind::NodeError, &said);
                    Ok(())
                }
            };
            if forwarded.is_err() {
                break;
            }
        }
    }

    async fn ask(&self, block: &NewBlock) -> Result<Answer, String> {
        let params = format!(r#"["{}",true]"#, block.hash);
        let mut waits = RETRY_AFTER.iter();
        loop {
            let asked = self
                .routes
                .ask(Some(block.endpoint), "eth_getBlockByHash", &params);
            match asked.await {
                Ok(answer) => return Ok(answer),
                Err(error) => match waits.next() {
                    Some(wait) => tokio::time::sleep(*wait).await,
                    None => return Err(error.to_string()),
                },
            }
        }
    }

    async fn forward(
        &self,
        block: &NewBlock,
        answer: Answer,
        mined: &impl AsyncFn(u16, Bytes, Arrival) -> Result<(), Closed>,
    ) -> Result<(), Closed> {
        let arrival = answer.arrival;
        let (hash, missed) = (block.hash, block.missed);
        let read = answer.read(move |answer| full(answer, hash, missed));
        let Some(full) = read.await else {
            let said = format!("{} is not the block asked for", json::short(&hash));
            self.reporter.report(AnomalyKind::NodeError, &said);
            return Ok(());
        };
        if full.unreadable > 0 {
            let said = format!(
                "{} transactions of block {} cannot be read",
                full.unreadable, full.contents.number
            );
            self.reporter
                .report(AnomalyKind::MalformedTransaction, &said);
        }
        // Before the block itself, so that their end is known to be inclusion.
        for object in full.objects {
            mined(block.endpoint, object, arrival).await?;
        }
        emit(&self.items, Item::Block(full.contents)).await
    }
}

fn full(answer: &Answer, hash: B256, with_objects: bool) -> Option<Full> {
    let full = json::full_block(answer.text()).filter(|full| full.contents.hash == hash)?;
    let share = |object: &&str| json::share(&answer.raw, object);
    let objects = full.objects.iter().filter(|_| with_objects).map(share);
    Some(Full {
        objects: objects.collect(),
        unreadable: full.unreadable,
        contents: full.contents,
    })
}

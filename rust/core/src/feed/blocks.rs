//! The contents of each new block, in the order of the blocks.

use super::endpoint::Endpoint;
use super::heads::NewBlock;
use super::thread::Shared;
use crate::evidence::AnomalyKind;
use crate::inbox::Item;
use crate::inbox::queue::Closed;
use crate::node::report::{Reporter, emit};
use crate::node::rpc::Answer;
use crate::wire::json;
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

/// Fetches block after block until the pipeline is gone.
pub async fn fetch(
    shared: &Shared,
    endpoints: &[Rc<Endpoint>],
    blocks: &mut mpsc::Receiver<NewBlock>,
    reporter: &Reporter,
) {
    while let Some(block) = blocks.recv().await {
        let forwarded = match contents(shared, &block).await {
            Ok(answer) => forward(shared, endpoints, &block, &answer, reporter).await,
            Err(reason) => {
                let said = format!(
                    "no contents of block {}: {reason}",
                    json::short(&block.hash)
                );
                reporter.report(AnomalyKind::NodeError, &said);
                Ok(())
            }
        };
        if forwarded.is_err() {
            break;
        }
    }
}

async fn contents(shared: &Shared, block: &NewBlock) -> Result<Answer, String> {
    let params = format!(r#"["{}",true]"#, block.hash);
    let mut waits = RETRY_AFTER.iter();
    loop {
        match shared
            .routes
            .ask(Some(block.endpoint), "eth_getBlockByHash", &params)
            .await
        {
            Ok(answer) => return Ok(answer),
            Err(error) => match waits.next() {
                Some(wait) => tokio::time::sleep(*wait).await,
                None => return Err(error.to_string()),
            },
        }
    }
}

async fn forward(
    shared: &Shared,
    endpoints: &[Rc<Endpoint>],
    block: &NewBlock,
    answer: &Answer,
    reporter: &Reporter,
) -> Result<(), Closed> {
    let Some(full) =
        json::full_block(answer.text()).filter(|full| full.contents.hash == block.hash)
    else {
        reporter.report(
            AnomalyKind::NodeError,
            &format!("{} is not the block asked for", json::short(&block.hash)),
        );
        return Ok(());
    };
    if full.unreadable > 0 {
        let said = format!(
            "{} transactions of block {} cannot be read",
            full.unreadable, full.contents.number
        );
        reporter.report(AnomalyKind::MalformedTransaction, &said);
    }
    // Before the block itself, so that their end is known to be inclusion.
    if let Some(endpoint) = endpoints
        .get(usize::from(block.endpoint))
        .filter(|_| block.missed)
    {
        for object in full.objects {
            endpoint
                .send_mined(json::share(&answer.raw, object), answer.arrival)
                .await?;
        }
    }
    emit(&shared.items, Item::Block(full.contents)).await
}

//! What a node held while nobody listened: its pool, read after every (re)connect.

use super::endpoint::Endpoint;
use super::json;
use super::rpc::{Answer, POOL_TIMEOUT, RpcError, WsRpc};
use crate::event::AnomalyKind;
use crate::source::queue::Closed;

/// Transactions read before other tasks get their turn.
const STRIDE: usize = 32;

/// Reads the pending and queued transactions of the node's pool; its pending block where it refuses that.
///
/// Runs after the subscription is confirmed, so that nothing falls between the two.
pub async fn catch_up(endpoint: &Endpoint, rpc: &WsRpc) -> Result<(), Closed> {
    let refused = if endpoint.pool_too_large.get() {
        "above the size limit of a message".to_owned()
    } else {
        endpoint.reads_pool.set(true);
        let answer = rpc.call("txpool_content", "[]", POOL_TIMEOUT).await;
        endpoint.reads_pool.set(false);
        match answer {
            Ok(answer) if answer.raw.starts_with(b"{") => {
                return read_pool(endpoint, &answer).await;
            }
            Ok(_) => "not an object".to_owned(),
            Err(RpcError::Lost) => return Ok(()),
            Err(error) => error.to_string(),
        }
    };
    let refused_too = match rpc
        .call("eth_getBlockByNumber", r#"["pending",true]"#, POOL_TIMEOUT)
        .await
    {
        Ok(answer) if answer.raw.starts_with(b"{") => match json::block_objects(answer.text()) {
            Some(objects) => return offer(endpoint, &answer, objects).await,
            None => "not a block".to_owned(),
        },
        Ok(_) => "no pending block".to_owned(),
        Err(RpcError::Lost) => return Ok(()),
        Err(error) => error.to_string(),
    };
    if !endpoint.pool_refusal_told.replace(true) {
        let said = format!(
            "what is missed while disconnected cannot be fetched: txpool_content: {refused}; pending block: {refused_too}"
        );
        endpoint
            .reporter
            .tell(AnomalyKind::NodeError, endpoint.url.scrub(&said));
    }
    Ok(())
}

/// `{"pending": {sender: {nonce: transaction}}, "queued": …}`.
async fn read_pool(endpoint: &Endpoint, answer: &Answer) -> Result<(), Closed> {
    let sections = json::members(answer.text()).map_while(|member| member);
    let sections = sections.filter(|(name, _)| name == "pending" || name == "queued");
    let senders = sections
        .flat_map(|(_, section)| json::members(section))
        .map_while(|member| member);
    let objects = senders
        .flat_map(|(_, nonces)| json::members(nonces))
        .map_while(|member| member);
    offer(endpoint, answer, objects.map(|(_, object)| object)).await
}

async fn offer<'a>(
    endpoint: &Endpoint,
    answer: &'a Answer,
    objects: impl IntoIterator<Item = &'a str>,
) -> Result<(), Closed> {
    for (n, object) in objects.into_iter().enumerate() {
        if !object.starts_with('{') {
            endpoint.reporter.report(
                AnomalyKind::MalformedTransaction,
                "a pool entry that is not an object",
            );
            continue;
        }
        endpoint
            .send_object(json::share(&answer.raw, object), answer.arrival)
            .await?;
        if n % STRIDE == STRIDE - 1 {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

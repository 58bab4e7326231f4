//! What a node held while nobody listened: its pool, read after every (re)connect.

use super::endpoint::Endpoint;
use crate::evidence::AnomalyKind;
use crate::inbox::queue::Closed;
use crate::node::rpc::{Answer, POOL_TIMEOUT, RpcError, WsRpc};
use crate::wire::json;
use std::borrow::Cow;

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
    let objects = members(endpoint, answer.text())
        .filter(|(name, _)| name == "pending" || name == "queued")
        .flat_map(|(_, section)| members(endpoint, section))
        .flat_map(|(_, nonces)| members(endpoint, nonces));
    offer(endpoint, answer, objects.map(|(_, object)| object)).await
}

/// Members of an object in the pool. From the first that cannot be read the rest of that object is left out, and told.
fn members<'a>(
    endpoint: &Endpoint,
    object: &'a str,
) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
    json::members(object).map_while(|member| {
        if member.is_none() {
            let said = "part of txpool_content cannot be read";
            endpoint.reporter.report(AnomalyKind::NodeError, said);
        }
        member
    })
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

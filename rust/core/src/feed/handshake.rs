//! The start of a connection: check the chain, subscribe.

use super::endpoint::{Ended, Endpoint};
use crate::evidence::AnomalyKind;
use crate::node::message::{RpcError, TIMEOUT};
use crate::node::rpc::{Topic, WsRpc};
use crate::node::standing::Unfit;

/// How a node tells of heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heads {
    Announced,
    /// It refuses to: they are asked for.
    Polled,
}

/// Checks the chain and subscribes.
pub async fn subscribe(endpoint: &Endpoint, rpc: &WsRpc) -> Result<Heads, Ended> {
    let failed = |what: &str, error: RpcError| Ended::Lost(format!("{what}: {error}"));
    let answered = rpc.call("eth_chainId", "[]", TIMEOUT).await;
    let fit = endpoint.standing.check(answered, &endpoint.reporter);
    fit.map_err(|unfit| match unfit {
        Unfit::Now(reason) => Ended::Lost(reason),
        Unfit::Forever => Ended::WrongChain,
    })?;
    let mut pending = rpc
        .subscribe(Topic::Pending, r#"["newPendingTransactions",true]"#)
        .await;
    if let Err(RpcError::Refused { .. }) = pending {
        pending = rpc
            .subscribe(Topic::Pending, r#"["newPendingTransactions"]"#)
            .await;
        if pending.is_ok() {
            endpoint.tell_hashes();
        }
    }
    pending.map_err(|error| failed("eth_subscribe newPendingTransactions", error))?;
    match rpc.subscribe(Topic::Heads, r#"["newHeads"]"#).await {
        Ok(_) => Ok(Heads::Announced),
        Err(RpcError::Refused { code, message }) => {
            if !endpoint.seen.heads_refusal_told.replace(true) {
                let said =
                    format!("refuses newHeads: {message} ({code}); its head is asked for instead");
                endpoint.tell(AnomalyKind::NodeError, &said);
            }
            Ok(Heads::Polled)
        }
        Err(error) => Err(failed("eth_subscribe newHeads", error)),
    }
}

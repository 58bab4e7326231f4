//! What a node held while nobody listened: its pool, read after every (re)connect.
//!
//! A pool may be tens of megabytes. It is taken apart on a thread of its own, which hands over its transactions in pieces.

use super::endpoint::Endpoint;
use crate::evidence::AnomalyKind;
use crate::inbox::queue::Closed;
use crate::node::aside::elsewhere;
use crate::node::message::{Answer, RpcError};
use crate::node::rpc::WsRpc;
use crate::node::transport::Arrival;
use crate::wire::json;
use bytes::Bytes;
use std::borrow::Cow;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a node may take to answer with its whole pool.
const POOL_TIMEOUT: Duration = Duration::from_secs(180);
/// Entries handed over at once; then other tasks get their turn.
const PIECE: usize = 32;
/// Pieces that wait.
const AHEAD: usize = 8;

/// Reads the pending and queued transactions of the node's pool; its pending block where it refuses that.
///
/// Runs after the subscription is confirmed, so that nothing falls between the two.
pub async fn catch_up(endpoint: &Endpoint, rpc: &WsRpc) -> Result<(), Closed> {
    let seen = &endpoint.seen;
    let refused = if seen.pool_too_large.get() {
        "above the size limit of a message".to_owned()
    } else {
        seen.reads_pool.set(true);
        let answer = rpc.call("txpool_content", "[]", POOL_TIMEOUT).await;
        seen.reads_pool.set(false);
        match answer {
            Ok(answer) if answer.raw.starts_with(b"{") => {
                return hand_over(endpoint, answer, read_pool).await.map(drop);
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
        Ok(answer) if answer.raw.starts_with(b"{") => {
            if hand_over(endpoint, answer, read_block).await? {
                return Ok(());
            }
            "not a block".to_owned()
        }
        Ok(_) => "no pending block".to_owned(),
        Err(RpcError::Lost) => return Ok(()),
        Err(error) => error.to_string(),
    };
    if !seen.pool_refusal_told.replace(true) {
        let said = format!(
            "what is missed while disconnected cannot be fetched: txpool_content: {refused}; pending block: {refused_too}"
        );
        endpoint.tell(AnomalyKind::NodeError, &said);
    }
    Ok(())
}

/// Some transactions of an answer, and how much of what lay between them cannot be used.
#[derive(Default)]
struct Piece {
    objects: Vec<Bytes>,
    /// Entries that are no objects.
    strangers: usize,
    /// Parts that end in something that cannot be read.
    flaws: usize,
}

/// Fills piece after piece, and waits where nobody takes them.
struct Pieces {
    whole: Bytes,
    piece: Piece,
    out: mpsc::Sender<Piece>,
}

/// Nobody takes pieces any more.
struct Abandoned;

impl Pieces {
    fn entry(&mut self, entry: &str) -> Result<(), Abandoned> {
        if entry.starts_with('{') {
            self.piece.objects.push(json::share(&self.whole, entry));
        } else {
            self.piece.strangers += 1;
        }
        self.flush_full()
    }

    fn flaw(&mut self) -> Result<(), Abandoned> {
        self.piece.flaws += 1;
        self.flush_full()
    }

    fn flush_full(&mut self) -> Result<(), Abandoned> {
        let piece = &self.piece;
        match piece.objects.len() + piece.strangers + piece.flaws {
            PIECE.. => self.flush(),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), Abandoned> {
        let piece = std::mem::take(&mut self.piece);
        self.out.blocking_send(piece).map_err(|_| Abandoned)
    }

    /// Members of an object in the pool. From the first that cannot be read the rest of that object is left out.
    fn members<'a>(
        &mut self,
        object: &'a str,
        mut each: impl FnMut(&mut Self, Cow<'a, str>, &'a str) -> Result<(), Abandoned>,
    ) -> Result<(), Abandoned> {
        for member in json::members(object) {
            let Some((name, value)) = member else {
                return self.flaw();
            };
            each(self, name, value)?;
        }
        Ok(())
    }
}

/// Has `read` take the answer apart elsewhere, and forwards its transactions. False where it is not what was asked for.
async fn hand_over(
    endpoint: &Endpoint,
    answer: Answer,
    read: fn(&mut Pieces, &str) -> Result<bool, Abandoned>,
) -> Result<bool, Closed> {
    let (out, mut handed) = mpsc::channel(AHEAD);
    let arrival = answer.arrival;
    let reading = elsewhere(move || {
        let mut pieces = Pieces {
            whole: answer.raw.clone(),
            piece: Piece::default(),
            out,
        };
        let read = read(&mut pieces, answer.text());
        match read {
            Ok(readable) => pieces.flush().is_ok() && readable,
            Err(Abandoned) => false,
        }
    });
    let taking = async move {
        while let Some(piece) = handed.recv().await {
            take(endpoint, piece, arrival).await?;
        }
        Ok(())
    };
    let (readable, taken) = tokio::join!(reading, taking);
    taken.map(|()| readable)
}

async fn take(endpoint: &Endpoint, piece: Piece, arrival: Arrival) -> Result<(), Closed> {
    for _ in 0..piece.flaws {
        let said = "part of txpool_content cannot be read";
        endpoint.reporter.report(AnomalyKind::NodeError, said);
    }
    for _ in 0..piece.strangers {
        let said = "a pool entry that is not an object";
        let reporter = &endpoint.reporter;
        reporter.report(AnomalyKind::MalformedTransaction, said);
    }
    for object in piece.objects {
        let missed = endpoint.is_behind();
        endpoint
            .deliver
            .send_object(object, arrival, missed)
            .await?;
    }
    tokio::task::yield_now().await;
    Ok(())
}

/// `{"pending": {sender: {nonce: transaction}}, "queued": …}`.
fn read_pool(pieces: &mut Pieces, pool: &str) -> Result<bool, Abandoned> {
    pieces.members(pool, |pieces, name, section| {
        if name != "pending" && name != "queued" {
            return Ok(());
        }
        pieces.members(section, |pieces, _sender, nonces| {
            pieces.members(nonces, |pieces, _nonce, transaction| {
                pieces.entry(transaction)
            })
        })
    })?;
    Ok(true)
}

fn read_block(pieces: &mut Pieces, block: &str) -> Result<bool, Abandoned> {
    let Some(objects) = json::block_objects(block) else {
        return Ok(false);
    };
    for object in objects {
        pieces.entry(object)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;

//! Callee code, fetched in the background with the block that created it.

use super::guard::guarded;
use super::message::RpcError;
use super::report::{Reporter, emit};
use super::routes::Routes;
use crate::chain::{CodeAnswer, implementation};
use crate::evidence::AnomalyKind;
use crate::inbox::Item;
use crate::inbox::queue::ItemSender;
use crate::stats::Stats;
use crate::wire::json;
use alloy_primitives::{Address, B256, Bytes, U256, b256};
use std::cell::Cell;
use std::collections::HashSet;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Addresses that wait.
const WAITING: usize = 4096;
/// Addresses under way.
const CONCURRENT: usize = 16;
/// Addresses whose creation block is searched for after their code was handed over.
const DATING: usize = 16;
/// The code is not held back longer than this for the creation block; that comes in a second answer then.
const CREATION_PATIENCE: Duration = Duration::from_millis(250);
/// A full node keeps the state of the last 128 blocks: what was created within these can be dated by any node.
const RECENT: u64 = 100;

/// Slots in which contracts keep whom they work for, and where a proxy keeps whose code it runs (EIP-1967).
const FIRST_SLOTS: u8 = 8;
const IMPLEMENTATION: B256 =
    b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");

/// The pipeline's end: never blocks.
pub struct CodeRequests {
    sender: mpsc::Sender<Address>,
    in_flight: Arc<Mutex<HashSet<Address>>>,
    looks_inside: Arc<AtomicBool>,
    stats: Arc<Stats>,
}

/// The source's end.
pub struct CodeQueue {
    receiver: mpsc::Receiver<Address>,
    in_flight: Arc<Mutex<HashSet<Address>>>,
    pub looks_inside: Arc<AtomicBool>,
}

pub fn queue(stats: Arc<Stats>) -> (CodeRequests, CodeQueue) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let in_flight = Arc::new(Mutex::new(HashSet::new()));
    let looks_inside = Arc::new(AtomicBool::new(false));
    (
        CodeRequests {
            sender,
            in_flight: in_flight.clone(),
            looks_inside: looks_inside.clone(),
            stats,
        },
        CodeQueue {
            receiver,
            in_flight,
            looks_inside,
        },
    )
}

impl CodeRequests {
    /// From now on answers hold what is inside of a contract, too.
    pub fn look_inside(&self) {
        self.looks_inside.store(true, Relaxed);
    }

    /// Asks for the code of `address`, unless that is under way. Without room it is dropped and counted.
    pub fn request(&self, address: Address) {
        let mut in_flight = self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !in_flight.insert(address) {
            return;
        }
        match self.sender.try_send(address) {
            Ok(()) => self.stats.code_requests.add(1),
            Err(_) => {
                in_flight.remove(&address);
                self.stats.code_dropped.add(1);
            }
        }
    }
}

/// An address that is asked about for as long as this lives.
struct UnderWay {
    address: Address,
    in_flight: Arc<Mutex<HashSet<Address>>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.address);
    }
}

/// Asks for code.
pub struct CodeFetcher {
    pub routes: Rc<Routes>,
    pub items: ItemSender,
    pub stats: Arc<Stats>,
    /// Contracts are monitored: whom a callee works for is of interest.
    pub looks_inside: Arc<AtomicBool>,
    /// The number of the canonical head; 0 before the first.
    pub head: Rc<Cell<u64>>,
    pub reporter: Reporter,
}

impl CodeFetcher {
    /// Answers until nobody can ask any more.
    pub async fn serve(self, mut queue: CodeQueue) {
        let fetcher = Rc::new(self);
        let room = Arc::new(Semaphore::new(CONCURRENT));
        let dating = Rc::new(Semaphore::new(DATING));
        while let Ok(permit) = room.clone().acquire_owned().await
            && let Some(address) = queue.receiver.recv().await
        {
            let fetcher = fetcher.clone();
            let under_way = UnderWay {
                address,
                in_flight: queue.in_flight.clone(),
            };
            let dating = dating.clone();
            // Asked before anyone is connected, or after a cut: it waits instead of failing.
            fetcher.routes.any().await;
            tokio::task::spawn_local(async move {
                let answer = async {
                    let answered = fetcher.answer(address, permit, &dating).await;
                    // Whoever sees the failure counted may ask again.
                    drop(under_way);
                    if let Err(reason) = answered {
                        fetcher.stats.code_failures.add(1);
                        let said = format!("eth_getCode {address}: {reason}");
                        fetcher.reporter.report(AnomalyKind::NodeError, &said);
                    }
                };
                guarded(answer, &fetcher.reporter).await;
            });
        }
    }

    /// The code, and its creation block where that is found in time; else in a second answer, while the next callee has its
    /// turn: a flood of new callees must not hold up the code of the one that matters.
    async fn answer(
        &self,
        address: Address,
        turn: OwnedSemaphorePermit,
        dating: &Semaphore,
    ) -> Result<(), String> {
        let code = self.code_at(address, "latest").await?;
        let mut dated = pin!(self.created_at(address, &code));
        let (dated_in_time, inside) = tokio::join!(
            tokio::time::timeout(CREATION_PATIENCE, dated.as_mut()),
            tokio::time::timeout(CREATION_PATIENCE, self.inside(address, &code)),
        );
        let (dated_in_time, inside) = (dated_in_time.ok(), inside.unwrap_or_default());
        let room = match dated_in_time {
            Some(_) => None,
            None => dating.try_acquire().ok(),
        };
        let first = CodeAnswer {
            address,
            code: code.clone(),
            inside: inside.clone(),
            created_at: dated_in_time.flatten(),
            dating: room.is_some(),
        };
        // A pipeline that is gone needs no answer.
        emit(&self.items, Item::Code(first)).await.ok();
        drop(turn);
        if dated_in_time.is_some() {
            return Ok(());
        }
        let Some(_room) = room else {
            self.stats.code_dropped.add(1);
            return Ok(());
        };
        let second = CodeAnswer {
            address,
            created_at: dated.await,
            code: code.clone(),
            inside,
            dating: false,
        };
        emit(&self.items, Item::Code(second)).await.ok();
        Ok(())
    }

    async fn code_at(&self, address: Address, block: &str) -> Result<Bytes, String> {
        let params = format!(r#"["{address}","{block}"]"#);
        let answer = self
            .routes
            .ask(None, "eth_getCode", &params)
            .await
            .map_err(|error| error.to_string())?;
        let code = answer.read(|answer| json::code(answer.text())).await;
        code.ok_or_else(|| "not code".into())
    }

    /// What its first slots hold, as far as they hold anything, and the code of whom it passes calls on to. Nothing where no node
    /// tells: that is no failure, the code is there.
    async fn inside(&self, address: Address, code: &Bytes) -> Bytes {
        let mut inside = Vec::new();
        if !self.looks_inside.load(Relaxed) || code.is_empty() {
            return inside.into();
        }
        let mut runs = implementation(code);
        for (slot, value) in self.slots(address).await.unwrap_or_default() {
            match slot == U256::from_be_bytes(IMPLEMENTATION.0) {
                true => runs = Some(Address::from_word(value.into())),
                false => inside.extend(value.to_be_bytes::<32>()),
            }
        }
        if let Some(runs) = runs.filter(|one| *one != address) {
            inside.extend(runs);
            let code = self.code_at(runs, "latest").await;
            inside.extend(code.unwrap_or_default());
        }
        inside.into()
    }

    /// Those of its slots of interest that hold something.
    async fn slots(&self, address: Address) -> Option<Vec<(U256, U256)>> {
        let first = (0..FIRST_SLOTS).map(B256::with_last_byte);
        let slots = first.chain([IMPLEMENTATION]);
        let slots: Vec<_> = slots.map(|slot| format!(r#""{slot}""#)).collect();
        let params = format!(r#"["{address}",[{}],"latest"]"#, slots.join(","));
        let answer = self.routes.ask(None, "eth_getProof", &params).await.ok()?;
        let slots = answer
            .read(|answer| json::proven_slots(answer.text()))
            .await?;
        let held = slots.into_iter().filter(|(_, value)| !value.is_zero());
        Some(held.take(usize::from(FIRST_SLOTS) + 1).collect())
    }

    /// The first block with code, by binary search over historical `eth_getCode`; `None` where the node has no such state.
    ///
    /// At most 65 questions. Of a contract destroyed and created again, one of its creations.
    async fn created_at(&self, address: Address, code: &Bytes) -> Option<u64> {
        if code.is_empty() {
            return None;
        }
        let head = self.head().await.ok()?;
        let recent = head.saturating_sub(RECENT);
        // Invariant: no code at `without`, code at `with`.
        let (mut without, mut with) = match self.exists(address, recent).await? {
            false => (recent, head),
            true if recent == 0 || self.exists(address, 0).await? => return Some(0),
            true => (0, recent),
        };
        while with - without > 1 {
            let middle = without + (with - without) / 2;
            match self.exists(address, middle).await? {
                true => with = middle,
                false => without = middle,
            }
        }
        Some(with)
    }

    async fn exists(&self, address: Address, block: u64) -> Option<bool> {
        let code = self.code_at(address, &format!("{block:#x}")).await.ok()?;
        Some(!code.is_empty())
    }

    async fn head(&self) -> Result<u64, RpcError> {
        match self.head.get() {
            0 => {
                let answer = self.routes.ask(None, "eth_blockNumber", "[]").await?;
                Ok(answer.quantity().unwrap_or(0))
            }
            head => Ok(head),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_bounded_and_asked_once() {
        let stats = Arc::new(Stats::default());
        let (requests, mut queue) = queue(stats.clone());
        for n in 0..2 * WAITING as u64 {
            requests.request(Address::left_padding_from(&n.to_be_bytes()));
            requests.request(Address::ZERO);
        }
        assert_eq!(stats.code_requests.get(), WAITING as u64);
        assert_eq!(stats.code_dropped.get(), WAITING as u64);
        assert_eq!(queue.receiver.try_recv(), Ok(Address::ZERO));
        requests.request(Address::ZERO);
        assert_eq!(stats.code_requests.get(), WAITING as u64, "still under way");
    }
}

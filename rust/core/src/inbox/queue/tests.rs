use super::super::Raw;
use super::*;
use crate::chain::{BlockContents, CodeAnswer, MinedTransaction};
use crate::evidence::samples::recorded;
use crate::evidence::{
    Anomaly, AnomalyKind, Authenticity, Failure, FailureKind, Identity, Simulation,
    SimulationResult,
};
use alloy_primitives::{Address, B256};
use bytes::Bytes;
use std::time::Instant;

fn object(len: usize) -> Item {
    Item::Object(Raw {
        bytes: Bytes::from(vec![0; len]),
        endpoint: 0,
        at: Instant::now(),
        unix_ms: 0,
    })
}

fn small(frames: usize, bytes: usize) -> (ItemSender, ItemReceiver) {
    let limits = Limits {
        queue_frames: frames,
        queue_bytes: bytes,
        ..Limits::default()
    };
    queue(&limits, Arc::new(Stats::default()))
}

#[test]
fn items_arrive_in_order_and_end_follows_the_last_sender() {
    let (tx, rx) = small(4, 1000);
    for len in 1..4 {
        tx.send(object(len)).unwrap();
    }
    drop(tx);
    for len in 1..4 {
        assert!(matches!(rx.try_recv(), Some(Item::Object(raw)) if raw.bytes.len() == len));
    }
    assert!(matches!(rx.try_recv(), Some(Item::End)));
    assert!(matches!(
        rx.recv_timeout(Duration::from_secs(1)),
        Some(Item::End)
    ));
}

#[test]
fn bytes_are_bounded_and_released() {
    let (tx, rx) = small(100, 1000);
    assert!(tx.try_send(object(600)).unwrap().is_none());
    assert!(tx.try_send(object(600)).unwrap().is_some());
    assert!(tx.try_send(Item::Ready).unwrap().is_none());
    assert!(rx.try_recv().is_some());
    assert!(tx.try_send(object(600)).unwrap().is_none());
}

#[cfg(target_os = "linux")]
#[test]
fn it_looks_for_the_next_item_after_dense_ones_and_sleeps_where_it_is_to_rest() {
    const SPIN: Duration = Duration::from_millis(200);
    let limits = Limits {
        spin_us: SPIN.as_micros() as u64,
        ..Limits::default()
    };
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1) {
        return;
    }
    let (tx, rx) = queue(&limits, Arc::new(Stats::default()));
    let worked = |rests: bool| {
        tx.send(Item::Ready).unwrap();
        assert!(rx.recv_timeout(SPIN).is_some());
        if rests {
            rx.rest();
        }
        let before = crate::thread::busy();
        assert!(rx.recv_timeout(Duration::ZERO).is_none());
        crate::thread::busy() - before
    };
    let (spun, rested) = (worked(false), worked(true));
    assert!(spun > 4 * rested, "{spun:?}, {rested:?}");
    // Not for ever.
    std::thread::sleep(SPIN);
    assert!(worked(false) > 4 * rested);
}

/// One of each kind that holds something, of about `bytes`.
fn heavy(bytes: usize) -> Vec<Item> {
    let text = || "x".repeat(bytes);
    let simulated = |result, record| {
        Item::Simulated(Box::new(SimulationResult {
            fingerprint: 0,
            identity: Identity {
                authenticity: Authenticity::Proven,
                signer: None,
            },
            hash: B256::ZERO,
            result,
            took_us: 0.0,
            record,
        }))
    };
    let codes = bytes as u64 / 24_576 + 1;
    let told = Simulation {
        outcome: text().into(),
        ..Simulation::default()
    };
    let mined = MinedTransaction {
        hash: B256::ZERO,
        from: Address::ZERO,
        nonce: 0,
        to: None,
        creates: false,
    };
    vec![
        object(bytes),
        Item::Code(CodeAnswer {
            address: Address::ZERO,
            code: vec![0; bytes].into(),
            inside: Default::default(),
            created_at: None,
            dating: false,
        }),
        Item::Block(BlockContents {
            transactions: vec![mined; bytes / size_of::<MinedTransaction>() + 1],
            ..BlockContents::default()
        }),
        simulated(Ok(Box::new(told)), None),
        simulated(Ok(Box::default()), Some(recorded(codes))),
        simulated(
            Err(Failure {
                kind: FailureKind::State,
                reason: text(),
                touched: false,
            }),
            None,
        ),
        Item::Recorded(recorded(codes)),
        Item::Anomaly(Anomaly {
            at_ms: 0,
            kind: AnomalyKind::NodeError,
            origin: text(),
            reason: String::new(),
        }),
    ]
}

#[test]
fn whatever_holds_something_counts_until_it_is_received() {
    const BYTES: usize = 100_000;
    for item in heavy(BYTES) {
        let (tx, rx) = small(100, 3 * BYTES);
        let mut sent = 0;
        while tx.try_send(item.clone()).unwrap().is_none() {
            sent += 1;
        }
        assert!((1..=3).contains(&sent), "{sent} of {item:?}");
        let level = rx.bytes();
        assert!((sent * BYTES..=3 * BYTES).contains(&level), "{level}");
        while rx.try_recv().is_some() {}
        assert_eq!(rx.bytes(), 0);
    }
}

#[test]
fn an_item_above_the_bound_passes_alone() {
    let (tx, rx) = small(100, 10);
    tx.send(object(5000)).unwrap();
    assert!(tx.try_send(object(1)).unwrap().is_some());
    assert!(rx.try_recv().is_some());
    tx.send(object(1)).unwrap();
}

#[test]
fn a_sender_waiting_for_bytes_or_for_a_place_learns_that_the_receiver_is_gone() {
    for (frames, bytes) in [(100, 10), (1, 1000)] {
        let (tx, rx) = small(frames, bytes);
        tx.send(object(8)).unwrap();
        let blocked = std::thread::spawn(move || tx.send(object(8)));
        std::thread::sleep(Duration::from_millis(20));
        assert!(!blocked.is_finished());
        drop(rx);
        assert_eq!(blocked.join().unwrap(), Err(Closed));
    }
}

#[test]
fn a_live_source_drops_after_its_patience_and_counts_it() {
    let limits = Limits {
        queue_frames: 1,
        ..Limits::default()
    };
    let stats = Arc::new(Stats::default());
    let (tx, rx) = queue(&limits, stats.clone());
    let anomaly = Anomaly {
        at_ms: 0,
        kind: AnomalyKind::NodeError,
        origin: String::new(),
        reason: String::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        tx.offer(Item::Anomaly(anomaly.clone()), Duration::ZERO)
            .await
            .unwrap();
        tx.offer(object(1), Duration::from_millis(5)).await.unwrap();
    });
    assert_eq!(stats.dropped_queue.get(), 1);
    assert_eq!(rx.len(), 1);
}

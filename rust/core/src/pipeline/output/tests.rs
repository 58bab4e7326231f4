//! What is lost, and in which order, where Python does not keep up.

use super::*;
use crate::event::TransactionRecord;
use crate::evidence::samples::detection;
use crate::tx::PendingTransaction;

const MEGABYTE: usize = 1 << 20;

fn transactions() -> Event {
    let now = Instant::now();
    Event::Transactions(vec![TransactionRecord {
        tx: PendingTransaction {
            input: vec![0; MEGABYTE],
            ..PendingTransaction::default()
        },
        judged: None,
        arrived: now,
        finished: now,
    }])
}

fn live() -> (Output, Receiver<Event>, Arc<AtomicUsize>, Arc<Stats>) {
    let stats = Arc::new(Stats::default());
    let (output, receiver, held) = Output::new(1_000, false, stats.clone());
    (output, receiver, held, stats)
}

#[test]
fn transactions_are_lost_before_any_alert_is() {
    let (mut output, receiver, _, stats) = live();
    for _ in 0..100 {
        output.send(transactions());
    }
    let lost = stats.dropped_events.get();
    assert!(lost > 0);
    for _ in 0..10 {
        output.send(Event::Detection(detection(MEGABYTE)));
    }
    assert_eq!(stats.dropped_events.get(), lost);
    let alerts = receiver.try_iter();
    let alerts = alerts.filter(|event| matches!(event, Event::Detection(_)));
    assert_eq!(alerts.count(), 10);
}

#[test]
fn alerts_and_anomalies_are_bounded_in_bytes_and_what_is_lost_is_counted() {
    let anomaly = || Anomaly {
        at_ms: 0,
        kind: AnomalyKind::NodeError,
        origin: "x".repeat(MEGABYTE),
        reason: String::new(),
    };
    let events: [&dyn Fn() -> Event; 2] = [&|| Event::Detection(detection(MEGABYTE)), &|| {
        Event::Anomaly(anomaly())
    }];
    for event in events {
        let (mut output, receiver, held, stats) = live();
        for _ in 0..100 {
            output.send(event());
        }
        let bytes = held.load(Relaxed);
        assert!((60 * MEGABYTE..=WAITING_BYTES).contains(&bytes), "{bytes}");
        let waiting = receiver.len() as u64;
        assert_eq!(waiting + stats.dropped_events.get(), 100);
        let waiting: usize = receiver.try_iter().map(|event| footprint(&event)).sum();
        assert_eq!(waiting, bytes);
    }
}

#[test]
fn an_event_above_the_bound_passes_alone() {
    let (mut output, receiver, _, stats) = live();
    for _ in 0..2 {
        output.send(Event::Detection(detection(WAITING_BYTES + 1)));
    }
    assert_eq!((receiver.len(), stats.dropped_events.get()), (1, 1));
}

#[test]
fn why_nothing_follows_is_told_though_the_channel_is_full() {
    let stats = Arc::new(Stats::default());
    let (mut output, receiver, _) = Output::new(1, false, stats.clone());
    output.send(Event::Ready);
    output.send(Event::Ready);
    assert_eq!(stats.dropped_events.get(), 1, "it is full");
    let reader = std::thread::spawn(move || receiver.iter().take(2).collect::<Vec<_>>());
    output.broken(Breakdown {
        thread: "a source",
        reason: "has a hole".into(),
    });
    let told = reader.join().unwrap();
    assert!(matches!(told[..], [Event::Ready, Event::Broken(_)]));
}

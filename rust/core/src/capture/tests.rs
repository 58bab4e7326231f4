use super::journal::{JournalReader, Next};
use super::replay::ReplaySource;
use super::samples::{Dice, context, signed};
use super::*;
use crate::config::{Limits, ReplayConfig};
use crate::evidence::AnomalyKind;
use crate::evidence::samples::recorded;
use crate::inbox::Item;
use crate::inbox::queue::queue;
use crate::wire::{parse_notification, parse_object};
use record::Form;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// What the pipeline sees, in comparable form.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Transaction(PendingTransaction),
    Context(ContextEntry),
    Anomaly(AnomalyKind),
}

fn seen(item: Item) -> Option<Seen> {
    match item {
        Item::Notification(raw) => Some(Seen::Transaction(
            parse_notification(&raw.bytes, raw.unix_ms).unwrap(),
        )),
        Item::Object(raw) => Some(Seen::Transaction(
            parse_object(&raw.bytes, raw.unix_ms).unwrap(),
        )),
        Item::Transaction { tx, .. } => Some(Seen::Transaction(*tx)),
        Item::Anomaly(anomaly) => Some(Seen::Anomaly(anomaly.kind)),
        Item::Ready | Item::End => None,
        other => ContextEntry::of(&other).map(Seen::Context),
    }
}

fn replay(path: &Path) -> Vec<Seen> {
    let limits = Limits {
        queue_frames: 64,
        ..Limits::default()
    };
    let (tx, rx) = queue(&limits, Arc::default());
    let config = ReplayConfig {
        paths: vec![path.into()],
        speed: 0.0,
    };
    let source = ReplaySource::start(&config, 1, &limits, Arc::default(), tx).unwrap();
    let mut all = Vec::new();
    loop {
        match rx
            .recv_timeout(Duration::from_secs(20))
            .expect("the replay goes on")
        {
            Item::End => break,
            item => all.extend(seen(item)),
        }
    }
    source.join();
    all
}

fn config(dir: &Path) -> CaptureConfig {
    CaptureConfig {
        dir: dir.into(),
        rotate_ms: 3_600_000,
        rotate_rows: 1_000_000,
    }
}

fn raw(object: &Value, is_notification: bool, unix_ms: u64) -> Raw {
    let json = if is_notification {
        json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": "0x1", "result": object}})
    } else {
        object.clone()
    };
    Raw {
        bytes: json.to_string().into(),
        endpoint: 0,
        at: Instant::now(),
        unix_ms,
    }
}

/// Parses and offers, as the pipeline does; returns what it saw.
fn offer(writer: &CaptureWriter, object: &Value, is_notification: bool, unix_ms: u64) -> Seen {
    let raw = raw(object, is_notification, unix_ms);
    let tx = if is_notification {
        parse_notification(&raw.bytes, unix_ms)
    } else {
        parse_object(&raw.bytes, unix_ms)
    }
    .unwrap();
    writer.offer_raw(&raw, is_notification, &tx, "ws://127.0.0.1:8546");
    Seen::Transaction(tx)
}

/// Transactions of all types between context entries; every tenth has no signed bytes that fit.
fn capture_random(writer: &CaptureWriter, dice: &mut Dice, count: u64) -> Vec<Seen> {
    let mut all = Vec::new();
    for i in 0..count {
        for _ in 0..dice.below(3) {
            let entry = context(dice);
            writer.offer_context(entry.clone());
            all.push(Seen::Context(entry));
        }
        let mut object = signed(dice, (i % 6) as u8).object;
        match i % 10 {
            // A development node's impersonated sender: another hash than the bytes have.
            3 => object["hash"] = json!(dice.hash()),
            // Impersonated, the hash kept.
            7 => object["from"] = json!(dice.address()),
            _ => {}
        }
        all.push(offer(writer, &object, i % 2 == 0, 1_700_000_000_000 + i));
    }
    all.extend([context(dice)].map(|entry| {
        writer.offer_context(entry.clone());
        Seen::Context(entry)
    }));
    all
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_replayed_capture_is_what_the_pipeline_received() {
    let dir = tempfile::tempdir().unwrap();
    let stats = Arc::new(Stats::default());
    let mut writer = CaptureWriter::start(&config(dir.path()), 1, stats.clone()).unwrap();
    let recorded = capture_random(&writer, &mut Dice(1), 300);
    writer.finish().unwrap();
    assert_eq!(stats.dropped_capture.get(), 0);
    assert_eq!(
        names(dir.path()).len(),
        2,
        "one pair of files and no journal"
    );
    assert_eq!(replay(dir.path()), recorded);
    let transactions = names(dir.path())
        .into_iter()
        .find(|name| !name.contains("context"))
        .unwrap();
    assert_eq!(
        replay(&dir.path().join(transactions)),
        recorded,
        "one file finds its context"
    );
}

#[test]
fn a_capture_of_a_replay_is_the_same_capture() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let writer = CaptureWriter::start(&config(first.path()), 1, Arc::default()).unwrap();
    let mut dice = Dice(5);
    let objects: Vec<_> = (0..20).map(|i| signed(&mut dice, i % 6).object).collect();
    let recorded: Vec<_> = objects
        .iter()
        .map(|object| offer(&writer, object, false, 9))
        .collect();
    drop(writer);
    // From JSON lines: the object's own time counts, or none.
    let mut writer = CaptureWriter::start(&config(second.path()), 1, Arc::default()).unwrap();
    for object in &objects {
        let mut object = object.clone();
        object["timestamp_ms"] = json!(9);
        offer(&writer, &object, false, 0);
    }
    writer.finish().unwrap();
    assert_eq!(replay(first.path()), recorded);
    assert_eq!(replay(second.path()), recorded);
}

#[test]
fn rotation_splits_files_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let small = CaptureConfig {
        rotate_rows: 40,
        ..config(dir.path())
    };
    let mut writer = CaptureWriter::start(&small, 1, Arc::default()).unwrap();
    let recorded = capture_random(&writer, &mut Dice(2), 170);
    writer.finish().unwrap();
    assert_eq!(names(dir.path()).len(), 2 * 5);
    assert_eq!(replay(dir.path()), recorded);
}

#[test]
fn a_segment_is_rotated_by_age_even_when_nothing_comes() {
    let dir = tempfile::tempdir().unwrap();
    let writer = CaptureWriter::start(
        &CaptureConfig {
            rotate_ms: 50,
            ..config(dir.path())
        },
        1,
        Arc::default(),
    )
    .unwrap();
    let recorded = vec![offer(&writer, &signed(&mut Dice(3), 2).object, true, 7)];
    let deadline = Instant::now() + Duration::from_secs(10);
    while !names(dir.path())
        .iter()
        .any(|name| name.ends_with("context.parquet"))
    {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(writer);
    assert_eq!(replay(dir.path()), recorded);
}

#[test]
fn an_empty_capture_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    CaptureWriter::start(&config(dir.path()), 1, Arc::default())
        .unwrap()
        .finish()
        .unwrap();
    assert!(names(dir.path()).is_empty());
}

#[test]
fn signed_bytes_are_kept_wherever_they_mean_the_same() {
    let mut dice = Dice(8);
    for tx_type in 0..6 {
        let tx = signed(&mut dice, tx_type);
        let json = tx.object.to_string();
        let kept =
            record::RecordedTransaction::from_json(json.as_bytes(), false, 5, "x".into()).unwrap();
        assert_eq!(kept.form, Form::Raw(tx.raw.into()), "type {tx_type}");
    }
}

/// A running capture's journal, after everything offered has reached the file.
fn journal_of(recorded: impl FnOnce(&CaptureWriter) -> Vec<Seen>) -> (Vec<u8>, Vec<Seen>) {
    let dir = tempfile::tempdir().unwrap();
    let writer = CaptureWriter::start(&config(dir.path()), 1, Arc::default()).unwrap();
    let recorded = recorded(&writer);
    let path = dir.path().join(&names(dir.path())[0]);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        assert!(Instant::now() < deadline);
        if replay(dir.path()).len() == recorded.len() {
            return (std::fs::read(path).unwrap(), recorded);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_journal_cut_at_any_byte_of_its_tail_gives_every_whole_record() {
    let (bytes, recorded) = journal_of(|writer| capture_random(writer, &mut Dice(4), 12));
    // Where records end.
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("mempool-0000000000001.journal");
    std::fs::write(&journal, &bytes).unwrap();
    let mut reader = JournalReader::open(&journal).unwrap();
    let mut ends = vec![reader.position()];
    while let Next::Record(_) = reader.next().unwrap() {
        ends.push(reader.position());
    }
    assert_eq!(ends.len(), recorded.len() + 1);
    assert_eq!(*ends.last().unwrap(), bytes.len() as u64);
    for cut in ends[ends.len() - 4] as usize..=bytes.len() {
        std::fs::write(&journal, &bytes[..cut]).unwrap();
        let whole = ends.iter().filter(|end| **end as usize <= cut).count() - 1;
        let mut expected = recorded[..whole].to_vec();
        let torn = !ends.contains(&(cut as u64));
        if torn {
            expected.push(Seen::Anomaly(AnomalyKind::MalformedCapture));
        }
        assert_eq!(replay(&journal), expected, "cut at {cut}");
        // Converting costs a few syncs each: the interesting places and a sample of the rest.
        if !torn || cut % 97 == 0 {
            segment::convert(&journal).unwrap();
            assert!(!journal.exists());
            assert_eq!(
                replay(dir.path()),
                recorded[..whole],
                "converted, cut at {cut}"
            );
            for name in names(dir.path()) {
                std::fs::remove_file(dir.path().join(name)).unwrap();
            }
        }
    }
}

#[test]
fn a_damaged_byte_in_a_journal_never_panics_nor_invents() {
    let (bytes, recorded) = journal_of(|writer| capture_random(writer, &mut Dice(6), 4));
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("x.journal");
    for at in (16..bytes.len()).step_by(41) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x5a;
        std::fs::write(&journal, &damaged).unwrap();
        let mut kept = replay(&journal);
        assert_eq!(
            kept.pop(),
            Some(Seen::Anomaly(AnomalyKind::MalformedCapture))
        );
        assert_eq!(kept, recorded[..kept.len()]);
    }
}

#[test]
fn the_next_start_finishes_what_a_crash_interrupted_at_any_step() {
    let (bytes, recorded) = journal_of(|writer| capture_random(writer, &mut Dice(7), 30));
    let done = tempfile::tempdir().unwrap();
    let base = "mempool-0000000000001";
    std::fs::write(done.path().join(format!("{base}.journal")), &bytes).unwrap();
    segment::convert(&done.path().join(format!("{base}.journal"))).unwrap();
    let part = |name: &str| (format!("{base}.{name}.part"), b"half".to_vec());
    let whole = |name: &str| {
        let name = format!("{base}.{name}");
        (name.clone(), std::fs::read(done.path().join(name)).unwrap())
    };
    let journal = (format!("{base}.journal"), bytes.clone());
    let states = [
        vec![journal.clone()],
        vec![journal.clone(), part("parquet"), part("context.parquet")],
        vec![journal.clone(), part("parquet"), whole("context.parquet")],
        vec![journal.clone(), whole("parquet"), whole("context.parquet")],
    ];
    for state in states {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in &state {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        assert_eq!(replay(dir.path()), recorded, "as the crash left it");
        CaptureWriter::start(&config(dir.path()), 1, Arc::default())
            .unwrap()
            .finish()
            .unwrap();
        assert_eq!(
            names(dir.path()),
            [format!("{base}.context.parquet"), format!("{base}.parquet")]
        );
        assert_eq!(replay(dir.path()), recorded, "after the next start");
    }
    // A crash before even the header was on the disk.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(format!("{base}.journal")), &bytes[..9]).unwrap();
    CaptureWriter::start(&config(dir.path()), 1, Arc::default())
        .unwrap()
        .finish()
        .unwrap();
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_running_capture_is_left_alone_by_a_second_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = CaptureWriter::start(&config(dir.path()), 1, Arc::default()).unwrap();
    let mut recorded = capture_random(&first, &mut Dice(9), 10);
    let mut second = CaptureWriter::start(&config(dir.path()), 1, Arc::default()).unwrap();
    recorded.extend(capture_random(&second, &mut Dice(10), 10));
    second.finish().unwrap();
    first.finish().unwrap();
    assert_eq!(replay(dir.path()), recorded);
}

#[test]
fn what_does_not_fit_is_dropped_and_counted_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let stats = Arc::new(Stats::default());
    let mut writer = CaptureWriter::start(&config(dir.path()), 1, stats.clone()).unwrap();
    let mut object = signed(&mut Dice(11), 2).object;
    object["input"] = json!(format!("0x{}", "00".repeat(8 << 20)));
    let raw = raw(&object, false, 5);
    let tx = parse_object(&raw.bytes, 5).unwrap();
    let started = Instant::now();
    for _ in 0..50 {
        writer.offer_raw(&raw, false, &tx, "x");
    }
    assert!(started.elapsed() < Duration::from_secs(1));
    writer.finish().unwrap();
    let kept = replay(dir.path()).len() as u64;
    assert!(kept >= 1);
    assert_eq!(kept + stats.dropped_capture.get(), 50);
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = CaptureWriter::start(&config(&file.join("inside")), 1, Arc::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("inside"), "{error}");
    let zero = CaptureConfig {
        rotate_rows: 0,
        ..config(dir.path())
    };
    assert!(CaptureWriter::start(&zero, 1, Arc::default()).is_err_and(|e| e.is_config()));
}

#[test]
fn what_waits_for_the_writer_is_bounded_by_what_it_holds() {
    let stats = Arc::new(Stats::default());
    let (offers, waiting) = bounded(QUEUE);
    let (_, troubles) = bounded(TROUBLES);
    let writer = CaptureWriter {
        offers: Some(offers),
        held: Arc::default(),
        stats: stats.clone(),
        troubles,
        // Nobody takes anything out.
        thread: None,
    };
    let megabytes = |count: u64| ContextEntry::Simulation(recorded((count << 20) / 24_576));
    // One above the bound passes alone.
    writer.offer_context(megabytes(40));
    assert_eq!((waiting.len(), stats.dropped_capture.get()), (1, 0));
    writer.offer_context(megabytes(1));
    assert_eq!((waiting.len(), stats.dropped_capture.get()), (1, 1));
    writer.held.store(0, Relaxed);
    waiting.try_iter().for_each(drop);
    for _ in 0..100 {
        writer.offer_context(megabytes(4));
    }
    let held = writer.held.load(Relaxed);
    assert!(
        (QUEUE_BYTES / 4 * 3..=QUEUE_BYTES).contains(&held),
        "{held}"
    );
    assert_eq!(waiting.len() as u64 + stats.dropped_capture.get(), 101);
}

#[test]
fn a_replay_reads_no_more_ahead_than_the_queue_may_hold() {
    const BYTES: usize = 4 << 20;
    let dir = tempfile::tempdir().unwrap();
    let mut journal = segment::create(dir.path(), 1, 1).unwrap();
    for _ in 0..30 {
        // A megabyte each.
        let entry = ContextEntry::Simulation(recorded(43));
        journal.append(&record::Record::Context(entry));
    }
    journal.flush().unwrap();
    let path = journal.path().to_path_buf();
    drop(journal);
    let limits = Limits {
        queue_bytes: BYTES,
        ..Limits::default()
    };
    let (tx, rx) = queue(&limits, Arc::default());
    let config = ReplayConfig {
        paths: vec![path],
        speed: 0.0,
    };
    let source = ReplaySource::start(&config, 1, &limits, Arc::default(), tx).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while rx.bytes() < BYTES / 2 {
        assert!(Instant::now() < deadline, "what waits weighs nothing");
        std::thread::yield_now();
    }
    let mut seen = 0;
    loop {
        assert!(rx.bytes() <= BYTES);
        match rx.recv_timeout(Duration::from_secs(20)) {
            Some(Item::Recorded(_)) => seen += 1,
            Some(Item::End) => break,
            Some(_) => {}
            None => panic!("the replay goes on"),
        }
    }
    assert_eq!(seen, 30);
    source.join();
}

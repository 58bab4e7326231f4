//! Files and rows that are not what they should be.

use super::*;
use std::path::PathBuf;

fn error(paths: &[PathBuf]) -> String {
    let config = ReplayConfig {
        paths: paths.to_vec(),
        speed: 0.0,
    };
    start(&config).err().expect("refused at start").to_string()
}

#[test]
fn what_cannot_be_replayed_is_refused_at_start_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let empty_folder = dir.path().join("empty");
    std::fs::create_dir(&empty_folder).unwrap();
    let metadata = dir.path().join("metadata.parquet");
    write(
        &metadata,
        "message m { required int64 timestamp; required binary hash (UTF8); }",
        &[],
    );
    let typed = dir.path().join("typed.parquet");
    write(
        &typed,
        "message m { required int64 nonce; required binary timestamp (UTF8); required binary rawTx; }",
        &[],
    );
    let cases = [
        (dir.path().join("absent.parquet"), "absent.parquet"),
        (empty_folder, "a folder without captures"),
        (file("x.parquet", b""), "the file is empty"),
        (
            file("y.parquet", b"PAR1 and then nothing of use"),
            "not a Parquet file",
        ),
        (metadata, "no column rawTx: a file of metadata"),
        (typed, "column timestamp is not INT64"),
        (file("x.csv", b"a,b"), "not a capture: expected .parquet"),
        (
            file("array.json", b" [{}]"),
            "a JSON array; expected one transaction object a line",
        ),
        (file("x.jsonl", b"hello"), "not JSON lines"),
        (file("z.jsonl.gz", b"{}"), "cannot be read"),
        (
            file("x.journal", b"too short"),
            "a journal without a header",
        ),
        (
            file("y.journal", &[7; 100]),
            "not a capture journal of this version",
        ),
        (
            file("z.journal", b"MIDSJNL1\x05\0\0\0\0\0\0\0"),
            "captured on chain 5, but this sensor is configured for chain 1",
        ),
    ];
    for (path, expected) in cases {
        let error = error(std::slice::from_ref(&path));
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
    let mixed = dir.path().join("mixed");
    std::fs::create_dir(&mixed).unwrap();
    std::fs::write(mixed.join("a.jsonl"), "{}\n").unwrap();
    std::fs::write(mixed.join("b.parquet"), "damaged").unwrap();
    std::fs::write(mixed.join("c.journal"), b"MIDSJNL1\x05\0\0\0\0\0\0\0").unwrap();
    let error_of_last = error(std::slice::from_ref(&mixed));
    assert!(error_of_last.contains("c.journal") && error_of_last.contains("captured on chain 5"));
    assert!(error(&[]).contains("at least one path"));
    for speed in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(
            start(&ReplayConfig {
                paths: vec![dir.path().into()],
                speed
            })
            .is_err_and(|e| e.is_config())
        );
    }
}

#[test]
fn each_bad_row_is_told_and_the_rest_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let samples = samples(12);
    let mut rows: Vec<_> = samples.iter().map(|tx| Row::of(tx, 7)).collect();
    rows[1].hash = Some(format!("0x{}", "ab".repeat(32)));
    rows[2].raw = vec![0x7e, 0x01];
    rows[3].raw.pop();
    rows[4].raw.push(0);
    rows[5].raw = vec![];
    rows[6].hash = Some("0x12".into());
    rows[7].from = Some("vitalik".into());
    rows[8].raw = vec![0xff; 3 << 20];
    rows[9].raw = b"0xnot hex".to_vec();
    rows[10].raw[20] ^= 1;
    write(&path, DUMPSTER, &[rows]);
    let (transactions, anomalies) = replay(&path);
    assert_eq!(
        transactions,
        [announced(&samples[0], 7), announced(&samples[11], 7)]
    );
    use AnomalyKind::*;
    let expected = [
        (1, HashMismatch, "rawTx hashes to 0x"),
        (2, UnknownTransactionType, "type 0x7e"),
        (3, MalformedTransaction, "rawTx: not a signed transaction"),
        (4, MalformedTransaction, "rawTx: not a signed transaction"),
        (5, MalformedCapture, "rawTx is empty"),
        (6, MalformedCapture, "hash: wrong length"),
        (7, MalformedCapture, "from: no 0x prefix"),
        (8, OversizedFrame, "a transaction above"),
        (9, UnknownTransactionType, "type 0x30"),
    ];
    assert_eq!(anomalies.len(), 10);
    for ((kind, origin, reason), (row, expected_kind, start)) in anomalies.iter().zip(expected) {
        assert_eq!(origin, &format!("{}: row {row}", path.display()));
        assert_eq!(*kind, expected_kind, "row {row}");
        assert!(reason.starts_with(start), "{reason}");
    }
    // Whatever the flipped bit hit, it was noticed.
    assert!(anomalies[9].1.ends_with("row 10"));
}

#[test]
fn a_damaged_file_never_stops_a_folder_and_never_panics_the_replay() {
    let dir = tempfile::tempdir().unwrap();
    let samples = samples(40);
    let rows: Vec<_> = samples.iter().map(|tx| Row::of(tx, 7)).collect();
    write(
        &dir.path().join("c.parquet"),
        DUMPSTER,
        &[vec![Row::of(&samples[0], 9)]],
    );
    let path = dir.path().join("a.parquet");
    write(&path, DUMPSTER, &[rows[..20].to_vec(), rows[20..].to_vec()]);
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 150) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xa5;
        std::fs::write(&path, damaged).unwrap();
        let (transactions, _) = replay(dir.path());
        assert_eq!(
            transactions.last(),
            Some(&announced(&samples[0], 9)),
            "byte {at}"
        );
        assert!(transactions.len() <= 41);
    }
    for cut in [0, 3, 4, 200, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let (transactions, anomalies) = replay(dir.path());
        assert_eq!(transactions, [announced(&samples[0], 9)]);
        assert_eq!(anomalies.len(), 1);
        assert_eq!(
            (anomalies[0].0, anomalies[0].1.as_str()),
            (AnomalyKind::MalformedCapture, path.to_str().unwrap())
        );
    }
}

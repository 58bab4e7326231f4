//! JSON lines.

use super::*;
use flate2::write::GzEncoder;
use std::io::Write;

pub(super) fn line(tx: &Signed, timestamp_ms: u64) -> String {
    let mut object = tx.object.clone();
    object["timestamp_ms"] = timestamp_ms.into();
    format!("{object}\n")
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn lines_keep_their_time_and_without_one_their_number() {
    let dir = tempfile::tempdir().unwrap();
    let samples = samples(4);
    let bare = |tx: &Signed| tx.object.to_string();
    let (a, b, c, d) = (
        line(&samples[0], 1_700_000_000_000),
        bare(&samples[1]),
        line(&samples[2], 9),
        bare(&samples[3]),
    );
    // Windows line ends, blank lines, no line end at the end.
    let text = format!("{a}{b}\r\n\n  \n{c}{d}");
    let expected: Vec<_> = samples
        .iter()
        .zip([1_700_000_000_000, 2, 9, 6])
        .map(|(tx, ms)| announced(tx, ms))
        .collect();
    for name in ["x.jsonl", "x.json"] {
        std::fs::write(dir.path().join(name), &text).unwrap();
        assert_eq!(replay(&dir.path().join(name)), (expected.clone(), vec![]));
        let packed = dir.path().join(format!("{name}.gz"));
        // Two members, as `cat a.gz b.gz` makes them.
        std::fs::write(&packed, [gzip(&text[..900]), gzip(&text[900..])].concat()).unwrap();
        assert_eq!(replay(&packed), (expected.clone(), vec![]));
    }
}

#[test]
fn many_lines_across_chunks_stay_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.jsonl");
    let samples = samples(1500);
    let text: String = samples
        .iter()
        .zip(1..)
        .map(|(tx, ms)| line(tx, ms))
        .collect();
    assert!(text.len() > 1 << 20);
    std::fs::write(&path, text).unwrap();
    let expected: Vec<_> = samples
        .iter()
        .zip(1..)
        .map(|(tx, ms)| announced(tx, ms))
        .collect();
    assert_eq!(replay(&path), (expected, vec![]));
}

#[test]
fn bad_lines_are_told_and_passed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.jsonl");
    let samples = samples(2);
    let text = format!(
        "{}not json\n{{}}\n{{\"timestamp_ms\":\"x\"}}\n{}",
        line(&samples[0], 1),
        line(&samples[1], 5)
    );
    std::fs::write(&path, text).unwrap();
    let (transactions, anomalies) = replay(&path);
    assert_eq!(
        transactions,
        [announced(&samples[0], 1), announced(&samples[1], 5)]
    );
    let kinds: Vec<_> = anomalies.iter().map(|a| a.0).collect();
    use AnomalyKind::{MalformedFrame, MalformedTransaction};
    assert_eq!(
        kinds,
        [MalformedFrame, MalformedTransaction, MalformedTransaction]
    );
}

#[test]
fn lines_above_the_limit_are_told_once_and_not_held() {
    let dir = tempfile::tempdir().unwrap();
    let samples = samples(2);
    let limit = Limits::default().frame_bytes;
    for extra in [1, 10 * limit] {
        let path = dir.path().join("x.jsonl.gz");
        let long = " ".repeat(10) + &"x".repeat(limit + extra) + "\n";
        std::fs::write(
            &path,
            gzip(&format!(
                "{}{long}{}",
                line(&samples[0], 1),
                samples[1].object
            )),
        )
        .unwrap();
        let (transactions, anomalies) = replay(&path);
        assert_eq!(
            transactions,
            [announced(&samples[0], 1), announced(&samples[1], 3)]
        );
        assert_eq!(anomalies.len(), 1);
        assert_eq!(anomalies[0].0, AnomalyKind::OversizedFrame);
        assert!(
            anomalies[0].1.ends_with("x.jsonl.gz: line 2"),
            "{}",
            anomalies[0].1
        );
    }
}

#[test]
fn a_cut_gzip_file_gives_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.jsonl.gz");
    let samples = samples(300);
    let text: String = samples
        .iter()
        .zip(1..)
        .map(|(tx, ms)| line(tx, ms))
        .collect();
    let packed = gzip(&text);
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    let (transactions, anomalies) = replay(&path);
    assert!(transactions.len() > 50);
    for (tx, (sample, ms)) in transactions.iter().zip(samples.iter().zip(1..)) {
        assert_eq!(*tx, announced(sample, ms));
    }
    assert_eq!(anomalies.len(), 1);
    assert_eq!(anomalies[0].0, AnomalyKind::MalformedCapture);
}

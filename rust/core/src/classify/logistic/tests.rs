//! That it answers as ONNX Runtime does, bit by bit over many rows, is shown in tests/test_classifier.py.

use super::*;
use prost::Message;

/// Features of the shipped model.
const WIDTH: usize = 98;

fn shipped() -> Vec<u8> {
    let models = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../python/mempool_ids/models/trace.onnx"
    );
    std::fs::read(models).unwrap()
}

#[test]
fn the_shipped_model_is_read_whole() {
    let model = Logistic::read(&shipped(), WIDTH).unwrap();
    assert_eq!(model.features.len(), WIDTH);
    let means: Vec<_> = model.features.iter().map(|feature| feature.mean).collect();
    let p = model.predict(&means);
    assert!(p > 0.0 && p < 0.5, "{p}");
}

#[test]
fn a_number_counts_no_further_than_its_reach_and_no_number_stays_none() {
    let model = Logistic::read(&shipped(), WIDTH).unwrap();
    let with = |value| {
        let mut row = vec![0.0; WIDTH];
        row[5] = value;
        model.predict(&row)
    };
    assert_eq!(with(1e30), with(f32::INFINITY));
    assert_eq!(with(-1e30), with(f32::NEG_INFINITY));
    assert_ne!(with(1e30), with(-1e30));
    assert!(with(f32::NAN).is_nan());
}

#[test]
fn another_graph_is_left_to_onnx_runtime() {
    let bytes = shipped();
    assert!(Logistic::read(&bytes, WIDTH - 1).is_none());
    assert!(Logistic::read(b"no graph at all", WIDTH).is_none());
    assert!(Logistic::read(&[], WIDTH).is_none());
    let altered = |alter: fn(&mut Graph)| {
        let mut graph = Graph::read(&bytes).unwrap();
        alter(&mut graph);
        // The graph is field 7 of the file.
        let mut file = vec![7 << 3 | 2];
        prost::encoding::encode_varint(graph.encoded_len() as u64, &mut file);
        file.extend(graph.encode_to_vec());
        Logistic::read(&file, WIDTH)
    };
    assert!(altered(|_| ()).is_some());
    assert!(altered(|graph| graph.nodes[2].operator = "Min".into()).is_none());
    assert!(altered(|graph| graph.nodes[4].attributes[0].number = 1).is_none());
    assert!(altered(|graph| graph.nodes[5].inputs.reverse()).is_none());
    assert!(altered(|graph| graph.nodes[0].domain = "ours".into()).is_none());
    assert!(altered(|graph| graph.nodes.truncate(15)).is_none());
}

#[test]
fn a_file_that_was_cut_is_refused_and_never_read_beyond() {
    let bytes = shipped();
    for length in 0..bytes.len() {
        if let Some(model) = Logistic::read(&bytes[..length], WIDTH) {
            assert_eq!(model.features.len(), WIDTH);
        }
    }
}

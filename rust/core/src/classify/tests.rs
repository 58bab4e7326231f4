//! What a model folder must hold before anything in it is run. The graph's shape is checked by ONNX Runtime's own parser:
//! tests/test_classifier.py shows that.

use super::{Manifest, SCHEMA};
use crate::features::{NAMES, SCHEMA_VERSION};
use alloy_primitives::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const MODEL: &[u8] = b"a graph";

fn manifest() -> Value {
    let artifact = |file: &str| json!({"file": file, "sha256": hex::encode(Sha256::digest(MODEL))});
    let mut entry = artifact("forest.onnx");
    entry["version"] = json!("1");
    entry["feature_schema"] = json!({"version": SCHEMA_VERSION, "names": NAMES});
    entry["input"] = json!("rows");
    entry["output"] = json!("probability");
    entry["baseline"] = json!(vec![0.0; NAMES.len()]);
    json!({"format": 1, "default": "forest", "selectors": artifact("forest.onnx"), "models": {"forest": entry}})
}

/// The bytes that would be run, or why not.
fn load(manifest: &Value) -> Result<Vec<u8>, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("forest.onnx"), MODEL).unwrap();
    std::fs::write(dir.path().join("manifest.json"), manifest.to_string()).unwrap();
    let read = || {
        let manifest = Manifest::read(dir.path())?;
        manifest.selectors(dir.path())?;
        let (name, entry) = manifest.default_model()?;
        entry.bytes(name, dir.path(), SCHEMA)
    };
    read().map_err(|error| error.to_string())
}

#[test]
fn the_file_the_manifest_describes_is_taken() {
    assert_eq!(load(&manifest()).unwrap(), MODEL);
}

#[test]
fn what_differs_from_the_manifest_or_this_version_is_refused_by_name() {
    let mut swapped = NAMES;
    swapped.swap(3, 4);
    let cases = [
        (
            "/models/forest/sha256",
            json!("00".repeat(32)),
            "forest.onnx: hash is sha256 ",
        ),
        (
            "/selectors/sha256",
            json!("00".repeat(32)),
            "forest.onnx: hash is sha256 ",
        ),
        (
            "/models/forest/feature_schema/version",
            json!(SCHEMA_VERSION + 1),
            "forest: feature schema version",
        ),
        (
            "/models/forest/feature_schema/names",
            json!(swapped),
            "feature schema: number 4 is",
        ),
        (
            "/models/forest/feature_schema/names",
            json!(NAMES[1..]),
            "feature schema has 21 features",
        ),
        (
            "/models/forest/baseline",
            json!([0.0]),
            "forest: baseline has 1 values, not 22",
        ),
        ("/models/forest/baseline", json!("0"), "manifest.json: "),
        (
            "/models/forest/file",
            json!("../forest.onnx"),
            "is not a file name beside the manifest",
        ),
        ("/models/forest/file", json!("absent.onnx"), "absent.onnx"),
        ("/default", json!("trees"), "\"trees\" is not among: forest"),
        ("/format", json!(2), "manifest format 2"),
    ];
    for (pointer, value, expected) in cases {
        let mut altered = manifest();
        *altered.pointer_mut(pointer).unwrap() = value;
        let said = load(&altered).unwrap_err();
        assert!(said.contains(expected), "{pointer}: {said}");
    }
}

use super::event_schema;
use std::path::Path;

/// `make schema` sets it: the file is written, not compared.
const WRITE: &str = "MEMPOOL_IDS_WRITE_SCHEMA";

#[test]
fn the_schema_that_ships_is_that_of_the_types() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/mempool_ids");
    let path = package.join("records/event.schema.json");
    let derived = serde_json::to_string_pretty(&event_schema()).unwrap() + "\n";
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, derived).unwrap();
        return;
    }
    let shipped = std::fs::read_to_string(&path).unwrap();
    assert!(shipped == derived, "{} is old: make schema", path.display());
}

//! What happens to the file.

use super::*;
use std::fs;

const A: Address = Address::repeat_byte(0xa1);

fn paid(number: u64) -> Block {
    block(number, vec![sends(POOL, A, 100)])
}

fn damaged(folder: &Path) -> std::path::PathBuf {
    folder.join("funding.db.damaged")
}

#[test]
fn what_was_fed_is_there_when_it_is_opened_again() {
    let (folder, mut index) = opened();
    index.feed(&paid(7)).unwrap();
    let before = (funding_of(&index, A), index.state().unwrap());
    drop(index);
    let mut index = Index::open(config(folder.path())).unwrap();
    assert_eq!((funding_of(&index, A), index.state().unwrap()), before);
    assert_eq!(index.feed(&paid(7)).unwrap(), Fed::Known);
}

#[test]
fn who_had_money_before_it_was_opened_again_passes_it_on() {
    let (folder, mut index) = opened();
    index.feed(&paid(7)).unwrap();
    drop(index);
    let mut index = Index::open(config(folder.path())).unwrap();
    let to = Address::repeat_byte(0xb2);
    index.feed(&block(8, vec![sends(A, to, 50)])).unwrap();
    assert_eq!(told(&index, to), [("TornadoCash".into(), 2, 50)]);
}

#[test]
fn one_writes_and_others_read_what_it_wrote() {
    let (folder, mut index) = opened();
    let error = Index::open(config(folder.path())).err().unwrap();
    assert!(error.to_string().contains("another sensor"), "{error}");
    let mut reader = Index::read(config(folder.path())).unwrap();
    index.feed(&paid(1)).unwrap();
    assert_eq!(funding_of(&reader, A).len(), 1);
    assert_eq!(reader.state().unwrap().records, 1);
    assert!(matches!(reader.feed(&paid(2)), Err(Error::Funding { .. })));
    assert_eq!(
        index.feed(&paid(2)).unwrap(),
        Fed::Added {
            records: 1,
            undone: 0
        }
    );
    drop(index);
    assert!(Index::open(config(folder.path())).is_ok());
}

#[test]
fn there_is_nothing_to_read_before_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let error = Index::read(config(folder.path())).err().unwrap();
    assert!(error.to_string().contains("funding backfill"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn another_chains_index_is_not_touched() {
    let (folder, index) = opened();
    drop(index);
    let mut other = config(folder.path());
    other.chain_id = 56;
    let error = Index::open(other).err().unwrap();
    assert!(
        error.is_config() && error.to_string().contains("chain 1"),
        "{error}"
    );
    assert!(
        Index::open(config(folder.path()))
            .unwrap()
            .state()
            .unwrap()
            .rebuilt
            .is_none()
    );
}

#[test]
fn another_programs_database_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path()).path;
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE alerts (id INTEGER)")
        .unwrap();
    drop(db);
    let before = fs::read(&path).unwrap();
    let error = Index::open(config(folder.path())).err().unwrap();
    assert!(error.is_config(), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_file_is_put_aside_and_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path()).path;
    fs::write(&path, "no database at all, whatever it may be").unwrap();
    assert!(Index::read(config(folder.path())).is_err());
    let mut index = Index::open(config(folder.path())).unwrap();
    assert!(index.state().unwrap().rebuilt.is_some());
    assert!(
        fs::read(damaged(folder.path()))
            .unwrap()
            .starts_with(b"no database")
    );
    index.feed(&paid(1)).unwrap();
    assert_eq!(funding_of(&index, A).len(), 1);
}

#[test]
fn another_versions_file_is_begun_anew() {
    let (folder, index) = opened();
    drop(index);
    let path = config(folder.path()).path;
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let rebuilt = Index::open(config(folder.path()))
        .unwrap()
        .state()
        .unwrap()
        .rebuilt;
    assert_eq!(rebuilt.as_deref(), Some("of version 99, not 1"));
}

#[test]
fn an_index_that_is_damaged_while_it_is_used_begins_anew_with_the_next_block() {
    let (folder, mut index) = opened();
    index.feed(&paid(1)).unwrap();
    // As a disk may do it: what is in the tables is gone.
    let db = rusqlite::Connection::open(config(folder.path()).path).unwrap();
    db.execute_batch("DROP TABLE heads").unwrap();
    drop(db);
    index.feed(&paid(2)).unwrap();
    let state = index.state().unwrap();
    assert!(state.rebuilt.is_some() && damaged(folder.path()).exists());
    assert_eq!((state.records, state.blocks[0].first), (1, 2));
    assert_eq!(funding_of(&index, A).len(), 1);
}

#[test]
fn a_row_that_says_nonsense_is_an_error_not_a_panic() {
    let (folder, mut index) = opened();
    index.feed(&paid(1)).unwrap();
    let db = rusqlite::Connection::open(config(folder.path()).path).unwrap();
    db.execute_batch("UPDATE funding SET source = x'00', timestamp = -1")
        .unwrap();
    assert!(matches!(
        index.funding_of(&A, None),
        Err(Error::Funding { .. })
    ));
}

//! What goes wrong with the index and the list is said once each, and hinders neither the other.

use super::*;
use crate::config::EarlyConfig;
use crate::simulate::creations::Counts;
use alloy_primitives::B256;
use std::fs;
use std::path::Path;

fn known(folder: &Path) -> Known {
    let funding = FundingConfig {
        chain_id: 1,
        path: folder.join("funding.db"),
        sources: None,
        windows: [].into(),
        wrapped: None,
        least: None,
        limits: Default::default(),
    };
    let config = EarlyConfig {
        funding: Some(funding),
        labels: Some(folder.join("labels")),
        ..EarlyConfig::default()
    };
    Known::new(&config).unwrap()
}

fn survey(number: u8) -> Survey {
    Survey {
        number: number.into(),
        hash: B256::repeat_byte(number),
        parent: B256::repeat_byte(number - 1),
        timestamp: 1_700_000_000 + u64::from(number),
        method: None,
        deployments: Vec::new(),
        payments: Vec::new(),
        signers: Vec::new(),
        counts: Counts::default(),
    }
}

#[test]
fn an_index_that_another_writes_is_said_once_and_again_where_that_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut other, mut known) = (known(folder.path()), known(folder.path()));
    assert_eq!(other.feed(&survey(1)), Vec::<String>::new());
    let said = known.feed(&survey(1));
    assert!(
        matches!(&said[..], [one] if one.contains("another sensor")),
        "{said:?}"
    );
    assert_eq!(known.feed(&survey(2)), Vec::<String>::new());
    drop(other);
    assert_eq!(known.feed(&survey(3)), Vec::<String>::new());
    assert!(known.index.is_some());
}

#[test]
fn one_that_is_damaged_is_said_once_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("funding.db");
    fs::write(&path, "no database at all").unwrap();
    let mut known = known(folder.path());
    let said = known.feed(&survey(1));
    assert!(
        matches!(&said[..], [one] if one.contains("begun")),
        "{said:?}"
    );
    assert_eq!(known.feed(&survey(2)), Vec::<String>::new());
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("DROP TABLE heads").unwrap();
    drop(db);
    let said = known.feed(&survey(3));
    assert!(
        matches!(&said[..], [one] if one.contains("begun")),
        "{said:?}"
    );
    assert_eq!(known.feed(&survey(4)), Vec::<String>::new());
}

#[test]
fn a_list_that_cannot_be_read_leaves_the_index_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("labels"), "no folder").unwrap();
    let mut known = known(folder.path());
    let said = known.feed(&survey(1));
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(known.feed(&survey(2)), Vec::<String>::new());
    let state = known.index.as_ref().unwrap().state().unwrap();
    assert_eq!(state.blocks[0].last, 2);
}

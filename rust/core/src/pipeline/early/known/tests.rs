//! What goes wrong with the index and the list is said once each, and hinders neither the other.

use super::*;
use crate::config::EarlyConfig;
use crate::evidence::Sighting;
use crate::simulate::creations::{Counts, Origin};
use crate::survey::Payment;
use alloy_primitives::{B256, U256, address};
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

const MIXER: Address = Address::repeat_byte(0x4d);
const DEPLOYER: Address = Address::repeat_byte(0xd0);
const ENTRY_POINT: Address = address!("0000000071727de22e5e9d8baf0edac6f37da032");

/// With a mixer among the services.
fn knows_the_mixer(folder: &Path) -> Known {
    let sources = folder.join("services.csv");
    let row = format!("chain_id,address,service,grade,hours\n1,{MIXER},Mixer,high,48\n");
    fs::write(&sources, row).unwrap();
    let mut known = known(folder);
    known.funding.as_mut().unwrap().sources = Some(sources);
    known
}

/// A block in which the mixer pays the deployer.
fn paid(number: u8) -> Survey {
    let tx = B256::repeat_byte(number);
    let payment = Payment {
        tx,
        token: None,
        from: MIXER,
        to: DEPLOYER,
        amount: U256::from(10_u64.pow(18)),
    };
    Survey {
        payments: vec![payment],
        signers: vec![(tx, MIXER)],
        ..survey(number)
    }
}

fn fundings(known: &Known, to: Option<Address>) -> usize {
    let origin = Origin {
        to,
        ..Origin::unknown(DEPLOYER, Sighting::Pending)
    };
    let creator = Address::repeat_byte(0xfa);
    let deployment = origin.deployment(Address::ZERO, creator);
    known.of(deployment, 1_700_000_010_000).0.funding.len()
}

#[test]
fn what_another_process_writes_is_read_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (mut other, mut known) = (
        knows_the_mixer(folder.path()),
        knows_the_mixer(folder.path()),
    );
    other.feed(&paid(1));
    assert_eq!(known.feed(&paid(2)).len(), 1, "it is told");
    assert_eq!(fundings(&known, None), 1);
    drop(other);
    known.feed(&paid(2));
    assert_eq!(fundings(&known, None), 2);
}

#[test]
fn who_signs_for_others_does_not_answer_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut known = knows_the_mixer(folder.path());
    known.feed(&paid(1));
    assert_eq!(fundings(&known, Some(MIXER)), 1);
    assert_eq!(fundings(&known, Some(ENTRY_POINT)), 0);
}

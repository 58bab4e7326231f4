//! Records of any size: for tests.

use super::witness::{ReadAccount, RecordedSimulation, Witness};
use super::{
    Authenticity, Classification, FEATURES, Grade, LatencyUs, SimulationStatus, ThreatDetection,
    ThreatLevel, alert_id,
};
use crate::tx::{Extras, PendingTransaction};
use alloy_primitives::{Address, B256, Bytes, U256};
use std::time::SystemTime;

/// What read `slots` of one account, and `codes` of 24,576 bytes.
pub(crate) fn executed(slots: u64, codes: u64) -> Witness {
    let storage = (0..slots).map(|slot| (U256::from(slot), U256::MAX));
    let account = ReadAccount {
        balance: U256::ZERO,
        nonce: 0,
        code_hash: B256::ZERO,
        storage: storage.collect(),
    };
    let codes = (0..codes).map(|n| {
        let code = Bytes::from(vec![n as u8; 24_576]);
        (U256::from(n).into(), code)
    });
    Witness {
        chain_id: 1,
        fork: "Osaka".into(),
        number: U256::ZERO,
        timestamp: U256::ZERO,
        beneficiary: Address::ZERO,
        gas_limit: 0,
        base_fee: 0,
        difficulty: U256::ZERO,
        prev_randao: None,
        excess_blob_gas: None,
        blob_base_fee_update_fraction: None,
        extras: Extras::default(),
        before: Vec::new(),
        accounts: [(Address::ZERO, account)].into(),
        codes: codes.collect(),
        block_hashes: [].into(),
    }
}

/// The same, recorded.
pub(crate) fn recorded(codes: u64) -> Box<RecordedSimulation> {
    Box::new(RecordedSimulation {
        hash: U256::from(codes).into(),
        signer: None,
        failure: None,
        executed: Some(executed(0, codes)),
        unasked: None,
        mined: false,
    })
}

/// A detection whose arguments have `bytes` of text.
pub(crate) fn detection(bytes: usize) -> Box<ThreatDetection> {
    Box::new(ThreatDetection {
        alert_id: alert_id(1, &B256::ZERO),
        chain_id: 1,
        tx: PendingTransaction::default(),
        function: None,
        arguments: vec![("0".into(), "string".into(), "x".repeat(bytes))],
        contracts: Vec::new(),
        score: 1.0,
        threat_level: ThreatLevel::Critical,
        classification: Classification {
            model: "test".into(),
            version: "0".into(),
            probability: 1.0,
            threshold: 0.7,
            factors: Vec::new(),
        },
        signatures: Vec::new(),
        signature_score: 0.0,
        authenticity: Authenticity::Proven,
        detected: SystemTime::UNIX_EPOCH,
        watched_ms: 0,
        features: [0.0; FEATURES],
        notify: true,
        simulation: SimulationStatus::NotRun,
        grade: Grade::Suspected,
        victims: Vec::new(),
        early: None,
        latency_us: LatencyUs::default(),
    })
}

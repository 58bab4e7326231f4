use super::*;
use crate::config::MonitoredContract;
use crate::evidence::{
    Class, Deployment, EarlyThresholds, Funding, FundingGrade, PastAttacker, Place, Proof,
    Sighting, Simulation, Victim, Violation,
};
use alloy_primitives::{B256, Bytes, U256};

const VAULT: Address = Address::repeat_byte(0xaa);
const OTHER: Address = Address::repeat_byte(0xbb);

fn contacts() -> Contacts {
    let contract = |name: &str, address| MonitoredContract {
        name: name.into(),
        address,
        ..MonitoredContract::default()
    };
    Contacts::new(&[contract("Vault", VAULT), contract("Other", OTHER)]).unwrap()
}

fn deployment(n: u8) -> Deployment {
    Deployment {
        address: Address::repeat_byte(n),
        deployer: Address::repeat_byte(0xd0),
        creator: Address::repeat_byte(0xd0),
        tx: B256::repeat_byte(n),
        to: None,
        nonce: 0,
        value: U256::ZERO,
        seen: Sighting::Pending,
        init_code: Bytes::new(),
        code: Bytes::from(vec![0x60; 100]),
        runs: None,
        called: Vec::new(),
        stored: Vec::new(),
        twins: Vec::new(),
        more_twins: 0,
    }
}

fn found(n: u8) -> FoundContract {
    FoundContract {
        deployment: deployment(n),
        funding: Vec::new(),
        past_attacker: None,
        at_ms: 1,
    }
}

fn score(score: f32) -> ContractScore {
    ContractScore {
        score,
        precise: score,
        thresholds: EarlyThresholds {
            high_precision: 0.9,
            high_recall: 0.6,
        },
        model: "contract".into(),
        version: "1".into(),
        selectors: Vec::new(),
        addresses: Vec::new(),
        factors: Vec::new(),
    }
}

fn money() -> Funding {
    Funding {
        service: "TornadoCash".into(),
        grade: FundingGrade::High,
        source: Address::repeat_byte(1),
        hops: 1,
        via: None,
        token: None,
        amount: U256::from(1),
        block: 1,
        timestamp: 1,
        tx: B256::ZERO,
    }
}

/// Calls that break an invariant, severely or not.
fn shown(severe: bool) -> Detonation {
    let violation = Violation {
        invariant: "outflow".into(),
        contract: "Vault".into(),
        class: Class::Loss,
        weight: 0.9,
        severe,
        explanation: String::new(),
        losses: Vec::new(),
        shares: Vec::new(),
    };
    let victim = Victim {
        contract: "Vault".into(),
        invariants: vec!["outflow".into()],
        loss: None,
        beneficiary: None,
    };
    let simulation = Simulation {
        succeeded: true,
        watched: true,
        complete: true,
        harm: 0.9,
        violations: vec![violation],
        victims: vec![victim],
        ..Simulation::default()
    };
    Detonation {
        proof: Some(Box::new(Proof {
            calls: Vec::new(),
            simulation,
        })),
        ..Detonation::default()
    }
}

fn proof() -> Detonation {
    shown(true)
}

/// Of a contract with this score, funding, past and detonation.
fn reason(
    p: Option<f32>,
    funded: bool,
    attacker: bool,
    detonation: Option<Detonation>,
    beta: bool,
) -> Option<EarlyReason> {
    let mut found = found(1);
    found.funding.extend(funded.then(money));
    found.past_attacker = attacker.then(|| PastAttacker {
        address: found.deployment.deployer,
        incident: "X".into(),
    });
    let assessment = Assessment {
        detonation,
        ..Assessment::new(found, p.map(score), Vec::new())
    };
    alarm(&assessment, beta)
}

#[test]
fn an_alert_needs_a_precise_score_or_two_signs_or_a_proof() {
    use EarlyReason::*;
    assert_eq!(
        reason(Some(0.9), false, false, None, false),
        Some(HighPrecision)
    );
    assert_eq!(reason(Some(0.89), false, false, None, false), None);
    assert_eq!(reason(Some(0.6), true, false, None, false), Some(Funded));
    assert_eq!(reason(Some(0.59), true, false, None, false), None);
    assert_eq!(
        reason(Some(0.0), false, true, None, false),
        Some(PastAttacker)
    );
    assert_eq!(reason(None, true, false, None, true), None);
    assert_eq!(
        reason(None, false, false, Some(proof()), false),
        Some(Proof)
    );
    let harmless = Some(Detonation::default());
    assert_eq!(reason(Some(0.2), true, false, harmless, true), None);
}

#[test]
fn hints_are_given_to_who_wants_them() {
    assert_eq!(reason(Some(0.5), false, false, None, false), None);
    assert_eq!(
        reason(Some(0.5), false, false, None, true),
        Some(EarlyReason::Info)
    );
    assert_eq!(reason(Some(0.49), false, false, None, true), None);
}

#[test]
fn a_contract_is_told_of_once_and_alerted_again_where_it_is_proved() {
    let (contacts, mut desk) = (contacts(), Desk::new(None, false));
    let first = desk
        .deployed(found(1), Some(score(0.95)), &contacts)
        .unwrap();
    assert_eq!(first.alert, Some(EarlyReason::HighPrecision));
    assert!(
        desk.deployed(found(1), Some(score(0.95)), &contacts)
            .is_none()
    );
    let address = Address::repeat_byte(1);
    let called = desk.detonated(&address, Detonation::default()).unwrap();
    assert_eq!(called.alert, None);
    let proved = desk.detonated(&address, proof()).unwrap();
    assert_eq!(proved.alert, Some(EarlyReason::Proof));
    // On the next heads it does nothing, or the same: what it was proved to do stays, and is told once.
    assert!(desk.detonated(&address, Detonation::default()).is_none());
    assert!(desk.detonated(&address, proof()).is_none());
    assert!(desk.detonated(&address, shown(false)).is_none());
    assert!(desk.detonated(&Address::repeat_byte(9), proof()).is_none());
}

#[test]
fn another_code_at_the_same_address_is_told_of_too() {
    let (contacts, mut desk) = (contacts(), Desk::new(None, false));
    desk.deployed(found(1), Some(score(0.1)), &contacts)
        .unwrap();
    let mut other = found(1);
    other.deployment.tx = B256::repeat_byte(2);
    let news = desk.deployed(other.clone(), Some(score(0.95)), &contacts);
    assert_eq!(news.unwrap().alert, Some(EarlyReason::HighPrecision));
    other.deployment.tx = B256::repeat_byte(3);
    // Its alert is out.
    let news = desk.deployed(other, Some(score(0.96)), &contacts);
    assert_eq!(news.unwrap().alert, None);
    assert_eq!(desk.known.len(), 1);
}

#[test]
fn what_was_said_of_a_contract_that_never_came_is_taken_back_until_it_comes() {
    let (contacts, mut desk) = (contacts(), Desk::new(None, false));
    let mut gone = found(1);
    gone.deployment.seen = Sighting::Gone;
    assert!(desk.deployed(gone.clone(), None, &contacts).is_none());
    let first = desk.deployed(found(1), Some(score(0.95)), &contacts);
    let first = first.unwrap();
    assert!(first.refuted.is_empty());
    let warning = EarlyWarning {
        reason: first.alert.unwrap(),
        assessment: first.assessment.clone(),
    };
    let told = desk.deployed(gone.clone(), None, &contacts).unwrap();
    assert_eq!(told.alert, None);
    assert_eq!(told.assessment.found.deployment.seen, Sighting::Gone);
    assert!(told.refuted.iter().all(|label| label.remove));
    let ids = |labels: &[Label]| labels.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&told.refuted), ids(&warning.labels()));
    assert!(desk.deployed(gone, None, &contacts).is_none());
    let back = desk.detonated(&Address::repeat_byte(1), proof()).unwrap();
    assert_eq!(back.alert, Some(EarlyReason::Proof));
}

#[test]
fn what_another_contract_says_of_the_same_account_stands() {
    let (contacts, mut desk) = (contacts(), Desk::new(None, false));
    for n in [1, 2] {
        desk.deployed(found(n), Some(score(0.95)), &contacts)
            .unwrap();
    }
    // An alert that accuses nobody.
    let mut funded = found(3);
    funded.funding.push(money());
    desk.deployed(funded, Some(score(0.7)), &contacts).unwrap();
    let mut refuted = |n: u8| {
        let mut gone = found(n);
        gone.deployment.seen = Sighting::Gone;
        let news = desk.deployed(gone, None, &contacts).unwrap();
        let labels = news.refuted.iter().map(|one| one.label);
        labels.collect::<Vec<_>>()
    };
    assert_eq!(refuted(1), ["contract"]);
    assert_eq!(refuted(2), ["contract", "attacker"]);
    assert_eq!(refuted(3), ["contract", "eoa"]);
}

#[test]
fn a_contract_that_comes_back_is_told_of_and_proved_again() {
    let (contacts, mut desk) = (contacts(), Desk::new(None, false));
    let address = Address::repeat_byte(1);
    desk.deployed(found(1), Some(score(0.95)), &contacts)
        .unwrap();
    desk.detonated(&address, proof()).unwrap();
    let mut gone = found(1);
    gone.deployment.seen = Sighting::Gone;
    desk.deployed(gone, None, &contacts).unwrap();
    let back = desk.deployed(found(1), Some(score(0.95)), &contacts);
    assert_eq!(back.unwrap().alert, Some(EarlyReason::HighPrecision));
    let proved = desk.detonated(&address, proof()).unwrap();
    assert_eq!(proved.alert, Some(EarlyReason::Proof));
}

#[test]
fn nothing_is_said_of_who_signs_for_others_or_is_not_known() {
    let labels = |change: &dyn Fn(&mut Deployment)| {
        let mut found = found(1);
        change(&mut found.deployment);
        let warning = EarlyWarning {
            reason: EarlyReason::Proof,
            assessment: Assessment::new(found, None, Vec::new()),
        };
        warning.labels().len()
    };
    assert_eq!(labels(&|_| ()), 3);
    let entry_point = alloy_primitives::address!("5ff137d4b0fdcd49dca30c7cf57e578a026d2789");
    assert_eq!(labels(&|one| one.to = Some(entry_point)), 1);
    assert_eq!(labels(&|one| one.tx = B256::ZERO), 1);
}

#[test]
fn what_is_of_interest_is_known_however_much_comes_after_it() {
    let (contacts, mut desk) = (contacts(), Desk::new(None, false));
    let mut holding = found(1);
    holding.deployment.called.push(VAULT);
    assert!(desk.deployed(holding, None, &contacts).is_some());
    for n in 0..2 * REMEMBERED as u64 {
        let mut found = found(1);
        found.deployment.address = Address::left_padding_from(&n.to_be_bytes());
        desk.deployed(found, None, &contacts).unwrap();
    }
    assert_eq!(desk.known.len(), REMEMBERED);
    assert!(desk.detonated(&Address::repeat_byte(1), proof()).is_some());
    assert!(!desk.knows(&Address::ZERO), "nor is it counted as known");
}

#[test]
fn memory_is_bounded_and_the_newest_are_known() {
    let (contacts, mut desk) = (contacts(), Desk::new(None, false));
    for n in 0..2 * REMEMBERED as u64 {
        let mut found = found(1);
        found.deployment.address = Address::left_padding_from(&n.to_be_bytes());
        assert!(desk.deployed(found, None, &contacts).is_some());
    }
    assert_eq!(desk.known.len(), REMEMBERED);
    let newest = Address::left_padding_from(&(2 * REMEMBERED as u64 - 1).to_be_bytes());
    assert!(desk.detonated(&newest, Detonation::default()).is_some());
}

#[test]
fn what_it_holds_is_found_in_each_place_and_told_once() {
    let contacts = contacts();
    let in_place = |change: &dyn Fn(&mut Deployment)| {
        let mut deployment = deployment(1);
        change(&mut deployment);
        let held = contained::of(&deployment, &contacts, &Named::default());
        held.iter()
            .map(|one| (one.address, one.place))
            .collect::<Vec<_>>()
    };
    let code = |one: &mut Deployment| one.code = [&[0x73][..], VAULT.as_slice()].concat().into();
    assert_eq!(in_place(&code), [(VAULT, Place::Code)]);
    assert_eq!(
        in_place(&|one| {
            code(one);
            one.init_code = [VAULT.as_slice(), OTHER.as_slice()].concat().into();
        }),
        [(VAULT, Place::Code), (OTHER, Place::Arguments)]
    );
    let stored = U256::from_be_bytes(VAULT.into_word().0);
    assert_eq!(
        in_place(&|one| one.stored.push((U256::ZERO, stored))),
        [(VAULT, Place::Storage)]
    );
    assert_eq!(
        in_place(&|one| one.called.push(OTHER)),
        [(OTHER, Place::Called)]
    );
    assert_eq!(in_place(&|_| ()), []);
    let itself = |one: &mut Deployment| (one.address, one.code) = (VAULT, VAULT.to_vec().into());
    assert_eq!(in_place(&itself), []);
}

#[test]
fn an_alert_says_what_is_known_by_the_names_that_the_field_has() {
    let mut assessment = Assessment::new(found(1), Some(score(0.95)), Vec::new());
    assessment.found.funding.push(money());
    assessment.score.as_mut().unwrap().selectors = vec![[0x9e, 0x5f, 0xaa, 0xfc]];
    assessment.score.as_mut().unwrap().addresses = vec![OTHER, VAULT];
    assessment.contained.push(crate::evidence::Contained {
        contract: "Vault".into(),
        address: VAULT,
        place: Place::Storage,
    });
    let surroundings = Surroundings {
        chain_id: 1,
        watched_ms: 7,
    };
    let alert = alert(&assessment, EarlyReason::HighPrecision, surroundings);
    assert_eq!((alert.tx.seen_ms, alert.watched_ms), (1, 7));
    let early = alert.early.unwrap();
    let metadata = serde_json::Value::from(early.metadata());
    assert_eq!(
        metadata["function_signatures"],
        serde_json::json!(["0x9e5faafc"])
    );
    assert_eq!(metadata["high_precision_model"], true);
    assert_eq!(metadata["model_score"], 0.95);
    assert_eq!(metadata["model_threshold"], 0.9);
    assert_eq!(
        metadata["funding_labels"],
        serde_json::json!(["TornadoCash"])
    );
    assert_eq!(metadata["known_past_attacker"], serde_json::Value::Null);
    // What is monitored is named first.
    let held = |n: u8| metadata[format!("address_contained_in_created_contract_{n}")].clone();
    assert_eq!(held(1), format!("{VAULT:#x}"));
    assert_eq!(held(2), format!("{OTHER:#x}"));
    assert_eq!(held(3), serde_json::Value::Null);
    let labels = early.labels();
    let labels: Vec<_> = labels.iter().map(|one| (one.label, &*one.entity)).collect();
    let (contract, deployer) = (
        format!("{:#x}", Address::repeat_byte(1)),
        format!("{:#x}", Address::repeat_byte(0xd0)),
    );
    assert_eq!(
        labels,
        [
            ("contract", &*contract),
            ("eoa", &*deployer),
            ("attacker", &*deployer)
        ]
    );
    assert_eq!(alert.alert_id, format!("1-{}", &contract[2..]));
    assert_eq!(alert.threat_level, crate::evidence::ThreatLevel::High);
}

//! What goes in, and what comes out: no threads, no clocks.

mod properties;
mod takings;
mod together;

use super::*;
use crate::evidence::{Answer, Bid, FEATURES, Response};
use crate::pipeline::triage::parked::{MOST, PER_SENDER};
use crate::tx::PendingTransaction;
use crate::wire::Original;
use alloy_primitives::U256;

const SENDER: Address = Address::repeat_byte(0x5e);
/// Monitored, and whom everything calls.
const CALLEE: Address = Address::repeat_byte(0xc0);
const DEADLINE_MS: u64 = 250;

fn policy() -> Policy {
    Policy {
        alarm: Alarm {
            threshold: 0.7,
            monitored_only: false,
        },
        threshold: 0.3,
        young_blocks: 0,
        deadline_ms: DEADLINE_MS,
        one_at_a_time: false,
        replay: false,
        contracts: vec!["Vault".into()],
        addresses: vec![CALLEE],
    }
}

struct Rig {
    triage: Triage,
    now_ms: u64,
    out: Vec<Action>,
}

impl Rig {
    fn of(policy: Policy) -> Self {
        Self {
            triage: Triage::new(policy, Arc::default()),
            now_ms: 1_000,
            out: Vec::new(),
        }
    }

    fn live() -> Self {
        Self::of(policy())
    }

    fn replay() -> Self {
        Self::of(Policy {
            replay: true,
            ..policy()
        })
    }

    fn stats(&self) -> &Stats {
        &self.triage.stats
    }

    fn judged(&mut self, mut slot: Slot, score: f32) -> Course {
        let (probability, now_ms) = (score / 2.0, self.now_ms);
        let course = self
            .triage
            .judged(&mut slot, probability, score, now_ms, &mut self.out);
        if course == Course::Passed {
            self.triage.passed(&mut slot, now_ms, &mut self.out);
        }
        course
    }

    fn handle(&mut self, event: Occurrence) {
        self.triage.handle(event, self.now_ms, &mut self.out);
    }

    fn verdict(&mut self, slot: &Slot, simulation: Simulation) {
        self.verdict_of(slot, simulation, Identity::default());
    }

    fn verdict_of(&mut self, slot: &Slot, simulation: Simulation, identity: Identity) {
        self.handle(Occurrence::Ended {
            key: slot.key(),
            identity,
            result: Ok(Box::new(simulation)),
            took_us: 1.0,
        });
    }

    fn fails(&mut self, slot: &Slot, kind: FailureKind) {
        let failure = Failure::new(kind, "says why");
        self.handle(Occurrence::Ended {
            key: slot.key(),
            identity: Identity::default(),
            result: Err(failure),
            took_us: 1.0,
        });
    }

    fn passes(&mut self, ms: u64) {
        self.now_ms += ms;
        self.handle(Occurrence::Time);
    }

    /// Who was submitted since this was last asked.
    fn submitted(&mut self) -> Vec<Suspect> {
        let submitted = self
            .out
            .extract_if(.., |one| matches!(one, Action::Submit(_)));
        let suspects = submitted.map(|one| match one {
            Action::Submit(suspect) => suspect,
            _ => unreachable!("the others stay"),
        });
        suspects.collect()
    }

    fn submitted_keys(&mut self) -> Vec<Key> {
        self.submitted().iter().map(Suspect::key).collect()
    }

    fn emitted(&mut self) -> Vec<Emission> {
        let emitted = self
            .out
            .extract_if(.., |one| matches!(one, Action::Emit(_)));
        let emissions = emitted.map(|one| match one {
            Action::Emit(emission) => *emission,
            _ => unreachable!("the others stay"),
        });
        emissions.collect()
    }

    fn callers_of(&mut self) -> Vec<Address> {
        let callers = self
            .out
            .extract_if(.., |one| matches!(one, Action::JudgeCallers(_)));
        let addresses = callers.map(|one| match one {
            Action::JudgeCallers(address) => address,
            _ => unreachable!("the others stay"),
        });
        addresses.collect()
    }

    fn suspicion(&self, slot: &Slot) -> &Suspicion {
        &self.triage.suspects.all[&slot.key()]
    }

    /// Passed on and found harmless.
    fn kept(&mut self, slot: Slot) {
        let like = copy(&slot);
        assert_eq!(self.judged(slot, 0.0), Course::Held);
        self.verdict(&like, harmless());
        self.submitted();
    }
}

fn slot(n: u8) -> Slot {
    Slot {
        tx: PendingTransaction {
            hash: B256::repeat_byte(n),
            from: SENDER,
            to: Some(CALLEE),
            nonce: u64::from(n),
            ..PendingTransaction::default()
        },
        fingerprint: u64::from(n),
        ..Slot::default()
    }
}

fn touching(n: u8) -> Slot {
    Slot {
        contacts: vec![0],
        ..slot(n)
    }
}

fn creation(n: u8, contacts: Vec<u16>) -> Slot {
    let mut creation = slot(n);
    (creation.tx.to, creation.contacts) = (None, contacts);
    creation
}

fn call_of(n: u8, callee: Address) -> Slot {
    let mut call = slot(n);
    call.tx.to = Some(callee);
    call
}

fn numbered(n: u64, sender: Address) -> Slot {
    let mut slot = touching(1);
    (slot.tx.hash, slot.tx.from) = (U256::from(n).into(), sender);
    slot
}

fn copy(slot: &Slot) -> Slot {
    Slot {
        tx: slot.tx.clone(),
        contacts: slot.contacts.clone(),
        fingerprint: slot.fingerprint,
        ..Slot::default()
    }
}

fn mined(from: Address, nonce: u64) -> MinedTransaction {
    MinedTransaction {
        hash: B256::ZERO,
        from,
        nonce,
        to: None,
        creates: false,
    }
}

/// Seen whole, and nothing speaks against it.
fn harmless() -> Simulation {
    Simulation {
        succeeded: true,
        complete: true,
        watched: true,
        probability: Some(0.0),
        ..Simulation::default()
    }
}

fn attack() -> Simulation {
    Simulation {
        harm: 0.9,
        ..harmless()
    }
}

fn answered(obstacle: Option<&'static str>) -> Response {
    Response::Answered(Box::new(Answer {
        targets: Vec::new(),
        pauses: Vec::new(),
        pause_succeeds: true,
        already_paused: false,
        harm_left: 0.0,
        pause_gas: 0,
        copyable: false,
        attack: Bid {
            payment: U256::ZERO,
            gas: 0,
            tip: 0,
            max_fee: 0,
        },
        base_fee: 0,
        obstacle: obstacle.map(Into::into),
    }))
}

/// Which the next block can have, or not.
fn attack_that(obstacle: Option<&'static str>) -> Simulation {
    Simulation {
        response: Some(answered(obstacle)),
        ..attack()
    }
}

fn is_obstructed(emission: &Emission) -> Option<bool> {
    let SimulationStatus::Done(done) = &emission.verdict.simulation else {
        return None;
    };
    let answer = done.simulation.response.as_ref()?.answer()?;
    Some(answer.obstacle.is_some())
}

#[test]
fn contact_or_a_suspicious_score_is_simulated_once_and_counted() {
    let mut rig = Rig::live();
    assert_eq!(rig.judged(slot(1), 0.29), Course::Passed);
    assert_eq!(rig.judged(slot(2), 0.3), Course::Held);
    assert_eq!(rig.judged(touching(3), 0.0), Course::Held);
    assert_eq!(rig.submitted().len(), 2);
    rig.fails(&touching(3), FailureKind::Budget);
    assert_eq!(rig.judged(touching(3), 0.5), Course::Passed);
    assert_eq!(rig.submitted().len(), 0, "passed on before");
    let stats = rig.stats();
    let counts = (stats.triaged_score.get(), stats.triaged_contact.get());
    assert_eq!(counts, (1, 1));
}

#[test]
fn what_had_to_do_with_nobody_is_simulated_once_more_when_that_turns_out_otherwise() {
    let mut rig = Rig::live();
    assert_eq!(rig.judged(slot(2), 0.3), Course::Held);
    rig.verdict(&slot(2), harmless());
    assert_eq!(rig.judged(slot(2), 0.3), Course::Held, "nothing is new");
    assert_eq!(rig.submitted().len(), 1);
    let callers = |rig: &Rig| rig.triage.passed_callers(&slot(2).tx.to.unwrap()).len();
    assert_eq!(callers(&rig), 1);
    assert_eq!(rig.judged(touching(2), 0.0), Course::Held);
    assert_eq!(rig.submitted_keys(), [slot(2).key()]);
    rig.verdict(&touching(2), attack());
    assert_eq!(rig.emitted().len(), 1);
    assert_eq!(callers(&rig), 0, "and no more");
    rig.judged(touching(2), 0.0);
    assert_eq!(rig.submitted().len(), 0);
}

#[test]
fn young_code_is_simulated_whatever_its_score_where_contracts_are_monitored() {
    let aged = |n: u8, age: f32| {
        let mut slot = slot(n);
        slot.row[FEATURES - 1] = age.ln_1p();
        slot
    };
    let young = || {
        let mut creation = aged(9, 0.0);
        creation.tx.to = None;
        creation
    };
    let mut rig = Rig::of(Policy {
        young_blocks: 7_200,
        ..policy()
    });
    assert_eq!(rig.judged(aged(1, 0.0), 0.0), Course::Held);
    assert_eq!(rig.judged(aged(2, 7_200.0), 0.0), Course::Held);
    assert_eq!(rig.judged(aged(3, 7_201.0), 0.0), Course::Passed);
    assert_eq!(
        rig.judged(slot(4), 0.0),
        Course::Passed,
        "nobody knows its age"
    );
    assert_eq!(rig.judged(young(), 0.0), Course::Held);
    let call = call_of(5, SENDER.create(9));
    assert_eq!(rig.judged(call, 0.0), Course::Held, "pending still");
    assert_eq!(rig.stats().triaged_young.get(), 4);
    assert_eq!(rig.judged(aged(6, 0.0), 0.3), Course::Held);
    assert_eq!(rig.stats().triaged_score.get(), 1);

    let mut off = Rig::live();
    assert_eq!(off.judged(aged(1, 0.0), 0.0), Course::Passed);
    assert_eq!(off.judged(young(), 0.0), Course::Passed);
}

#[test]
fn a_call_of_what_a_pending_creation_will_create_counts_as_its_contact() {
    let mut rig = Rig::live();
    assert_eq!(rig.judged(creation(1, vec![]), 0.0), Course::Passed);
    assert_eq!(rig.callers_of(), [SENDER.create(1)]);
    let call = call_of(10, SENDER.create(1));
    assert_eq!(rig.judged(call, 0.0), Course::Passed, "of no interest");
    let attacker = SENDER.create(2);
    assert_eq!(rig.judged(creation(2, vec![0]), 0.0), Course::Held);
    assert_eq!(rig.callers_of(), [attacker]);
    let mut other = creation(2, vec![]);
    other.fingerprint = 99;
    rig.judged(other, 0.0);
    assert!(rig.callers_of().is_empty(), "nothing new");
    let mut another = creation(2, vec![1]);
    another.fingerprint = 98;
    rig.judged(another, 0.0);
    assert_eq!(rig.callers_of(), [attacker], "of another contract, too");
    rig.submitted();
    assert_eq!(rig.judged(call_of(11, attacker), 0.0), Course::Held);
    let call = rig.submitted().remove(0);
    assert!(call.contact, "as if it named it itself");
    let nonces: Vec<_> = call.before.iter().map(|one| one.tx.nonce).collect();
    assert_eq!(nonces, [1, 2, 2, 2, 10], "all contents of its creation");
    let mut call = call_of(12, attacker);
    call.tx.from = Address::ZERO;
    assert_eq!(rig.judged(call, 0.0), Course::Held);
    let call = rig.submitted().remove(0);
    let nonces: Vec<_> = call.before.iter().map(|one| one.tx.nonce).collect();
    assert_eq!(
        nonces,
        [1, 2, 2, 2],
        "whoever sent it, and what comes before"
    );
}

#[test]
fn a_second_judgement_is_remembered_while_it_runs_and_of_no_use_once_there_is_a_verdict() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.2);
    assert_eq!(rig.judged(touching(1), 0.6), Course::Held);
    assert_eq!(rig.submitted().len(), 1);
    assert_eq!(rig.suspicion(&touching(1)).score, 0.6);
    assert_eq!(rig.suspicion(&touching(1)).probability, 0.3);
    rig.judged(touching(1), 0.1);
    assert_eq!(rig.suspicion(&touching(1)).score, 0.6);
    rig.verdict(&touching(1), harmless());
    assert_eq!(
        rig.judged(touching(1), 0.9),
        Course::Held,
        "it has its verdict"
    );
    assert!(rig.submitted().is_empty() && rig.emitted().is_empty());
}

#[test]
fn what_fails_keeps_its_score_where_it_calls_a_monitored_contract_itself() {
    let fails = || Simulation {
        succeeded: false,
        gas_used: 30_000,
        ..harmless()
    };
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.75);
    rig.verdict(&touching(1), fails());
    assert_eq!(rig.emitted()[0].verdict.score, 0.75);
    // Searchers come by contracts of their own.
    let elsewhere = || {
        let mut slot = touching(2);
        slot.tx.to = Some(SENDER);
        slot
    };
    rig.judged(elsewhere(), 0.75);
    rig.verdict(&elsewhere(), fails());
    assert!(rig.emitted().is_empty());
    rig.judged(touching(3), 0.75);
    rig.verdict(&touching(3), harmless());
    assert!(rig.emitted().is_empty(), "it is known what it does");
}

#[test]
fn other_contents_under_one_hash_are_simulated_too() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.0);
    let mut other = touching(1);
    other.fingerprint = 99;
    let like = copy(&other);
    assert_eq!(rig.judged(other, 0.0), Course::Held);
    assert_eq!(rig.submitted_keys(), [touching(1).key(), like.key()]);
    rig.verdict(&touching(1), harmless());
    rig.verdict(&like, attack());
    assert_eq!(rig.emitted()[0].slot.fingerprint, 99);
}

#[test]
fn a_lie_is_dropped_once_the_truth_under_its_hash_is_known() {
    let mut rig = Rig::live();
    let mut truth = touching(1);
    truth.fingerprint = 99;
    let like = copy(&truth);
    rig.judged(touching(1), 0.0);
    rig.judged(truth, 0.0);
    let proven = Identity {
        authenticity: Authenticity::Proven,
        signer: Some(Address::repeat_byte(0x51)),
    };
    rig.verdict_of(&like, harmless(), proven);
    rig.submitted();
    assert_eq!(
        rig.suspicion(&like).slot.tx.from,
        Address::repeat_byte(0x51)
    );
    let lie = Identity {
        authenticity: Authenticity::Contradicted,
        signer: None,
    };
    rig.verdict_of(&touching(1), attack(), lie);
    assert!(rig.emitted().is_empty());
    assert!(!rig.triage.suspects.all.contains_key(&touching(1).key()));
    assert!(rig.triage.is_refuted(&touching(1)) && !rig.triage.is_refuted(&like));
}

const PROVEN: Identity = Identity {
    authenticity: Authenticity::Proven,
    signer: None,
};
const CONTRADICTED: Identity = Identity {
    authenticity: Authenticity::Contradicted,
    signer: None,
};

#[test]
fn a_lie_about_the_sender_alone_refutes_nobody_and_is_executed_as_its_signers() {
    let mut rig = Rig::live();
    rig.judged(creation(1, vec![]), 0.0);
    let mut lie = touching(2);
    lie.tx.from = Address::ZERO;
    lie.fingerprint = 99;
    let like = copy(&lie);
    rig.judged(lie, 0.0);
    rig.judged(touching(2), 0.0);
    let told = rig.submitted();
    assert_eq!((told[0].before.len(), told[1].before.len()), (0, 1));
    let signed = Identity {
        signer: Some(SENDER),
        ..PROVEN
    };
    rig.verdict_of(&like, harmless(), signed);
    let again = rig.submitted().remove(0);
    assert_eq!((again.key(), again.tx.from), (like.key(), SENDER));
    assert_eq!(again.before.len(), 1, "what its signer sent before it");
    rig.verdict_of(&touching(2), attack(), PROVEN);
    assert_eq!(rig.emitted().len(), 1);
}

#[test]
fn a_lie_exonerates_nobody_and_its_truth_is_asked_for() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.9);
    rig.submitted();
    rig.verdict_of(&touching(1), harmless(), CONTRADICTED);
    let asked =
        |action: &Action| matches!(action, Action::AskAgain(hash) if *hash == B256::repeat_byte(1));
    assert!(rig.out.iter().any(asked));
    assert_eq!(
        rig.emitted()[0].verdict.score,
        0.9,
        "the first stage's judgement stands"
    );
    assert_eq!(rig.stats().exonerated.get(), 0);
    // The truth, which the first stage cannot tell from it.
    let again = Slot {
        again: true,
        ..touching(1)
    };
    assert_eq!(rig.judged(again, 0.9), Course::Held);
    rig.verdict_of(&touching(1), attack(), PROVEN);
    assert!(rig.emitted()[0].verdict.score > 0.9);
}

#[test]
fn the_truth_that_arrives_while_its_lie_runs_is_looked_at_next() {
    let told = |text: &'static str| Slot {
        original: Some(Original {
            json: text.into(),
            is_notification: false,
        }),
        again: true,
        ..touching(1)
    };
    let mut rig = Rig::live();
    rig.judged(told("a lie"), 0.0);
    rig.verdict_of(&touching(1), harmless(), CONTRADICTED);
    rig.handle(Occurrence::State);
    rig.submitted();
    rig.judged(told("the truth"), 0.0);
    // Who is refused was not looked at: it stays doubted.
    rig.fails(&touching(1), FailureKind::Queue);
    let parked = rig.suspicion(&touching(1)).slot.authenticity;
    assert_eq!(parked, Authenticity::Contradicted);
    rig.handle(Occurrence::State);
    rig.passes(10_000);
    let again = rig.submitted().remove(0).original.unwrap();
    assert_eq!(again.json, "the truth");
    rig.verdict_of(&touching(1), attack(), PROVEN);
    assert_eq!(rig.emitted().len(), 1);
}

#[test]
fn what_comes_before_an_attack_is_remembered_beside_a_lie_about_it() {
    let mut rig = Rig::live();
    let mut lie = creation(1, vec![]);
    lie.fingerprint = 99;
    rig.judged(lie, 0.0);
    rig.judged(creation(1, vec![]), 0.0);
    rig.judged(touching(2), 0.0);
    let before = rig.submitted().remove(0).before;
    let fingerprints: Vec<_> = before.iter().map(|earlier| earlier.fingerprint).collect();
    assert_eq!(
        fingerprints,
        [1, 99],
        "the newest first; the simulator chooses what is true"
    );
}

#[test]
fn who_is_done_takes_no_place_of_those_that_wait() {
    let mut rig = Rig::replay();
    rig.judged(touching(1), 0.9);
    for n in 0..2 * RUNNING as u64 {
        rig.judged(numbered(n + 1_000, Address::ZERO), 0.0);
        let like = numbered(n + 1_000, Address::ZERO);
        rig.verdict(&like, harmless());
    }
    assert!(rig.emitted().is_empty());
    assert!(rig.suspicion(&touching(1)).runs());
}

#[test]
fn what_had_no_verdict_has_another_chance_when_its_callees_code_arrives() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.0);
    rig.fails(&touching(1), FailureKind::Budget);
    rig.submitted();
    let again = Slot {
        again: true,
        ..touching(1)
    };
    assert_eq!(rig.judged(again, 0.0), Course::Held);
    assert_eq!(rig.submitted().len(), 1);
}

#[test]
fn an_attack_is_emitted_with_all_that_was_found() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.4);
    rig.verdict(&touching(1), attack());
    let emission = rig.emitted().remove(0);
    assert_eq!(emission.slot.key(), touching(1).key());
    assert_eq!(emission.verdict.probability, 0.2);
    assert!(emission.verdict.score > 0.9);
    assert!(matches!(
        emission.verdict.simulation,
        SimulationStatus::Done(_)
    ));
    assert!(rig.triage.suspects.all.is_empty());
}

#[test]
fn what_no_result_comes_of_is_overdue_after_its_deadline_and_no_sooner() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.9);
    rig.now_ms += 1_000;
    rig.judged(touching(2), 0.0);
    rig.submitted();
    rig.passes(2 * DEADLINE_MS + GRACE_MS - 1_000);
    assert!(rig.emitted().is_empty());
    rig.passes(1);
    let overdue = rig.emitted().remove(0);
    let SimulationStatus::Failed(failure) = overdue.verdict.simulation else {
        panic!("it failed");
    };
    assert_eq!(failure.kind, FailureKind::Deadline);
    assert_eq!(overdue.slot.key(), touching(1).key());
    assert!(rig.suspicion(&touching(2)).runs());
}

#[test]
fn what_the_recording_has_no_simulation_of_waits_for_the_deadline_or_the_end() {
    let mut rig = Rig::replay();
    for n in [1, 2] {
        rig.judged(touching(n), 0.9);
    }
    rig.passes(DEADLINE_MS + GRACE_MS);
    assert!(rig.emitted().is_empty());
    rig.handle(Occurrence::End);
    let emitted = rig.emitted();
    assert_eq!(emitted.len(), 2, "at the end all of them");
    let SimulationStatus::Failed(failure) = &emitted[0].verdict.simulation else {
        panic!("it failed");
    };
    assert_eq!(failure.kind, FailureKind::NotCaptured);
    assert_eq!(failure.reason, "not in the capture");
}

#[test]
fn who_waits_for_a_recording_is_bounded() {
    let mut rig = Rig::replay();
    for n in 0..RUNNING as u64 + 10 {
        rig.judged(numbered(n, Address::ZERO), 0.9);
    }
    assert_eq!(rig.emitted().len(), 10);
    assert_eq!(rig.triage.suspects.running(), RUNNING);
}

#[test]
fn what_was_harmless_is_looked_at_again_until_it_is_mined_in_bounded_numbers() {
    let mut rig = Rig::live();
    let sender = |n: u64| Address::left_padding_from(&n.to_be_bytes());
    for n in 0..MOST as u64 + 5 {
        rig.kept(numbered(n, sender(n)));
    }
    assert_eq!(rig.triage.suspects.all.len(), MOST);
    let used: Vec<_> = (5..15).map(|n| mined(sender(n), 1)).collect();
    rig.handle(Occurrence::Mined(0, &used));
    assert!(rig.submitted().is_empty(), "the state is the same");
    rig.handle(Occurrence::State);
    let mut looks = Vec::new();
    while let [key] = rig.submitted_keys()[..] {
        let next = &rig.triage.suspects.all[&key].slot;
        let next = copy(next);
        looks.push(key.0);
        rig.verdict(&next, harmless());
    }
    let expected = (15..).take(AGAIN).map(|n| B256::from(U256::from(n)));
    assert_eq!(looks, expected.collect::<Vec<_>>(), "one at a time");
    assert_eq!(rig.triage.suspects.all.len(), MOST - 10);
}

#[test]
fn a_look_that_is_refused_makes_room_for_the_next() {
    let mut rig = Rig::live();
    rig.kept(touching(1));
    rig.kept(touching(2));
    rig.handle(Occurrence::State);
    assert_eq!(rig.submitted_keys(), [touching(1).key()]);
    rig.fails(&touching(1), FailureKind::Queue);
    assert_eq!(rig.submitted_keys(), [touching(2).key()]);
}

#[test]
fn in_a_replay_what_the_recording_looked_at_again_is_looked_at_again() {
    let mut rig = Rig::replay();
    let hash = B256::repeat_byte(1);
    rig.judged(touching(1), 0.0);
    rig.submitted();
    rig.handle(Occurrence::Recorded(hash));
    assert!(rig.submitted().is_empty(), "it runs");
    assert!(rig.triage.awaits_record(&hash).is_some());
    rig.verdict(&touching(1), harmless());
    assert!(rig.triage.awaits_record(&hash).is_none());
    rig.handle(Occurrence::Recorded(hash));
    assert_eq!(rig.submitted_keys(), [touching(1).key()]);
    assert!(rig.triage.awaits_record(&hash).is_some());
}

#[test]
fn what_had_no_verdict_is_tried_again_soon_and_then_with_each_state() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.0);
    rig.submitted();
    for _ in 0..RETRIES {
        rig.fails(&touching(1), FailureKind::Queue);
        rig.passes(PAUSE_MS - 1);
        assert!(rig.submitted().is_empty());
        rig.passes(1);
        assert_eq!(rig.submitted_keys(), [touching(1).key()]);
    }
    assert_eq!(rig.stats().simulated_again.get(), u64::from(RETRIES));
    rig.fails(&touching(1), FailureKind::Queue);
    rig.passes(10 * PAUSE_MS);
    assert!(rig.submitted().is_empty());
    rig.handle(Occurrence::State);
    assert_eq!(rig.submitted_keys(), [touching(1).key()]);
}

#[test]
fn whose_alert_had_no_verdict_is_tried_again_and_told_once_more_when_it_proves_to_be_an_attack() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.9);
    rig.fails(&touching(1), FailureKind::Deadline);
    let first = rig.emitted();
    assert_eq!(first.len(), 1);
    assert!(
        first[0].said == Said::Nothing
            && matches!(first[0].verdict.simulation, SimulationStatus::Failed(_))
    );
    rig.submitted();
    rig.passes(PAUSE_MS);
    assert_eq!(rig.submitted_keys(), [touching(1).key()]);
    rig.fails(&touching(1), FailureKind::Deadline);
    assert!(rig.emitted().is_empty(), "people know that already");
    rig.passes(PAUSE_MS);
    rig.verdict(&touching(1), attack());
    let second = rig.emitted();
    assert_eq!(second.len(), 1);
    assert!(
        second[0].said == Said::NoVerdict
            && matches!(second[0].verdict.simulation, SimulationStatus::Done(_))
    );
    assert!(rig.triage.suspects.all.is_empty());
}

#[test]
fn whose_alert_had_no_verdict_is_told_no_more_where_it_is_harmless_or_too_large() {
    for kind in [FailureKind::Deadline, FailureKind::Budget] {
        let mut rig = Rig::live();
        rig.judged(touching(1), 0.9);
        rig.fails(&touching(1), kind);
        assert_eq!(rig.emitted().len(), 1);
        rig.submitted();
        rig.passes(PAUSE_MS);
        let again = rig.submitted().len();
        assert_eq!(again, usize::from(kind == FailureKind::Deadline));
        rig.verdict(&touching(1), harmless());
        assert!(rig.emitted().is_empty());
        assert_eq!(rig.stats().exonerated.get(), 0);
    }
}

#[test]
fn what_was_put_off_is_forgotten_once_its_nonce_is_used() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.0);
    rig.fails(&touching(1), FailureKind::Queue);
    rig.submitted();
    rig.handle(Occurrence::Mined(0, &[mined(SENDER, 1)]));
    rig.passes(PAUSE_MS);
    assert!(rig.submitted().is_empty() && rig.triage.suspects.all.is_empty());
}

#[test]
fn in_a_replay_what_had_no_verdict_waits_for_the_next_try_that_was_recorded() {
    let mut rig = Rig::replay();
    let hash = B256::repeat_byte(1);
    rig.judged(touching(1), 0.0);
    rig.fails(&touching(1), FailureKind::Deadline);
    assert!(rig.triage.awaits_record(&hash).is_some(), "waits again");
    rig.handle(Occurrence::End);
    assert!(rig.triage.awaits_record(&hash).is_none());
    rig.submitted();
    rig.handle(Occurrence::Recorded(hash));
    assert_eq!(rig.submitted().len(), 1, "for what comes later");
}

#[test]
fn whose_nonce_is_used_while_it_runs_is_not_looked_at_again() {
    for nonce in [1, 7] {
        let mut rig = Rig::live();
        rig.judged(touching(1), 0.0);
        rig.handle(Occurrence::Mined(0, &[mined(SENDER, nonce)]));
        rig.verdict(&touching(1), harmless());
        rig.submitted();
        rig.handle(Occurrence::State);
        assert!(rig.submitted().is_empty(), "{nonce}");
    }
    let mut rig = Rig::live();
    rig.kept(touching(2));
    rig.handle(Occurrence::Mined(
        0,
        &[mined(SENDER, 1), mined(Address::ZERO, 9)],
    ));
    rig.handle(Occurrence::State);
    assert_eq!(rig.submitted().len(), 1, "its turn is to come");
}

#[test]
fn what_runs_while_its_callees_creation_is_announced_runs_again_with_it() {
    let mut rig = Rig::live();
    let call = || call_of(2, SENDER.create(1));
    rig.judged(call(), 0.5);
    rig.judged(creation(1, vec![0]), 0.0);
    assert_eq!(rig.judged(call(), 0.1), Course::Held);
    let suspicion = rig.suspicion(&call());
    assert_eq!(
        (&suspicion.slot.contacts[..], suspicion.score),
        (&[0][..], 0.5)
    );
    rig.submitted();
    // Harmless without the creation is not how it will be.
    rig.verdict(&call(), harmless());
    rig.passes(PAUSE_MS);
    let again = rig.submitted().remove(0);
    assert_eq!((again.key(), again.before.len()), (call().key(), 1));
    assert!(!rig.suspicion(&call()).alone);
}

#[test]
fn one_look_a_state_is_enough_and_none_too_many_where_it_changed_meanwhile() {
    let mut rig = Rig::live();
    rig.kept(touching(1));
    // On its way, and on the state before.
    rig.judged(touching(2), 0.0);
    rig.submitted();
    rig.handle(Occurrence::State);
    assert_eq!(rig.submitted_keys(), [touching(1).key()]);
    rig.verdict(&touching(1), harmless());
    assert!(rig.submitted().is_empty(), "the state is the same");
    rig.verdict(&touching(2), harmless());
    assert_eq!(rig.submitted_keys(), [touching(2).key()], "its turn");
    rig.verdict(&touching(2), harmless());
    assert!(rig.submitted().is_empty(), "the state is the same");
}

#[test]
fn a_simulation_tells_whom_it_touches_and_alone_it_proves_nothing() {
    let found = || Simulation {
        touched: vec!["Vault".into()],
        ..harmless()
    };
    let mut rig = Rig::live();
    rig.judged(slot(1), 0.4);
    rig.verdict(&slot(1), found());
    assert_eq!(rig.suspicion(&slot(1)).slot.contacts, [0]);
    assert!(matches!(
        rig.suspicion(&slot(1)).phase,
        Phase::Harmless { .. }
    ));

    rig.judged(creation(2, vec![0]), 0.0);
    rig.judged(touching(3), 0.4);
    rig.fails(&touching(3), FailureKind::Deadline);
    rig.passes(PAUSE_MS);
    assert!(rig.suspicion(&touching(3)).alone);
    rig.verdict(&touching(3), found());
    let suspicion = rig.suspicion(&touching(3));
    assert!(
        matches!(suspicion.phase, Phase::PutOff { .. }),
        "{suspicion:?}"
    );
}

#[test]
fn one_sender_does_not_push_out_the_others() {
    let mut rig = Rig::live();
    let mut other = touching(1);
    other.tx.from = Address::ZERO;
    rig.kept(copy(&other));
    for n in 2..MOST as u64 {
        rig.kept(numbered(n, SENDER));
    }
    assert_eq!(rig.triage.suspects.all.len(), 1 + PER_SENDER);
    assert!(rig.triage.suspects.all.contains_key(&other.key()));
}

#[test]
fn what_was_executed_in_vain_is_executed_alone_the_next_time() {
    let mut rig = Rig::live();
    rig.judged(creation(1, vec![0]), 0.0);
    rig.judged(touching(2), 0.0);
    let again = |rig: &mut Rig| {
        rig.submitted();
        rig.passes(PAUSE_MS);
        let all = rig.submitted();
        let again = all.iter().find(|one| one.key() == touching(2).key());
        again.expect("its next try").before.len()
    };
    assert_eq!(rig.submitted()[1].before.len(), 1);
    rig.fails(&touching(2), FailureKind::Queue);
    assert_eq!(again(&mut rig), 1, "it had no room, and was not executed");
    rig.fails(&touching(2), FailureKind::Deadline);
    assert_eq!(again(&mut rig), 0, "alone");
    // Harmless alone is not how it will be.
    rig.verdict(&touching(2), harmless());
    assert_eq!(again(&mut rig), 1);
    rig.verdict(&touching(2), harmless());
    let kept = rig.suspicion(&touching(2));
    assert!(!kept.alone && matches!(kept.phase, Phase::Harmless { .. }));
}

#[test]
fn what_nothing_comes_before_is_never_alone() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.0);
    rig.fails(&touching(1), FailureKind::Deadline);
    assert!(rig.suspicion(&touching(1)).alone);
    rig.passes(PAUSE_MS);
    assert!(!rig.suspicion(&touching(1)).alone);
}

#[test]
fn a_call_of_what_a_simulated_transaction_created_has_its_contacts() {
    let created = Address::repeat_byte(0xcc);
    let creates = || Simulation {
        created: vec![created],
        ..harmless()
    };
    let mut rig = Rig::live();
    for (n, news) in [(1, vec![created]), (2, vec![])] {
        rig.judged(touching(n), 0.0);
        rig.verdict(&touching(n), creates());
        assert_eq!(rig.callers_of(), news, "{n}");
    }
    let mut other = slot(3);
    other.contacts = vec![3];
    let like = copy(&other);
    rig.judged(other, 0.0);
    rig.verdict(&like, creates());
    assert_eq!(rig.callers_of(), [created], "of whom was not known");
    rig.submitted();
    assert_eq!(rig.judged(call_of(4, created), 0.0), Course::Held);
    assert_eq!(rig.suspicion(&slot(4)).slot.contacts, [0, 3]);
}

#[test]
fn a_rule_of_full_weight_asks_for_no_proof() {
    let mut rig = Rig::live();
    let mut certain = touching(1);
    certain.signature_score = 1.0;
    rig.judged(certain, 1.0);
    rig.verdict(&touching(1), harmless());
    assert_eq!(rig.emitted()[0].verdict.score, 1.0);
}

#[test]
fn a_detection_of_the_first_stage_that_proves_harmless_is_exonerated_once() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.9);
    rig.verdict(&touching(1), harmless());
    rig.handle(Occurrence::State);
    rig.verdict(&touching(1), harmless());
    assert_eq!(rig.stats().exonerated.get(), 1);
    assert!(rig.emitted().is_empty());
}

fn nonces(suspect: &Suspect) -> Vec<u64> {
    suspect.before.iter().map(|one| one.tx.nonce).collect()
}

fn bidding(n: u8, max_fee: u128, tip: u128) -> Slot {
    let mut slot = slot(n);
    (slot.tx.max_fee_per_gas, slot.tx.max_priority_fee_per_gas) = (max_fee, tip);
    slot
}

#[test]
fn what_nobody_suspects_fills_the_gap_before_a_suspect() {
    let mut rig = Rig::live();
    for n in [1, 2, 4, 5] {
        assert_eq!(rig.judged(slot(n), 0.0), Course::Passed);
    }
    rig.judged(touching(6), 0.0);
    assert_eq!(
        nonces(&rig.submitted()[0]),
        [4, 5],
        "up to what nobody knows"
    );
    // A block has them.
    rig.handle(Occurrence::Mined(0, &[mined(SENDER, 4)]));
    rig.judged(touching(7), 0.0);
    assert_eq!(nonces(&rig.submitted()[0]), [5, 6]);
}

#[test]
fn a_gap_is_filled_before_the_creation_of_its_callee_too() {
    let mut rig = Rig::live();
    rig.judged(slot(1), 0.0);
    rig.judged(creation(2, vec![0]), 0.0);
    rig.submitted();
    let mut call = call_of(9, SENDER.create(2));
    call.tx.from = Address::ZERO;
    rig.judged(call, 0.0);
    assert_eq!(nonces(&rig.submitted()[0]), [1, 2]);
}

#[test]
fn of_those_of_one_nonce_the_one_that_pools_hold_comes_first() {
    let mut rig = Rig::live();
    let mut first = creation(1, vec![0]);
    (first.tx.max_fee_per_gas, first.tx.max_priority_fee_per_gas) = (100, 10);
    rig.judged(first, 0.0);
    let with_hash = |n: u8, mut slot: Slot| {
        slot.tx.hash = B256::repeat_byte(n);
        slot
    };
    let counts = |rig: &mut Rig, n: u8| {
        rig.judged(with_hash(n, touching(9)), 0.0);
        let all = rig.submitted();
        let before = &all.last().expect("passed on").before;
        before.iter().find(|one| one.tx.nonce == 1).unwrap().tx.hash[0]
    };
    // No pool replaces it by this.
    rig.judged(with_hash(51, bidding(1, 100, 9)), 0.0);
    assert_eq!(counts(&mut rig, 90), 1);
    rig.judged(with_hash(52, bidding(1, 110, 11)), 0.0);
    assert_eq!(counts(&mut rig, 91), 52);
    rig.judged(with_hash(53, bidding(1, 110, 11)), 0.0);
    assert_eq!(counts(&mut rig, 92), 53, "of equal ones the newest");
}

#[test]
fn an_attack_that_no_block_can_have_is_asked_anew_with_each_state_and_told_once_more() {
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.0);
    rig.submitted();
    rig.verdict(&touching(1), attack_that(Some("fee cap")));
    assert!(rig.emitted()[0].said == Said::Nothing);
    assert_eq!(rig.judged(touching(1), 0.9), Course::Held, "it is out");
    assert!(rig.submitted().is_empty(), "the state is the same");
    type Ends = fn(&mut Rig);
    let rounds: [(Ends, usize); 6] = [
        (
            |rig| rig.verdict(&touching(1), attack_that(Some("fee cap"))),
            0,
        ),
        (|rig| rig.fails(&touching(1), FailureKind::Budget), 0),
        (|rig| rig.verdict(&touching(1), harmless()), 0),
        (|rig| rig.verdict(&touching(1), attack()), 0),
        (|rig| rig.verdict(&touching(1), attack_that(None)), 1),
        (|_| {}, 0),
    ];
    for (round, (ends, told)) in rounds.into_iter().enumerate() {
        rig.handle(Occurrence::State);
        let asked = usize::from(round < 5);
        assert_eq!(rig.submitted().len(), asked, "{round}");
        ends(&mut rig);
        let emitted = rig.emitted();
        assert_eq!(emitted.len(), told, "{round}");
        assert!(emitted.iter().all(|emission| emission.said == Said::Attack));
    }
    assert!(rig.triage.suspects.all.is_empty());
}

#[test]
fn an_obstructed_attack_waits_for_no_look_at_what_is_harmless() {
    let mut rig = Rig::live();
    rig.kept(touching(1));
    rig.judged(touching(2), 0.0);
    rig.verdict(&touching(2), attack_that(Some("fee cap")));
    rig.submitted();
    rig.handle(Occurrence::State);
    assert_eq!(rig.submitted_keys(), [touching(2).key(), touching(1).key()]);
}

#[test]
fn what_fills_the_gap_has_an_attack_asked_anew_at_once() {
    let mut rig = Rig::live();
    rig.judged(touching(5), 0.0);
    rig.submitted();
    rig.verdict(&touching(5), attack_that(Some("nonce gap")));
    let mut foreign = slot(3);
    foreign.tx.from = Address::ZERO;
    rig.judged(foreign, 0.0);
    rig.judged(slot(6), 0.0);
    assert!(rig.submitted().is_empty(), "of no use to it");
    rig.judged(slot(4), 0.0);
    assert_eq!(nonces(&rig.submitted()[0]), [4]);
    // What arrives while it runs, too.
    rig.judged(slot(3), 0.0);
    rig.verdict(&touching(5), attack_that(Some("nonce gap")));
    assert_eq!(nonces(&rig.submitted()[0]), [3, 4]);
    rig.verdict(&touching(5), attack_that(None));
    assert_eq!(rig.emitted().len(), 2);
    rig.judged(slot(2), 0.0);
    assert!(rig.submitted().is_empty(), "nothing is in its way any more");
}

#[test]
fn an_obstructed_attack_is_forgotten_once_it_is_mined_or_replaced() {
    for replaced in [false, true] {
        let mut rig = Rig::live();
        rig.judged(touching(1), 0.0);
        rig.submitted();
        rig.verdict(&touching(1), attack_that(Some("fee cap")));
        let mut other = bidding(1, 5, 5);
        other.tx.hash = B256::repeat_byte(77);
        match replaced {
            true => _ = rig.judged(other, 0.0),
            false => rig.handle(Occurrence::Mined(0, &[mined(SENDER, 1)])),
        }
        rig.handle(Occurrence::State);
        assert!(rig.submitted().is_empty() && rig.triage.suspects.all.is_empty());
    }
    // Replaced while it runs.
    let mut rig = Rig::live();
    rig.judged(touching(1), 0.0);
    rig.verdict(&touching(1), attack_that(Some("fee cap")));
    rig.handle(Occurrence::State);
    let mut other = bidding(1, 5, 5);
    other.tx.hash = B256::repeat_byte(77);
    rig.judged(other, 0.0);
    rig.emitted();
    rig.verdict(&touching(1), attack_that(None));
    assert!(rig.emitted().is_empty() && rig.triage.suspects.all.is_empty());
}

#[test]
fn a_clock_that_is_set_forward_fails_no_simulation() {
    use crate::pipeline::clock::Clock;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
    static WALL_MS: AtomicU64 = AtomicU64::new(1_800_000_000_000);
    fn wall() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(WALL_MS.load(SeqCst))
    }
    let clock = Clock::Live {
        since: Instant::now(),
        wall,
    };
    let mut rig = Rig::live();
    rig.now_ms = clock.elapsed_ms();
    rig.judged(touching(1), 0.9);
    let before = clock.unix_ms();
    WALL_MS.fetch_add(2 * (DEADLINE_MS + GRACE_MS), SeqCst);
    assert_eq!(clock.unix_ms() - before, 2 * (DEADLINE_MS + GRACE_MS));
    rig.now_ms = clock.elapsed_ms();
    rig.handle(Occurrence::Time);
    assert!(rig.suspicion(&touching(1)).runs());
}

//! Whatever happens in whatever order: nobody is lost, nobody is judged twice, memory is bounded.

use super::*;
use crate::pipeline::triage::parked::Parked;
use proptest::prelude::*;
use std::collections::HashSet;

/// What may happen next; numbers choose among those there are.
#[derive(Debug, Clone)]
enum Step {
    Judged {
        n: u8,
        contact: bool,
        score: f32,
        creates: bool,
        again: bool,
    },
    Verdict {
        which: usize,
        harm: f32,
        decides: bool,
        creates: bool,
        obstacle: Option<bool>,
    },
    Failed {
        which: usize,
        kind: usize,
    },
    /// A result that nobody waits for any more.
    Late {
        n: u8,
    },
    State,
    Mined {
        sender: u8,
        nonce: u8,
    },
    Passes {
        ms: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..40_u8, any::<bool>(), 0.0..1.0_f32, any::<bool>(), any::<bool>()).prop_map(
            |(n, contact, score, creates, again)| Step::Judged { n, contact, score, creates, again }
        ),
        4 => (any::<usize>(), prop_oneof![Just(0.0_f32), 0.0..1.0_f32], any::<bool>(), any::<bool>(), any::<Option<bool>>()).prop_map(
            |(which, harm, decides, creates, obstacle)| Step::Verdict { which, harm, decides, creates, obstacle }
        ),
        4 => (any::<usize>(), 0..FailureKind::ALL.len())
            .prop_map(|(which, kind)| Step::Failed { which, kind }),
        1 => (0..40_u8).prop_map(|n| Step::Late { n }),
        2 => Just(Step::State),
        1 => (0..4_u8, 0..10_u8).prop_map(|(sender, nonce)| Step::Mined { sender, nonce }),
        3 => (0..3_000_u64).prop_map(|ms| Step::Passes { ms }),
    ];
    proptest::collection::vec(step, 0..120)
}

fn transaction(n: u8, contact: bool, creates: bool, again: bool) -> Slot {
    let mut slot = slot(n);
    slot.tx.from = Address::repeat_byte(n % 4);
    slot.tx.nonce = u64::from(n / 4);
    slot.contacts = if contact { vec![0] } else { vec![] };
    slot.tx.to = slot.tx.to.filter(|_| !creates);
    slot.again = again;
    slot
}

/// Who it may turn out to be.
fn identity(which: usize) -> Identity {
    let authenticity = match which % 3 {
        0 => Authenticity::Proven,
        1 => Authenticity::Unproven,
        _ => Authenticity::Contradicted,
    };
    let signer = which.is_multiple_of(6).then(|| Address::repeat_byte(9));
    Identity {
        authenticity,
        signer,
    }
}

/// What the outside knows: who runs, by the actions alone.
#[derive(Default)]
struct Outside {
    running: Vec<Key>,
    emitted: HashSet<Key>,
    /// Whose last alert said that no block could have it, or that there was no verdict.
    obstructed: HashSet<Key>,
    unproved: HashSet<Key>,
}

impl Outside {
    fn take_in(&mut self, rig: &mut Rig) -> Result<(), TestCaseError> {
        for action in std::mem::take(&mut rig.out) {
            match action {
                Action::Submit(suspect) => {
                    let key = suspect.key();
                    let before = suspect.before.iter();
                    let mut own = before.filter(|one| one.tx.from == suspect.tx.from);
                    prop_assert!(own.all(|one| one.tx.nonce < suspect.tx.nonce));
                    prop_assert!(!self.running.contains(&key), "it runs already");
                    self.running.push(key);
                }
                Action::Emit(emission) => {
                    let key = emission.slot.key();
                    self.running.retain(|other| *other != key);
                    prop_assert!((0.0..=1.0).contains(&emission.verdict.score));
                    let obstructed = is_obstructed(&emission);
                    let failed = matches!(emission.verdict.simulation, SimulationStatus::Failed(_));
                    match emission.said {
                        Said::Nothing if failed => _ = self.unproved.insert(key),
                        Said::Nothing => {}
                        Said::NoVerdict => {
                            prop_assert!(self.unproved.remove(&key), "of what had none");
                            prop_assert!(!failed, "once there is a verdict");
                        }
                        Said::Attack => {
                            prop_assert!(self.obstructed.remove(&key), "of what was obstructed");
                            prop_assert_eq!(obstructed, Some(false), "once nothing is in its way");
                        }
                    }
                    if obstructed == Some(true) {
                        self.obstructed.insert(key);
                    }
                    self.emitted.insert(key);
                }
                Action::JudgeCallers(_) | Action::AskAgain(_) => {}
            }
        }
        Ok(())
    }

    fn ends(&mut self, which: usize) -> Option<Key> {
        let count = self.running.len();
        (count > 0).then(|| self.running.remove(which % count))
    }
}

fn check(rig: &Rig, outside: &Outside) -> Result<(), TestCaseError> {
    let triage = &rig.triage;
    let parked: Vec<_> = triage
        .suspects
        .harmless
        .keys()
        .chain(triage.suspects.obstructed.keys())
        .chain(triage.suspects.put_off.keys())
        .collect();
    let unique: HashSet<_> = parked.iter().collect();
    prop_assert_eq!(unique.len(), parked.len(), "in one queue, once");
    for (key, suspicion) in &triage.suspects.all {
        let runs = suspicion.runs();
        prop_assert_eq!(
            runs,
            outside.running.contains(key),
            "runs inside and outside"
        );
        prop_assert_eq!(
            !runs,
            parked.contains(&key),
            "what does not run waits for its turn"
        );
        let queue = match suspicion.phase {
            Phase::PutOff { .. } => &triage.suspects.put_off,
            Phase::Harmless { .. } => &triage.suspects.harmless,
            Phase::Obstructed { .. } => &triage.suspects.obstructed,
            Phase::Running { .. } => continue,
        };
        prop_assert!(
            queue.keys().any(|other| other == key),
            "in the queue of its phase"
        );
        let put_off = matches!(suspicion.phase, Phase::PutOff { .. });
        let obstructed = matches!(suspicion.phase, Phase::Obstructed { .. });
        prop_assert_eq!(suspicion.said == Said::Attack, obstructed);
        prop_assert!(!suspicion.mined && (!put_off || suspicion.retries <= RETRIES));
    }
    prop_assert!(
        parked
            .iter()
            .all(|key| triage.suspects.all.contains_key(*key))
    );
    prop_assert!(
        outside
            .running
            .iter()
            .all(|key| triage.suspects.all.contains_key(key))
    );
    prop_assert!(
        triage
            .looked_at
            .is_none_or(|key| outside.running.contains(&key))
    );
    prop_assert!(triage.looks <= AGAIN);
    Ok(())
}

fn play(policy: Policy, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut rig = Rig::of(policy);
    let mut outside = Outside::default();
    for step in steps {
        match step.clone() {
            Step::Judged {
                n,
                contact,
                score,
                creates,
                again,
            } => {
                let slot = transaction(n, contact, creates, again);
                let key = slot.key();
                let course = rig.judged(slot, score);
                let known = rig.triage.suspects.all.contains_key(&key);
                let held = known || rig.triage.concluded.get(&key).is_some();
                prop_assert!(course == Course::Passed || held || rig.triage.policy.replay);
            }
            Step::Verdict {
                which,
                harm,
                decides,
                creates,
                obstacle,
            } => {
                if let Some(key) = outside.ends(which) {
                    let simulation = Simulation {
                        harm,
                        watched: decides,
                        response: obstacle.map(|stands| answered(stands.then_some("stands"))),
                        created: if creates {
                            vec![Address::repeat_byte(7)]
                        } else {
                            vec![]
                        },
                        ..harmless()
                    };
                    rig.handle(Occurrence::Ended {
                        key,
                        identity: identity(which),
                        result: Ok(Box::new(simulation)),
                        took_us: 1.0,
                    });
                }
            }
            Step::Failed { which, kind } => {
                if let Some(key) = outside.ends(which) {
                    let failure = Failure::new(FailureKind::ALL[kind], "says why");
                    let identity = identity(which);
                    rig.handle(Occurrence::Ended {
                        key,
                        identity,
                        result: Err(failure),
                        took_us: 1.0,
                    });
                }
            }
            Step::Late { n } => {
                let key = slot(n).key();
                if !outside.running.contains(&key) {
                    let failure = Failure::new(FailureKind::Budget, "late");
                    let identity = Identity::default();
                    rig.handle(Occurrence::Ended {
                        key,
                        identity,
                        result: Err(failure),
                        took_us: 1.0,
                    });
                }
            }
            Step::State => rig.handle(Occurrence::State),
            Step::Mined { sender, nonce } => {
                rig.handle(Occurrence::Mined(
                    0,
                    &[mined(Address::repeat_byte(sender), nonce.into())],
                ));
            }
            Step::Passes { ms } => {
                rig.now_ms += ms;
                let (now_ms, suspects) = (rig.now_ms, &rig.triage.suspects.all);
                // Whose result is overdue is failed by triage itself.
                outside.running.retain(|key| match suspects[key].phase {
                    Phase::Running { due_ms, .. } => due_ms >= now_ms,
                    _ => false,
                });
                rig.handle(Occurrence::Time);
            }
        }
        outside.take_in(&mut rig)?;
        check(&rig, &outside)?;
    }
    outside.running.clear();
    rig.handle(Occurrence::End);
    outside.take_in(&mut rig)?;
    prop_assert!(
        rig.triage.suspects.all.values().all(|one| !one.runs()),
        "nobody waits for ever"
    );
    Ok(())
}

proptest! {
    #[test]
    fn live_nobody_is_lost_or_runs_twice(steps in steps()) {
        play(policy(), &steps)?;
    }

    #[test]
    fn in_a_replay_neither(steps in steps()) {
        play(Policy { replay: true, ..policy() }, &steps)?;
    }

    /// A flood of one sender, or of many: what is parked is bounded in numbers and bytes.
    #[test]
    fn what_is_parked_is_bounded(
        senders in proptest::collection::vec((0..300_u16, 0..2_000_000_usize), 0..600),
    ) {
        let mut parked = Parked::default();
        for (n, (sender, bytes)) in (0_u64..).zip(senders) {
            let sender = Address::left_padding_from(&sender.to_be_bytes());
            parked.add((B256::ZERO, n), sender, bytes);
            prop_assert!(parked.keys().count() <= parked::MOST);
        }
        let mut keys: Vec<_> = parked.keys().copied().collect();
        let sorted = keys.is_sorted();
        prop_assert!(sorted, "oldest first");
        keys.drain(..).for_each(|key| parked.remove(&key));
        prop_assert_eq!(parked.keys().count(), 0);
    }
}

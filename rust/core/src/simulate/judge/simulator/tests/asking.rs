//! Would a pause help: on the demo's compiled contracts.

use super::*;
use crate::config::{Pause, PauseCheck};
use crate::evidence::{Grade, Response, TriedPause};
use crate::simulate::evm::backend::Look;
use crate::simulate::evm::execute::{Checks, Sandbox};
use crate::simulate::state::{RecordedAccount, Recording};
use std::cell::RefCell;

fn pause(from: Address, check: Option<&str>) -> Pause {
    let to = ADMIN.create(0);
    Pause {
        from,
        to,
        input: calls("pause()").into(),
        value: U256::ZERO,
        gas: None,
        check: check.map(|view| PauseCheck {
            to,
            input: calls(view).into(),
        }),
    }
}

fn asking(pause: Pause) -> Simulator {
    simulator_of(Some(pause))
}

/// What is there once these are mined.
fn mined(sequence: &[PendingTransaction]) -> RecordedState {
    let (mut state, environment) = (rich(), environment());
    let mut changes = Vec::new();
    {
        let mut sandbox = Sandbox::new(&state, &environment);
        for tx in sequence {
            let done = sandbox.execute(
                from_pending(tx, Extras::default()),
                Checks::Pending,
                bounds(),
            );
            assert_eq!(done.exit, Exit::Succeeded);
            changes.push(done.diff);
        }
    }
    for (address, account) in changes.into_iter().flat_map(|diff| diff.0) {
        let known: &mut RecordedAccount = state.accounts.entry(address).or_default();
        let slots = account.storage.into_iter();
        known
            .storage
            .extend(slots.map(|(slot, (_, after))| (slot, after)));
        let Some(mut info) = account.after else {
            continue;
        };
        if let Some(code) = info.code.take() {
            state.codes.insert(info.code_hash, code);
        }
        known.info = info;
    }
    state
}

fn bounds() -> Bounds {
    Bounds {
        deadline: soon(),
        frames: 1_000,
        bytes: 1 << 20,
        accesses: 1_000,
    }
}

fn on(
    state: &RecordedState,
    mut simulator: Simulator,
    sequence: &[PendingTransaction],
    stage_one: f32,
) -> Simulation {
    let extras = Extras::default();
    let step = |tx| Step {
        tx,
        extras: &extras,
    };
    let steps: Vec<_> = sequence.iter().map(step).collect();
    simulator
        .simulate(&Local(state), &environment(), &steps, stage_one, soon())
        .expect("comes to its end")
}

/// The attack on a vault that is there, and so is the attacker's contract.
fn attack(pause: Pause) -> Simulation {
    let mut story = story(false);
    let last = story.pop().unwrap();
    let last = PendingTransaction {
        max_fee_per_gas: 20,
        max_priority_fee_per_gas: 3,
        tx_type: 2,
        chain_id: Some(1),
        ..last
    };
    on(&mined(&story), asking(pause), &[last], 0.0)
}

fn answer(simulation: &Simulation) -> &Answer {
    match &simulation.response {
        Some(Response::Answered(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pause_by_the_guardian_takes_the_harm_and_the_race_has_its_figures() {
    let attack = attack(pause(ADMIN, Some("paused()")));
    let [victim] = &attack.victims[..] else {
        panic!("{:?}", attack.victims)
    };
    assert_eq!(
        (&*victim.contract, victim.beneficiary),
        ("Vault", Some(MALLORY))
    );
    let loss = victim.loss.expect("ether");
    assert_eq!(
        (loss.amount, loss.share),
        (U256::from(10 * ETHER), Some(1.0))
    );
    // Without a model nothing is exonerated; harm is proved all the same.
    assert!(!attack.decides());
    assert_eq!(attack.grade(), Grade::Proved);
    let answer = answer(&attack);
    assert_eq!(answer.targets, ["Vault".into()]);
    assert!(
        answer.pause_succeeds && !answer.already_paused,
        "{answer:?}"
    );
    assert_eq!(answer.harm_left, 0.0);
    // 21,000, a slot that is in use for the guardian's address, a log.
    assert!((26_000..30_000).contains(&answer.pause_gas), "{answer:?}");
    assert_eq!(
        (answer.base_fee, answer.attack.tip, answer.attack.max_fee),
        (8, 3, 20)
    );
    assert_eq!(answer.attack.gas, attack.gas_used);
    assert_eq!(answer.attack.payment, U256::from(3 * attack.gas_used));
    assert_eq!(answer.obstacle, None);
    // The attacker's contract answers its creator alone.
    assert!(!answer.copyable);
}

#[test]
fn an_attack_whose_contract_is_still_to_be_created_can_be_copied() {
    let story = story(false);
    let whole = on(&rich(), asking(pause(ADMIN, None)), &story, 0.0);
    assert!(answer(&whole).copyable);
    assert!(answer(&whole).pause_succeeds);
    let obstacle = answer(&whole).obstacle.as_deref();
    assert_eq!(obstacle, Some("fee cap 0 below the next base fee 8"));
}

#[test]
fn who_may_not_pause_leaves_all_harm() {
    let attack = attack(pause(ALICE, None));
    let answer = answer(&attack);
    assert!(!answer.pause_succeeds);
    assert_eq!(answer.harm_left, 1.0);
    assert_eq!(answer.targets, ["Vault".into()]);
}

#[test]
fn a_guardian_without_ether_is_asked_all_the_same() {
    // The vault's own creator guards it; somebody poor does as well.
    let poor = Address::repeat_byte(0x90);
    let mut story = story(false);
    let last = story.pop().unwrap();
    story[0] = sends(ADMIN, 0, None, 0, init_code("Vault", poor));
    let attack = on(&mined(&story), asking(pause(poor, None)), &[last], 0.0);
    assert!(answer(&attack).pause_succeeds);
}

#[test]
fn a_pause_counts_when_the_check_says_so() {
    // It has no such view.
    let without = attack(pause(ADMIN, Some("isPaused()")));
    assert!(!answer(&without).pause_succeeds);
    // This one is not zero, before and after.
    let always = attack(pause(ADMIN, Some("totalDeposits()")));
    let [
        TriedPause {
            already_paused,
            succeeds,
            ..
        },
    ] = answer(&always).pauses[..]
    else {
        panic!("{always:?}")
    };
    assert!(already_paused && succeeds && answer(&always).already_paused);
}

#[test]
fn what_is_called_may_be_paused_where_the_first_stage_is_sure_and_nobody_is_a_victim() {
    let story = story(false);
    let state = mined(&story[..1]);
    let deposit = &story[1..2];
    for (stage_one, asked) in [(0.9, true), (0.5, false)] {
        let done = on(&state, asking(pause(ADMIN, None)), deposit, stage_one);
        assert_eq!(done.response.is_some(), asked);
        assert!(done.victims.is_empty());
        if asked {
            // Paused, it takes no deposits.
            assert_eq!(answer(&done).harm_left, 0.0);
            assert!(!answer(&done).copyable);
        }
    }
}

#[test]
fn what_is_called_may_be_paused_where_the_victim_cannot() {
    // The same vault by another name, which is asked first and has no pause.
    let named = |name: &str, pause| MonitoredContract {
        name: name.into(),
        address: ADMIN.create(0),
        pause,
        ..MonitoredContract::default()
    };
    let helpless = named("Helpless", None);
    let mut silent = named("Silent", Some(pause(ADMIN, None)));
    let all = crate::simulate::judge::invariants::names();
    silent.invariants.disabled = all.map(str::to_owned).collect();
    let (limits, chain) = (SimulationConfig::default(), Arc::new(ChainSpec::of(1)));
    let contracts = [helpless, silent];
    let simulator = Simulator::new(&contracts, &limits, chain, None, Arc::default(), 0.7);
    let mut story = story(false);
    let last = story.pop().unwrap();
    let attack = on(&mined(&story), simulator.unwrap(), &[last], 0.0);
    assert_eq!(&*attack.victims[0].contract, "Helpless");
    assert_eq!(answer(&attack).targets, ["Silent".into()]);
    assert_eq!(answer(&attack).harm_left, 0.0);
}

#[test]
fn without_a_pause_nothing_is_asked() {
    let mut story = story(false);
    let last = story.pop().unwrap();
    let attack = on(&mined(&story), simulator(), &[last], 1.0);
    assert_eq!(attack.response, None);
    assert!(!attack.victims.is_empty());
}

#[test]
fn what_behaves_in_likely_surroundings_is_answered_in_those_where_it_does_not() {
    // COINBASE == …
    let condition = hex::decode("7395222290dd7278aa3ddd389cc1e1d165cc4bafe54114").unwrap();
    let mut story = story(false);
    story.truncate(2);
    story.push(sends(
        MALLORY,
        0,
        None,
        2 * ETHER,
        attacks_where(&condition),
    ));
    let trap = on(&rich(), asking(pause(ADMIN, None)), &story, 0.0);
    assert!(trap.violations.is_empty() && trap.harm == 0.0);
    assert_eq!(&*trap.victims[0].contract, "Vault");
    assert_eq!(trap.grade(), Grade::Likely);
    let answer = answer(&trap);
    assert!(
        answer.pause_succeeds && answer.harm_left == 0.0,
        "{answer:?}"
    );
    // Whoever creates it has the loot.
    assert!(answer.copyable);
}

#[test]
fn a_state_that_does_not_have_the_guardian_has_the_verdict_and_no_answer() {
    let mut story = story(false);
    let last = story.pop().unwrap();
    let recording = Recording::new(mined(&story));
    let step = Step {
        tx: &last,
        extras: &Extras::default(),
    };
    let (local, environment) = (Local(&recording), environment());
    let known = simulator().simulate(&local, &environment, &[step], 0.0, soon());
    let harm = known.expect("comes to its end").harm;
    let read = recording.into_read();
    assert!(read.strict && !read.accounts.contains_key(&ADMIN));
    let attack = on(&read, asking(pause(ADMIN, None)), &[last], 0.0);
    assert_eq!(attack.harm, harm);
    let Some(Response::Unasked(unasked)) = &attack.response else {
        panic!("{:?}", attack.response)
    };
    assert!(!unasked.missing);
}

/// Has no state in other surroundings than the likely ones; remembers what was executed where.
struct Deaf<'a> {
    local: Local<'a, RecordedState>,
    executed: RefCell<Vec<(bool, usize)>>,
}

impl Backend for Deaf<'_> {
    fn execute(
        &self,
        surroundings: &Environment,
        transactions: &[TxEnv],
        endowed: &[Address],
        bounds: Bounds,
        look: Look,
    ) -> std::result::Result<(), StateError> {
        let likely = surroundings.block == environment().block;
        self.executed
            .borrow_mut()
            .push((likely, transactions.len()));
        match likely {
            true => self
                .local
                .execute(surroundings, transactions, endowed, bounds, look),
            false => Err(StateError::Unknown),
        }
    }

    fn varies(&self) -> bool {
        true
    }

    fn endows(&self) -> bool {
        true
    }
}

#[test]
fn what_other_surroundings_cost_is_taken_neither_from_the_proof_nor_from_the_answer() {
    let state = mined(&story(false)[..2]);
    // COINBASE POP NUMBER POP PUSH1 1: it asks, and attacks whatever it hears.
    let condition = hex::decode("415043506001").unwrap();
    let input = attacks_where(&condition);
    let attack = sends(MALLORY, 0, None, 2 * ETHER, input);
    let deaf = Deaf {
        local: Local(&state),
        executed: RefCell::default(),
    };
    let step = Step {
        tx: &attack,
        extras: &Extras::default(),
    };
    let done = asking(pause(ADMIN, None)).simulate(&deaf, &environment(), &[step], 0.0, soon());
    let done = done.expect("what is known is told");
    assert!(done.variations.iter().all(|variation| !variation.finished));
    assert_eq!(done.variations.len(), 3);
    assert_eq!(done.grade(), Grade::Proved);
    assert_eq!(answer(&done).harm_left, 0.0);
    // Alone, after the pause; then the rest.
    let executed = deaf.executed.into_inner();
    assert_eq!(executed[..2], [(true, 1), (true, 2)]);
    assert!(executed[2..].iter().all(|(likely, _)| !likely));
}

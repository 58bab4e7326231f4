//! The question whether a pause would help, where its state is not at hand.

use super::*;
use crate::config::Pause;
use crate::evidence::{Response, Simulation, Unasked};

const GUARDIAN: Address = Address::repeat_byte(0x9a);
/// PUSH1 1 PUSH1 1 SSTORE STOP.
const PAUSER_CODE: &str = "0x600160015500";
const PAUSER: Address = Address::repeat_byte(0x9b);

/// It is paused through a contract that no suspect calls.
fn contract() -> MonitoredContract {
    MonitoredContract {
        name: "Contract".into(),
        address: CONTRACT,
        pause: Some(Pause {
            from: GUARDIAN,
            to: PAUSER,
            input: "0x8456cb59".parse().unwrap(),
            value: U256::ZERO,
            gas: None,
            check: None,
        }),
        ..MonitoredContract::default()
    }
}

/// The first stage is sure of it.
fn sure(nonce: u64) -> Suspect {
    Suspect {
        score: 1.0,
        ..suspect(nonce)
    }
}

fn node(request: &Request) -> Option<Reply> {
    match request.method.as_str() {
        "eth_getCode" if request.params[0] == json!(PAUSER.to_string()) => {
            Some(Reply::Result(json!(PAUSER_CODE)))
        }
        _ => state_of_the_contract(request),
    }
}

fn of(request: &Request, account: Address) -> bool {
    request.params[0] == json!(account.to_string())
}

impl Rig {
    fn ask(&self, nonce: u64) -> Box<SimulationResult> {
        assert_eq!(self.pool.offer(sure(nonce)), None);
        self.result()
    }
}

fn unasked(simulation: &Simulation) -> &str {
    match &simulation.response {
        Some(Response::Unasked(Unasked { why, .. })) => why,
        other => panic!("{other:?}"),
    }
}

/// Does it again from the record.
fn again(record: &RecordedSimulation) -> Simulation {
    let text = serde_json::to_string(record).unwrap();
    let record: RecordedSimulation = serde_json::from_str(&text).unwrap();
    let executed = record.executed.expect("was executed");
    let (environment, state) = (executed.environment().unwrap(), executed.state());
    let (suspect, extras) = (sure(1), executed.extras());
    let step = Step {
        tx: &suspect.tx,
        extras,
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    simulator_of(&[contract()], &SimulationConfig::default())
        .simulate(&Local(&state), &environment, &[step], 1.0, deadline)
        .expect("comes to its end")
}

#[test]
fn what_a_pause_reads_is_fetched_and_recorded_and_then_known() {
    let rig = rig_of(&[contract()], |_| {}, node);
    let done = rig.ask(1);
    let simulation = done.result.expect("comes to its end");
    let Some(Response::Answered(answer)) = &simulation.response else {
        panic!("{:?}", simulation.response)
    };
    // The pause changes nothing for the suspect, of which nothing is known to break.
    assert!(answer.pause_succeeds && answer.harm_left == 1.0);
    assert!(
        rig.node.requests("eth_getBalance") >= 2,
        "guardian and pauser"
    );
    let record = done.record.expect("asked for");
    assert_eq!(record.unasked, None);
    assert_eq!(again(&record).response, simulation.response);
    let asked = asked(&rig.node);
    assert!(matches!(
        rig.ask(2).result.expect("comes to its end").response,
        Some(Response::Answered(_))
    ));
    assert_eq!(super::asked(&rig.node), asked, "nothing was asked again");
}

#[test]
fn a_node_that_does_not_have_the_guardian_costs_the_answer_and_not_the_verdict() {
    let rig = rig_of(
        &[contract()],
        |_| {},
        |request| match of(request, GUARDIAN) {
            true => Some(Reply::Error(-32_000, "missing trie node")),
            false => node(request),
        },
    );
    let done = rig.ask(1);
    let simulation = done.result.expect("has its verdict");
    assert!(simulation.succeeded);
    let why = unasked(&simulation);
    let record = done.record.expect("asked for");
    assert_eq!(record.unasked.as_deref(), Some(why));
    // A replay says it in the same words.
    assert_eq!(unasked(&again(&record)), why);
}

#[test]
fn a_node_that_is_silent_about_the_guardian_costs_no_more_than_twice_the_deadline() {
    let rig = rig_of(
        &[contract()],
        |config| config.deadline_ms = 300,
        |request| match of(request, GUARDIAN) {
            true => Some(Reply::Nothing),
            false => node(request),
        },
    );
    let begun = Instant::now();
    let simulation = rig.ask(1).result.expect("has its verdict");
    assert!(simulation.succeeded);
    unasked(&simulation);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn the_question_has_time_of_its_own_after_the_verdict() {
    let first = std::sync::OnceLock::<Instant>::new();
    let rig = rig_of(
        &[contract()],
        |config| config.deadline_ms = 1_000,
        move |request| match of(request, GUARDIAN) {
            // Silent until about when the verdict is due.
            true if first.get_or_init(Instant::now).elapsed() < Duration::from_millis(900) => {
                Some(Reply::Nothing)
            }
            _ => node(request),
        },
    );
    let done = rig.ask(1);
    assert!(done.took_us >= 1_000_000.0, "{}", done.took_us);
    let simulation = done.result.expect("has its verdict");
    assert!(matches!(simulation.response, Some(Response::Answered(_))));
}

//! Whatever a trace says, the checks end with bounded findings.

use super::*;
use crate::config::{ContractViews, MonitoredContract};
use crate::evidence::trace::{CallKind, Frame, FrameLog, Trace};
use crate::simulate::evm::diff::{AccountDiff, StateDiff};
use crate::simulate::evm::execute::Execution;
use crate::simulate::evm::preimages::Preimages;
use crate::simulate::evm::tracer::Access;
use crate::simulate::evm::views::TracedViews;
use alloy_primitives::keccak256;
use proptest::prelude::*;

/// Few accounts, so that they meet.
fn account() -> impl Strategy<Value = Address> {
    (0..5_u8).prop_map(Address::repeat_byte)
}

/// Small and extreme.
fn amount() -> impl Strategy<Value = U256> {
    prop_oneof![
        (0..9_u64).prop_map(U256::from),
        Just(U256::MAX),
        Just(U256::ONE << 255),
    ]
}

fn calldata() -> impl Strategy<Value = Bytes> {
    let functions = [
        "transferFrom(address,address,uint256)",
        "transfer(address,uint256)",
        "deposit(uint256,address)",
        "execute(uint256)",
        "getReserves()",
        "balanceOf(address)",
        "onFlashLoan(address,address,uint256,uint256,bytes)",
    ];
    let selector = prop::sample::select(functions.to_vec()).prop_map(selector);
    let words = prop::collection::vec(account(), 0..4);
    (selector, words, 0..40_usize).prop_map(|(selector, words, cut)| {
        let mut input = selector.to_vec();
        words
            .iter()
            .for_each(|word| input.extend_from_slice(word.into_word().as_slice()));
        input.truncate(input.len().saturating_sub(cut / 4));
        input.into()
    })
}

fn frame() -> impl Strategy<Value = (Frame, prop::sample::Index)> {
    let kind = prop::sample::select(CallKind::ALL.to_vec());
    let parties = (account(), prop::option::of(account()), amount());
    let log = (account(), account(), account(), amount());
    let logs = prop::collection::vec(log, 0..3);
    let rest = (
        calldata(),
        any::<bool>(),
        logs,
        any::<prop::sample::Index>(),
    );
    (kind, parties, rest).prop_map(|(kind, (from, to, value), (input, fails, logs, parent))| {
        let transfer = keccak256("Transfer(address,address,uint256)");
        let logs = logs
            .into_iter()
            .map(|(address, from, to, amount)| FrameLog {
                address,
                topics: vec![transfer, from.into_word(), to.into_word()],
                data: amount.to_be_bytes_vec().into(),
                position: 0,
                index: 0,
            });
        let frame = Frame {
            kind,
            from,
            to,
            value: Some(value),
            output: input.slice(input.len().min(4)..),
            input,
            error: fails.then(|| "execution reverted".into()),
            logs: logs.collect(),
            ..Frame::default()
        };
        (frame, parent)
    })
}

/// Each frame inside of one that was open when it was entered.
fn trace(frames: Vec<(Frame, prop::sample::Index)>) -> Trace {
    let mut trace = Trace::default();
    let mut open: Vec<u32> = Vec::new();
    for (mut frame, parent) in frames {
        if !open.is_empty() {
            open.truncate(parent.index(open.len()) + 1);
        }
        frame.parent = open.last().copied().unwrap_or(0);
        frame.depth = open.len() as u16;
        open.push(trace.frames.len() as u32);
        trace.frames.push(frame);
    }
    trace
}

fn contract() -> Protected {
    let view = || Some("balanceOf()".to_owned());
    let contract = MonitoredContract {
        name: "C".into(),
        address: Address::repeat_byte(1),
        views: ContractViews {
            share_price: None,
            total_assets: view(),
            total_supply: view(),
            liabilities: view(),
        },
        ..MonitoredContract::default()
    };
    Protected::new(&contract).expect("a contract")
}

/// What compilers hash, and what they do not.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let word = || account().prop_map(|account| account.into_word().to_vec());
    prop_oneof![
        word(),
        (word(), word()).prop_map(|words| [words.0, words.1].concat()),
        prop::collection::vec(any::<u8>(), 0..130),
    ]
}

/// A variable, or at and behind the hash of a key.
fn place(number: usize, hashed: &[Vec<u8>]) -> U256 {
    match hashed.get(number / 2) {
        Some(key) if number > 2 => {
            U256::from_be_bytes(keccak256(key).0).wrapping_add(U256::from(number % 2))
        }
        _ => U256::from(number),
    }
}

fn preimages(inputs: &[Vec<u8>]) -> Preimages {
    let mut hashed = Preimages::default();
    for (number, input) in inputs.iter().enumerate() {
        hashed.push(Address::repeat_byte(number as u8 % 4), input);
    }
    hashed
}

proptest! {
    #[test]
    fn any_trace_ends_in_bounded_findings(
        frames in prop::collection::vec(frame(), 0..40),
        hashed in prop::collection::vec(key(), 0..20),
        accesses in prop::collection::vec((0..50_u32, account(), 0..9_usize, any::<bool>()), 0..40),
        slots in prop::collection::vec((account(), 0..9_usize, amount(), amount()), 0..10),
        sender in account(),
        watched in any::<bool>(),
    ) {
        let mut diff = StateDiff::default();
        for (address, slot, before, after) in slots {
            let empty = AccountDiff { before: Some(Default::default()), after: None, storage: Default::default() };
            let account = diff.0.entry(address).or_insert(empty);
            account.storage.insert(place(slot, &hashed), (before, after));
        }
        let accesses = accesses.into_iter().map(|(frame, contract, slot, writes)| Access {
            frame,
            contract,
            slot: place(slot, &hashed),
            writes: writes.then_some(U256::ONE),
        });
        let execution = Execution {
            exit: Exit::Succeeded,
            gas_used: 0,
            gas_spent: 0,
            output: Bytes::new(),
            trace: trace(frames),
            accesses: accesses.collect(),
            hashed: preimages(&hashed),
            has_calls: true,
            watched,
            surroundings: Default::default(),
            cut: false,
            early: false,
            diff,
            coinbase_payment: U256::MAX,
        };
        let contract = contract();
        let views = TracedViews::new(&execution.trace);
        let found = check_all(&Effects {
            execution: &execution,
            transfers: &execution.trace.transfers(),
            stands: &execution.trace.stands(),
            sender,
            contract: &contract,
            native: "ETH",
monitored: &[contract.address],
            views: &views,
            taken: &[],
            supposed: false,
        }, &[]).violations;
        let names: Vec<_> = names().collect();
        for violation in &found {
            prop_assert!(names.contains(&violation.invariant.as_ref()));
            prop_assert!((0.0..=1.0).contains(&violation.weight));
            prop_assert!(violation.explanation.chars().count() <= MAX_EXPLANATION);
        }
        prop_assert!((0.0..=1.0).contains(&judge(&found).probability));
    }
}

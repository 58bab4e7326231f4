use super::{FEATURES, NAMES, TraceFeatures, extract, log};
use crate::evidence::trace::call_tracer::to_json;
use crate::evidence::trace::{CallKind, Frame, FrameLog, Trace};
use alloy_primitives::{Address, Bytes, U256};
use proptest::prelude::*;
use std::time::{Duration, Instant};

const SENDER: Address = Address::repeat_byte(0x5e);
const LEAD: Address = Address::repeat_byte(0x1e);
const VAULT: Address = Address::repeat_byte(0xfa);
const TOKEN: Address = Address::repeat_byte(0x70);
const POOL: Address = Address::repeat_byte(0x90);

const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const TRANSFER_FROM: [u8; 4] = [0x23, 0xb8, 0x72, 0xdd];
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];
const SWAP: [u8; 4] = [0x02, 0x2c, 0x0d, 0x9f];
const GET_RESERVES: [u8; 4] = [0x09, 0x02, 0xf1, 0xac];
const WITHDRAW: [u8; 4] = [0x3c, 0xcf, 0xd6, 0x0b];
const UNKNOWN: [u8; 4] = [0xde, 0xad, 0xbe, 0xef];

/// A trace from (depth, kind, to, input); who calls follows from the depths.
struct Story(Trace);

impl Story {
    fn new(selector: [u8; 4]) -> Self {
        Self(Trace::default()).then(0, CallKind::Call, LEAD, selector, &[])
    }

    fn then(
        self,
        depth: u16,
        kind: CallKind,
        to: Address,
        selector: [u8; 4],
        words: &[U256],
    ) -> Self {
        self.answered(depth, kind, to, selector, words, &[])
    }

    fn answered(
        mut self,
        depth: u16,
        kind: CallKind,
        to: Address,
        selector: [u8; 4],
        words: &[U256],
        answer: &[u64],
    ) -> Self {
        let frames = &mut self.0.frames;
        let parent = frames.iter().rposition(|frame| frame.depth + 1 == depth);
        let from = parent.map_or(SENDER, |parent| frames[parent].to.unwrap());
        let words = words.iter().map(|word| word.to_be_bytes::<32>());
        let input = [selector.to_vec(), words.collect::<Vec<_>>().concat()].concat();
        let answer = answer
            .iter()
            .map(|word| U256::from(*word).to_be_bytes::<32>());
        frames.push(Frame {
            kind,
            depth,
            parent: parent.unwrap_or(0) as u32,
            from,
            to: Some(to),
            value: Some(U256::ZERO),
            input: input.into(),
            output: answer.collect::<Vec<_>>().concat().into(),
            ..Frame::default()
        });
        self
    }

    fn call(self, depth: u16, to: Address, selector: [u8; 4], words: &[U256]) -> Self {
        self.then(depth, CallKind::Call, to, selector, words)
    }

    fn view(self, depth: u16, to: Address, selector: [u8; 4], words: &[U256], answer: u64) -> Self {
        self.answered(depth, CallKind::StaticCall, to, selector, words, &[answer])
    }

    fn pays(mut self, wei: u64) -> Self {
        self.0.frames.last_mut().unwrap().value = Some(U256::from(wei));
        self
    }

    fn features(&self) -> TraceFeatures {
        extract(&self.0)
    }
}

fn word(address: Address) -> U256 {
    U256::from_be_bytes(address.into_word().0)
}

fn amount(n: u64) -> U256 {
    U256::from(n)
}

#[test]
fn a_contract_entered_while_it_waits_for_another_is_entered_again() {
    let f = Story::new(UNKNOWN)
        .call(1, VAULT, WITHDRAW, &[])
        .call(2, LEAD, UNKNOWN, &[])
        .call(3, VAULT, WITHDRAW, &[])
        .view(3, VAULT, GET_RESERVES, &[], 1)
        .features();
    assert_eq!((f.reentries, f.reentered), (log(1), 1.0));
    assert_eq!((f.callbacks, f.reads_while_open), (log(1), log(1)));
    // A contract's call of itself, and one after the other, are none.
    let f = Story::new(UNKNOWN)
        .call(1, VAULT, WITHDRAW, &[])
        .call(2, VAULT, UNKNOWN, &[])
        .call(1, VAULT, WITHDRAW, &[])
        .features();
    assert_eq!((f.reentries, f.callbacks), (0.0, 0.0));
    assert_eq!(f.self_calls, log(1));
}

#[test]
fn a_delegated_call_acts_in_its_callers_name() {
    let logic = Address::repeat_byte(0x10);
    let f = Story::new(UNKNOWN)
        .then(1, CallKind::DelegateCall, logic, UNKNOWN, &[])
        .call(2, TOKEN, APPROVE, &[word(VAULT), amount(1)])
        .features();
    assert_eq!(f.frames, log(2));
    assert!((f.delegate_share - 1.0 / 3.0).abs() < 1e-6);
    assert_eq!((f.lead_approvals, f.contracts), (log(1), log(2)));
}

#[test]
fn contracts_created_count_once_they_do_something() {
    let child = |n: u8| Address::repeat_byte(0xc0 + n);
    let f = Story::new(UNKNOWN)
        .then(1, CallKind::Create, child(0), UNKNOWN, &[])
        .then(1, CallKind::Create2, child(1), UNKNOWN, &[])
        .call(2, VAULT, WITHDRAW, &[])
        .call(1, child(2), UNKNOWN, &[])
        .features();
    assert_eq!((f.created, f.created_leading), (log(1), log(1)));
    // The idle one is as if it were not there.
    assert_eq!((f.frames, f.lead_calls), (log(4), log(3)));
    let f = Story::new(UNKNOWN)
        .then(1, CallKind::Create, child(0), UNKNOWN, &[])
        .call(1, child(0), UNKNOWN, &[])
        .then(2, CallKind::SelfDestruct, SENDER, [0; 4], &[])
        .features();
    assert_eq!((f.calls_to_created, f.destroyed), (log(1), log(1)));
}

#[test]
fn what_is_done_and_how_often_is_counted() {
    let f = Story::new(UNKNOWN)
        .call(1, POOL, SWAP, &[])
        .call(1, POOL, SWAP, &[])
        .call(1, VAULT, UNKNOWN, &[])
        .call(1, TOKEN, APPROVE, &[word(POOL), U256::MAX])
        .view(1, TOKEN, BALANCE_OF, &[word(LEAD)], 1)
        .view(1, TOKEN, BALANCE_OF, &[word(POOL)], 1)
        .features();
    assert_eq!(
        (f.n_swap, f.n_approve, f.n_balance),
        (log(2), log(1), log(2))
    );
    assert_eq!(
        (f.repeat, f.repeat_action, f.repeat_by_lead),
        (log(2), log(2), log(2))
    );
    // The transaction's own function is one of them.
    assert_eq!(f.unknown_selectors, log(1));
    assert!((f.unknown_share - 1.0 / 3.0).abs() < 1e-6);
    assert_eq!((f.lead_callees, f.lead_contracts), (log(3), log(2)));
    assert_eq!(
        (f.lead_own_balances, f.lead_foreign_balances),
        (log(1), log(1))
    );
    assert_eq!((f.root_known, f.root_terse), (0.0, f.frames));
}

#[test]
fn a_gain_without_a_price_is_told_from_a_trade() {
    let other = Address::repeat_byte(0x71);
    let stolen = Story::new(UNKNOWN)
        .call(1, VAULT, WITHDRAW, &[])
        .call(2, TOKEN, TRANSFER, &[word(LEAD), amount(90)])
        .call(1, TOKEN, TRANSFER, &[word(SENDER), amount(90)]);
    let f = stolen.features();
    assert_eq!(
        (f.free_gain, f.gains, f.losses, f.sender_gains),
        (1.0, 1.0, 0.0, 1.0)
    );
    assert_eq!((f.drained, f.drain_share, f.losers), (1.0, 1.0, log(1)));
    assert_eq!((f.gain_share, f.transfers), (0.5, log(2)));
    let f = stolen
        .call(1, other, TRANSFER, &[word(VAULT), amount(5)])
        .features();
    assert_eq!((f.free_gain, f.gains, f.losses), (0.0, 1.0, 1.0));
}

#[test]
fn tokens_of_someone_who_takes_no_part_are_pulled() {
    let victim = Address::repeat_byte(0xbc);
    let from = |account| [word(account), word(LEAD), amount(7)];
    let f = Story::new(UNKNOWN)
        .call(1, TOKEN, TRANSFER_FROM, &from(victim))
        .features();
    assert_eq!(f.pulled, log(1));
    let f = Story::new(UNKNOWN)
        .call(1, TOKEN, TRANSFER_FROM, &from(SENDER))
        .features();
    assert_eq!(
        (f.pulled, f.sender_pays, f.sender_share),
        (0.0, log(1), 1.0)
    );
}

#[test]
fn what_is_paid_and_comes_back_from_the_same_is_a_round_trip() {
    let f = Story::new(UNKNOWN)
        .call(1, POOL, SWAP, &[])
        .call(2, TOKEN, TRANSFER, &[word(LEAD), amount(10)])
        .call(1, TOKEN, TRANSFER, &[word(POOL), amount(10)])
        .call(1, SENDER, [0; 4], &[])
        .pays(3)
        .features();
    assert_eq!(
        (f.round_trips, f.lead_pays, f.lead_gets),
        (log(1), log(2), log(1))
    );
    assert_eq!(
        (f.losses, f.gains, f.pays_sender, f.assets),
        (0.0, 0.0, 1.0, log(2))
    );
}

#[test]
fn a_trade_is_measured_against_the_balance_told_after_it() {
    let f = Story::new(UNKNOWN)
        .call(1, POOL, SWAP, &[])
        .call(2, TOKEN, TRANSFER, &[word(LEAD), amount(90)])
        .view(2, TOKEN, BALANCE_OF, &[word(POOL)], 10)
        .features();
    assert!((f.impact_out - 0.9).abs() < 1e-6);
    assert_eq!((f.impact_in, f.impacts), (0.0, log(1)));
    let f = Story::new(UNKNOWN)
        .call(1, TOKEN, TRANSFER, &[word(POOL), amount(30)])
        .view(1, TOKEN, BALANCE_OF, &[word(POOL)], 40)
        .features();
    assert!((f.impact_in - 0.75).abs() < 1e-6);
}

#[test]
fn an_answer_that_changes_within_the_transaction_is_seen() {
    let f = Story::new(UNKNOWN)
        .view(1, POOL, GET_RESERVES, &[], 100)
        .view(1, TOKEN, BALANCE_OF, &[word(POOL)], 8)
        .call(1, POOL, SWAP, &[])
        .view(1, POOL, GET_RESERVES, &[], 200)
        .view(1, TOKEN, BALANCE_OF, &[word(POOL)], 2)
        .features();
    assert!((f.view_moved - 2_f32.ln()).abs() < 1e-6);
    assert!((f.balance_moved - 4_f32.ln()).abs() < 1e-6);
    assert_eq!((f.views_moved, f.views_repeated), (log(1), log(2)));
    // Other arguments are another question.
    let f = Story::new(UNKNOWN)
        .view(1, TOKEN, BALANCE_OF, &[word(POOL)], 8)
        .view(1, TOKEN, BALANCE_OF, &[word(LEAD)], 2)
        .features();
    assert_eq!((f.balance_moved, f.views_repeated), (0.0, log(1)));
}

#[test]
fn what_failed_did_nothing() {
    let story = || Story::new(UNKNOWN).call(1, VAULT, WITHDRAW, &[]);
    let mut with_failure = story()
        .call(1, POOL, SWAP, &[])
        .call(2, TOKEN, UNKNOWN, &[]);
    with_failure.0.frames[2].error = Some("out of gas".into());
    assert_eq!(with_failure.features(), story().features());
    let mut failed = story();
    failed.0.frames[0].error = Some("execution reverted".into());
    assert_eq!(failed.features(), TraceFeatures::default());
    assert_eq!(extract(&Trace::default()), TraceFeatures::default());
}

#[test]
fn names_are_as_many_as_features_and_differ() {
    let names: std::collections::BTreeSet<_> = NAMES.into_iter().collect();
    assert_eq!(names.len(), FEATURES);
}

/// Chains of calls as deep as they go, that enter the same few contracts.
fn deep(chains: usize) -> Trace {
    let mut frames = Story::new(UNKNOWN).0.frames;
    for n in 0..chains {
        for depth in 1..1_000_u16 {
            let parent = if depth == 1 {
                0
            } else {
                frames.len() as u32 - 1
            };
            let holder = amount(n as u64).to_be_bytes::<32>();
            frames.push(Frame {
                depth,
                parent,
                from: VAULT,
                to: Some([LEAD, VAULT, POOL][usize::from(depth % 3)]),
                input: [TRANSFER.as_slice(), &holder, &[1; 32]].concat().into(),
                ..Frame::default()
            });
        }
    }
    Trace { frames }
}

#[test]
fn a_trace_four_times_as_long_takes_no_more_than_some_four_times_as_long() {
    let (short, long) = (deep(10), deep(40));
    let least = |trace: &Trace| {
        let times = (0..5).map(|_| {
            let begun = Instant::now();
            assert!(extract(trace).frames > 9.0);
            begun.elapsed()
        });
        times.min().unwrap()
    };
    // If it were quadratic, 16 times.
    assert!(least(&long) < 10 * least(&short).max(Duration::from_millis(1)));
}

/// Frames of a random tree: who, which kind, what, and how deep.
fn any_trace() -> impl Strategy<Value = Trace> {
    let selectors = [
        TRANSFER,
        TRANSFER_FROM,
        BALANCE_OF,
        SWAP,
        GET_RESERVES,
        UNKNOWN,
        [0; 4],
    ];
    let words = prop::collection::vec(
        prop_oneof![Just([0xff; 32]), Just([0x1e; 32]), any::<[u8; 32]>()],
        0..4,
    );
    let frame = (
        0..6_u8,
        0..7_usize,
        0..selectors.len(),
        words,
        0..4_u16,
        0..9_u8,
        any::<[u8; 32]>(),
        0..3_usize,
    );
    prop::collection::vec(frame, 0..60).prop_map(move |frames| {
        let mut trace = Trace::default();
        for (who, kind, selector, words, rise, fails, output, length) in frames {
            let last = trace
                .frames
                .last()
                .map_or(0, |frame: &Frame| frame.depth + 1);
            let depth = if trace.frames.is_empty() {
                0
            } else {
                last.saturating_sub(rise).max(1)
            };
            let parent = trace
                .frames
                .iter()
                .rposition(|frame| frame.depth + 1 == depth)
                .unwrap_or(0);
            trace.frames.push(Frame {
                kind: CallKind::ALL[kind],
                depth,
                parent: parent as u32,
                from: Address::repeat_byte(who),
                to: (fails != 1).then(|| Address::repeat_byte(0x1e + who)),
                value: (fails != 2).then(|| U256::from_be_bytes(output)),
                input: [&selectors[selector][..], &words.concat()].concat().into(),
                output: Bytes::copy_from_slice(&output.repeat(length)),
                error: (fails == 0).then(|| "out of gas".into()),
                ..Frame::default()
            });
        }
        trace
    })
}

proptest! {
    #[test]
    fn any_trace_gives_finite_features_within_bounds(trace in any_trace()) {
        let row = extract(&trace).row();
        for (name, value) in NAMES.iter().zip(row) {
            prop_assert!(value.is_finite() && (0.0..=64.0).contains(&value), "{name} {value}");
            if name.ends_with("share") {
                prop_assert!(value <= 1.0, "{name} {value}");
            }
        }
    }

    #[test]
    fn another_recorder_makes_no_difference(mut trace in any_trace()) {
        let features = extract(&trace);
        // It keeps what failed elsewhere, gas, logs and calls of precompiles, and other words for failures.
        for frame in &mut trace.frames {
            (frame.gas, frame.gas_used) = (frame.gas + 21_000, 7);
            frame.logs.push(FrameLog { address: TOKEN, topics: Vec::new(), data: Bytes::new(), position: 0, index: 0 });
            if frame.error.is_some() {
                frame.error = Some("Reverted".into());
            }
        }
        if let Some(root) = trace.frames.first().cloned() {
            let precompile = Address::with_last_byte(4);
            let failed = Frame { error: Some("Bad instruction".into()), to: Some(VAULT), ..root.clone() };
            for (to, mut frame) in [(precompile, root), (VAULT, failed)] {
                frame.kind = CallKind::StaticCall;
                (frame.depth, frame.parent, frame.to) = (1, 0, Some(to));
                trace.frames.push(frame);
            }
        }
        prop_assert_eq!(extract(&trace), features);
        let read = Trace::from_json(&to_json(&trace, false));
        if let Ok(read) = read {
            prop_assert_eq!(extract(&read), features);
        }
    }
}

#[test]
fn codes_run_in_its_own_name_are_libraries_but_for_a_proxys_own() {
    let codes = [0x10, 0x11, 0x11].map(Address::repeat_byte);
    let f = Story::new(UNKNOWN)
        .then(1, CallKind::DelegateCall, codes[0], UNKNOWN, &[])
        .then(2, CallKind::DelegateCall, codes[1], WITHDRAW, &[])
        .then(2, CallKind::DelegateCall, codes[2], WITHDRAW, &[])
        .call(2, VAULT, WITHDRAW, &[])
        .then(3, CallKind::DelegateCall, codes[1], SWAP, &[])
        .features();
    assert_eq!((f.lead_libraries, f.root_calls), (log(1), log(1)));
}

#[test]
fn a_lead_that_others_question_answers_but_callbacks_are_no_answers() {
    let callback = [0x10, 0xd1, 0xe8, 0x5c];
    let f = Story::new(UNKNOWN)
        .call(1, VAULT, WITHDRAW, &[])
        .view(2, LEAD, GET_RESERVES, &[], 1)
        .view(2, LEAD, GET_RESERVES, &[], 1)
        .call(2, LEAD, UNKNOWN, &[])
        .call(2, LEAD, callback, &[])
        .call(1, LEAD, WITHDRAW, &[])
        .features();
    assert_eq!(f.lead_answers, log(2));
}

#[test]
fn only_approvals_beyond_half_of_all_numbers_are_unlimited() {
    let half = U256::ONE << 255;
    let f = Story::new(UNKNOWN)
        .call(1, TOKEN, APPROVE, &[word(VAULT), half])
        .call(1, TOKEN, APPROVE, &[word(VAULT), half - U256::ONE])
        .call(1, VAULT, WITHDRAW, &[])
        .call(2, TOKEN, APPROVE, &[word(VAULT), U256::MAX])
        .features();
    assert_eq!(f.lead_unlimited, log(1));
}

#[test]
fn amounts_are_round_where_most_digits_are_zeros_and_they_are_amounts() {
    let count = |amount: U256| {
        let story = Story::new(UNKNOWN).call(1, VAULT, UNKNOWN, &[amount]);
        story.features().round_amounts
    };
    let ether = U256::from(10_u64.pow(18));
    for round in [
        ether,
        ether * amount(250_000),
        U256::from(2_000_000_000_000_u64),
    ] {
        assert_eq!(count(round), log(1), "{round}");
    }
    for other in [
        U256::ZERO,
        amount(1_000_000),
        ether + amount(123),
        U256::from(1_234_567_890_000_u64),
        U256::MAX,
        ether << 80,
        word(VAULT),
    ] {
        assert_eq!(count(other), 0.0, "{other}");
    }
}

#[test]
fn whoever_is_named_in_the_arguments_is_counted_once_a_call() {
    let f = Story::new(UNKNOWN)
        .call(1, VAULT, UNKNOWN, &[word(SENDER), word(SENDER)])
        .view(2, TOKEN, BALANCE_OF, &[word(LEAD)], 1)
        .call(
            2,
            TOKEN,
            TRANSFER_FROM,
            &[word(SENDER), word(LEAD), amount(5)],
        )
        .view(1, TOKEN, BALANCE_OF, &[word(LEAD)], 1)
        .features();
    assert_eq!((f.sender_named, f.lead_named), (log(2), log(2)));
    assert_eq!(f.sender_pulled, log(1));
}

#[test]
fn transfers_of_next_to_nothing_are_empty_and_amounts_that_differ_are_counted() {
    let sends = |story: Story, n| story.call(1, TOKEN, TRANSFER, &[word(VAULT), amount(n)]);
    let f = [0, 1, 7, 7]
        .into_iter()
        .fold(Story::new(UNKNOWN), sends)
        .features();
    assert_eq!(f.empty_transfers, log(2));
    assert!((f.distinct_amounts - 2.0 / 3.0).abs() < 1e-6);
}

#[test]
fn what_is_taken_from_others_is_unsigned_unless_an_owner_is_asked_or_something_is_signed() {
    let (owner, asked) = (Address::repeat_byte(0xbc), [0x16, 0x26, 0xba, 0x7e]);
    let takes = |story: Story| {
        let words = [word(owner), word(POOL), amount(7)];
        story.call(1, TOKEN, TRANSFER_FROM, &words).features()
    };
    let unsigned = takes(Story::new(UNKNOWN));
    assert_eq!(unsigned.pulled_unsigned, log(1));
    let signed = Story(Trace::default()).then(0, CallKind::Call, LEAD, UNKNOWN, &[amount(28)]);
    for signed in [
        takes(signed),
        takes(Story::new(UNKNOWN).view(1, owner, asked, &[], 1)),
    ] {
        assert_eq!(signed.pulled_unsigned, 0.0);
    }
    // What a pool takes from who called it, and what is the sender's, are nobody else's.
    let f = Story::new(UNKNOWN)
        .call(1, VAULT, WITHDRAW, &[])
        .call(
            2,
            TOKEN,
            TRANSFER_FROM,
            &[word(VAULT), word(POOL), amount(7)],
        )
        .call(
            1,
            TOKEN,
            TRANSFER_FROM,
            &[word(SENDER), word(POOL), amount(7)],
        )
        .features();
    assert_eq!(f.pulled_unsigned, 0.0);
}

#[test]
fn an_approval_by_a_contract_that_is_not_the_senders_counts_where_it_is_for_the_senders_side() {
    let approves = |depth, spender| {
        Story::new(UNKNOWN)
            .call(1, VAULT, UNKNOWN, &[])
            .call(depth, TOKEN, APPROVE, &[word(spender), U256::MAX])
            .features()
            .approved_by_others
    };
    assert_eq!(approves(2, LEAD), log(1));
    assert_eq!((approves(2, POOL), approves(1, LEAD)), (0.0, 0.0));
}

#[test]
fn who_gives_exactly_what_it_was_told_to_have_is_emptied() {
    let owner = Address::repeat_byte(0xbc);
    let taken = |had, takes| {
        let words = [word(owner), word(SENDER), amount(takes)];
        Story::new(UNKNOWN)
            .view(1, TOKEN, BALANCE_OF, &[word(owner)], had)
            .call(1, TOKEN, TRANSFER_FROM, &words)
            .call(1, TOKEN, TRANSFER_FROM, &words)
            .features()
            .emptied
    };
    assert_eq!(
        (taken(90, 90), taken(90, 89), taken(1, 1)),
        (log(1), 0.0, 0.0)
    );
    // Of one's own.
    let own = Story::new(UNKNOWN)
        .view(1, TOKEN, BALANCE_OF, &[word(LEAD)], 90)
        .call(1, TOKEN, TRANSFER, &[word(SENDER), amount(90)]);
    assert_eq!(own.features().emptied, 0.0);
}

//! The matcher against an evaluator that has no index, no compiled tree and no cleverness, over arbitrary rules.

use super::{lint, load};
use crate::bytecode::CodeFacts;
use crate::decode::{Decoded, Method};
use crate::signatures::{Matcher, RuleSet, Subject};
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, U256};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;

/// A condition as a user means it. Small universes, so that conditions hold often enough.
#[derive(Debug, Clone)]
enum Spec {
    All(Vec<Spec>),
    Any(Vec<Spec>),
    Not(Box<Spec>),
    Selector(Vec<u8>),
    Calls(Vec<u8>),
    To(Vec<u8>),
    ToMonitored,
    FromMonitored,
    Mentions(u8),
    Touches(&'static str),
    AtLeast(&'static str, u64),
    Below(&'static str, u64),
    Word(Option<usize>, u64),
    WordSender,
    Creation(bool),
    DecodedBy(Method),
    CodeKnown(bool),
    CodeDelegatecall(bool),
    CodeAtLeast(&'static str, u64),
    CodeSelectors(Vec<u8>),
    CodeAddress(u8),
    CodeSender,
}

fn method_name(method: Method) -> &'static str {
    match method {
        Method::Empty => "empty",
        Method::Creation => "creation",
        Method::Abi => "abi",
        Method::Builtin => "builtin",
        Method::WordScan => "word_scan",
    }
}

fn addr(n: u8) -> Address {
    Address::repeat_byte(n)
}

fn yaml(spec: &Spec) -> String {
    let list = |specs: &[Spec]| specs.iter().map(yaml).collect::<Vec<_>>().join(", ");
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|n| format!("0x{}", format!("{n:02x}").repeat(4)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let addrs = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|&n| format!("'{:#x}'", addr(n)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match spec {
        Spec::All(s) => format!("{{all: [{}]}}", list(s)),
        Spec::Any(s) => format!("{{any: [{}]}}", list(s)),
        Spec::Not(s) => format!("{{not: {}}}", yaml(s)),
        Spec::Selector(s) => format!("{{selector: [{}]}}", hex(s)),
        Spec::Calls(s) => format!("{{calls: [{}]}}", hex(s)),
        Spec::To(s) => format!("{{to: [{}]}}", addrs(s)),
        Spec::ToMonitored => "{to: monitored}".into(),
        Spec::FromMonitored => "{from: monitored}".into(),
        Spec::Mentions(n) => format!("{{mentions: [{}]}}", addrs(&[*n])),
        Spec::Touches(way) => format!("{{touches: {way}}}"),
        Spec::AtLeast(key, n) => format!("{{{key}: '>= {n}'}}"),
        Spec::Below(key, n) => format!("{{{key}: '< {}'}}", n + 1),
        Spec::Word(Some(at), n) => format!("{{word: {{at: {at}, is: {n}}}}}"),
        Spec::Word(None, n) => format!("{{word: {{is: {n}}}}}"),
        Spec::WordSender => "{word: {is: sender}}".into(),
        Spec::Creation(yes) => format!("{{creation: {yes}}}"),
        Spec::DecodedBy(method) => format!("{{decoded_by: {}}}", method_name(*method)),
        Spec::CodeKnown(yes) => format!("{{code: {{known: {yes}}}}}"),
        Spec::CodeDelegatecall(yes) => format!("{{code: {{delegatecall: {yes}}}}}"),
        Spec::CodeAtLeast(key, n) => format!("{{code: {{{key}: '>= {n}'}}}}"),
        Spec::CodeSelectors(s) => format!("{{code: {{selectors: [{}]}}}}", hex(s)),
        Spec::CodeAddress(n) => format!("{{code: {{addresses: {}}}}}", addrs(&[*n])),
        Spec::CodeSender => "{code: {addresses: sender}}".into(),
    }
}

fn quantity(s: &Subject, key: &str) -> u64 {
    match key {
        "gas" => s.tx.gas,
        "nonce" => s.tx.nonce,
        "value" => s.tx.value.to(),
        "calldata_size" => s.tx.input.len() as u64,
        "depth" => u64::from(s.decoded.depth),
        other => panic!("no quantity {other}"),
    }
}

fn touched<'a>(s: &'a Subject) -> Vec<&'a Address> {
    s.touches
        .iter()
        .filter_map(|&i| s.monitored.get(i as usize))
        .collect()
}

/// Whether a touched address is in the calldata, and whether in the code.
fn ways(s: &Subject, a: &Address) -> (bool, bool) {
    let decoded = s.decoded.addresses.contains(a);
    let scanned = s.code.is_some_and(|c| c.addresses.contains(a));
    let explained = decoded || scanned || s.tx.to == Some(*a);
    let packed = s.tx.input.windows(20).any(|w| w == a.as_slice());
    (
        decoded || !explained && packed,
        scanned || !explained && !packed,
    )
}

fn naive(spec: &Spec, s: &Subject) -> bool {
    let own: Option<&[u8]> = if s.tx.to.is_some() {
        s.tx.input.get(..4)
    } else {
        None
    };
    let is = |n: &u8, selector: &[u8]| selector == [*n; 4];
    let words = || {
        if own.is_some() {
            s.tx.input[4..].chunks_exact(32).collect::<Vec<_>>()
        } else {
            vec![]
        }
    };
    match spec {
        Spec::All(specs) => specs.iter().filter(|x| naive(x, s)).count() == specs.len(),
        Spec::Any(specs) => specs.iter().filter(|x| naive(x, s)).count() > 0,
        Spec::Not(x) => !naive(x, s),
        Spec::Selector(set) => own.is_some_and(|o| set.iter().any(|n| is(n, o))),
        Spec::Calls(set) => {
            own.is_some_and(|o| set.iter().any(|n| is(n, o)))
                || s.decoded
                    .selectors
                    .iter()
                    .any(|o| set.iter().any(|n| is(n, o)))
        }
        Spec::To(set) => set.iter().any(|&n| s.tx.to == Some(addr(n))),
        Spec::ToMonitored => touched(s).iter().any(|a| s.tx.to.as_ref() == Some(*a)),
        Spec::FromMonitored => s.monitored.contains(&s.tx.from),
        Spec::Mentions(n) => s.decoded.addresses.contains(&addr(*n)),
        Spec::Touches(way) => match *way {
            "none" => s.touches.is_empty(),
            "monitored" => !s.touches.is_empty(),
            "calldata" => touched(s).iter().any(|a| ways(s, a).0),
            "code" => touched(s).iter().any(|a| ways(s, a).1),
            _ => naive(&Spec::ToMonitored, s),
        },
        Spec::AtLeast(key, n) => quantity(s, key) >= *n,
        Spec::Below(key, n) => quantity(s, key) <= *n,
        Spec::Word(at, n) => words()
            .iter()
            .enumerate()
            .any(|(i, w)| at.is_none_or(|at| at == i) && U256::from_be_slice(w) == U256::from(*n)),
        Spec::WordSender => words()
            .iter()
            .any(|w| w[..12] == [0; 12] && w[12..] == s.tx.from[..]),
        Spec::Creation(yes) => s.tx.to.is_none() == *yes,
        Spec::DecodedBy(method) => s.decoded.method == *method,
        Spec::CodeKnown(yes) => s.code.is_some() == *yes,
        Spec::CodeDelegatecall(yes) => s.code.is_some_and(|c| c.delegatecall == *yes),
        Spec::CodeAtLeast(key, n) => s.code.is_some_and(|c| match *key {
            "size" => u64::from(c.size) >= *n,
            "call_sites" => u64::from(c.call_sites) >= *n,
            _ if s.tx.to.is_none() => *n == 0,
            _ => s.block_number.is_some_and(|now| {
                c.created_at
                    .is_some_and(|then| now.saturating_sub(then) >= *n)
            }),
        }),
        Spec::CodeSelectors(set) => s
            .code
            .is_some_and(|c| c.selectors.iter().any(|o| set.iter().any(|n| is(n, o)))),
        Spec::CodeAddress(n) => s.code.is_some_and(|c| c.addresses.contains(&addr(*n))),
        Spec::CodeSender => s.code.is_some_and(|c| c.addresses.contains(&s.tx.from)),
    }
}

fn few() -> impl Strategy<Value = Vec<u8>> {
    vec(0_u8..5, 1..3)
}

fn method() -> impl Strategy<Value = Method> {
    prop::sample::select(vec![
        Method::Empty,
        Method::Creation,
        Method::Abi,
        Method::Builtin,
        Method::WordScan,
    ])
}

fn spec() -> impl Strategy<Value = Spec> {
    let quantities = prop::sample::select(vec!["gas", "nonce", "value", "calldata_size", "depth"]);
    let leaf = prop_oneof![
        3 => few().prop_map(Spec::Selector),
        3 => few().prop_map(Spec::Calls),
        2 => few().prop_map(Spec::To),
        2 => Just(Spec::ToMonitored),
        1 => Just(Spec::FromMonitored),
        1 => (0_u8..5).prop_map(Spec::Mentions),
        3 => prop::sample::select(vec!["none", "monitored", "callee", "calldata", "code"]).prop_map(Spec::Touches),
        1 => (quantities.clone(), 0_u64..80).prop_map(|(k, n)| Spec::AtLeast(k, n)),
        1 => (quantities, 0_u64..80).prop_map(|(k, n)| Spec::Below(k, n)),
        1 => (prop::option::of(0_usize..3), 0_u64..4).prop_map(|(at, n)| Spec::Word(at, n)),
        1 => Just(Spec::WordSender),
        1 => any::<bool>().prop_map(Spec::Creation),
        1 => method().prop_map(Spec::DecodedBy),
        1 => any::<bool>().prop_map(Spec::CodeKnown),
        1 => any::<bool>().prop_map(Spec::CodeDelegatecall),
        1 => (prop::sample::select(vec!["size", "call_sites", "age"]), 0_u64..4).prop_map(|(k, n)| Spec::CodeAtLeast(k, n)),
        2 => few().prop_map(Spec::CodeSelectors),
        1 => (0_u8..5).prop_map(Spec::CodeAddress),
        1 => Just(Spec::CodeSender),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 1..4).prop_map(Spec::All),
            2 => vec(inner.clone(), 1..4).prop_map(Spec::Any),
            1 => inner.prop_map(|s| Spec::Not(Box::new(s))),
        ]
    })
}

type Parts = (
    PendingTransaction,
    Decoded,
    Option<CodeFacts>,
    Vec<u16>,
    Vec<Address>,
    Option<u64>,
);

fn subject_parts() -> impl Strategy<Value = Parts> {
    let input = prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        3 => (0_u8..5, vec(prop_oneof![(0_u64..4).prop_map(U256::from), (0_u8..5).prop_map(|n| U256::from_be_slice(addr(n).as_slice()))], 0..3), 0_usize..33)
            .prop_map(|(own, words, trailing)| {
                let mut input = vec![own; 4];
                words.iter().for_each(|w| input.extend_from_slice(&w.to_be_bytes::<32>()));
                input.resize(input.len() + trailing, 0);
                input
            }),
    ];
    let tx = (
        0_u8..5,
        prop::option::weighted(0.8, 0_u8..5),
        0_u64..80,
        0_u64..80,
        0_u64..80,
        input,
    )
        .prop_map(|(from, to, value, nonce, gas, input)| PendingTransaction {
            from: addr(from),
            to: to.map(addr),
            value: U256::from(value),
            nonce,
            gas,
            input,
            ..Default::default()
        });
    let decoded =
        (method(), few(), few(), 0_u8..3).prop_map(|(method, selectors, addresses, depth)| {
            Decoded {
                method,
                selectors: selectors.into_iter().map(|n| [n; 4]).collect(),
                addresses: addresses.into_iter().map(addr).collect(),
                depth,
                ..Default::default()
            }
        });
    let code = (
        0_u32..4,
        any::<bool>(),
        0_u32..4,
        vec(0_u8..5, 0..4),
        vec(0_u8..5, 0..4),
        prop::option::of(0_u64..6),
    )
        .prop_map(
            |(size, delegatecall, call_sites, mut selectors, mut addresses, created_at)| {
                selectors.sort_unstable();
                addresses.sort_unstable();
                CodeFacts {
                    size,
                    delegatecall,
                    call_sites,
                    selectors: selectors.into_iter().map(|n| [n; 4]).collect(),
                    addresses: addresses.into_iter().map(addr).collect(),
                    created_at,
                    ..Default::default()
                }
            },
        );
    let monitored = vec((0_u8..5).prop_map(addr), 0..4);
    (
        tx,
        decoded,
        prop::option::weighted(0.7, code),
        vec(0_u16..5, 0..3),
        monitored,
        prop::option::of(0_u64..6),
    )
}

fn subject<'a>((tx, decoded, code, touches, monitored, block_number): &'a Parts) -> Subject<'a> {
    Subject {
        tx,
        decoded,
        code: code.as_ref(),
        touches,
        code_touches: &[],
        monitored,
        block_number: *block_number,
    }
}

fn rule(sid: usize, spec: &Spec) -> String {
    format!(
        "- {{sid: {sid}, msg: m, classtype: other, weight: 0.25, match: {}}}\n",
        yaml(spec)
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_matcher_agrees_with_a_naive_evaluator(specs in vec(spec(), 1..12), parts in vec(subject_parts(), 1..20)) {
        // A rule that lint calls contradictory is one that the naive evaluator never sees hold.
        let mut sound: Vec<(usize, Spec)> = Vec::new();
        for (i, spec) in specs.into_iter().enumerate() {
            let errors: Vec<_> = lint(format!("rules:\n{}", rule(i + 1, &spec))).into_iter().filter(|l| l.level == "error").collect();
            if errors.is_empty() {
                sound.push((i + 1, spec));
            } else {
                prop_assert!(parts.iter().all(|p| !naive(&spec, &subject(p))), "{errors:?} for {}", yaml(&spec));
            }
        }
        let text: String = sound.iter().map(|(sid, spec)| rule(*sid, spec)).collect();
        let set = load(&format!("rules:\n{text}"));
        let mut matcher = Matcher::new(Arc::new(set));
        let mut out = Vec::new();
        for part in &parts {
            let subject = subject(part);
            let score = matcher.evaluate(&subject, &mut out);
            let expected: Vec<u32> = sound.iter().filter(|(_, spec)| naive(spec, &subject)).map(|(sid, _)| *sid as u32).collect();
            prop_assert_eq!(&out, &expected);
            let wanted = 1.0 - 0.75_f64.powi(expected.len() as i32);
            prop_assert!((f64::from(score) - wanted).abs() < 1e-6);
            prop_assert_eq!(matcher.report(&subject, &out).len(), out.len());
        }
    }

    #[test]
    fn the_built_in_pack_scores_anything_between_0_and_1(
        parts in subject_parts(),
        input in vec(any::<u8>(), 0..3_000),
        selectors in vec(any::<[u8; 4]>(), 0..70),
        max in any::<bool>(),
    ) {
        let mut parts = parts;
        parts.0.input = input;
        parts.1.selectors = selectors;
        if max {
            (parts.0.gas, parts.0.nonce, parts.0.value, parts.0.seen_ms) = (u64::MAX, u64::MAX, U256::MAX, u64::MAX);
        }
        let mut matcher = Matcher::new(Arc::new(RuleSet::load(&["builtin".to_owned()]).expect("loads")));
        let mut out = Vec::new();
        let subject = subject(&parts);
        let score = matcher.evaluate(&subject, &mut out);
        prop_assert!((0.0..=1.0).contains(&score));
        matcher.report(&subject, &out);
    }

    #[test]
    fn arbitrary_text_is_diagnosed_or_read_but_never_a_panic(text in "(?s).{0,300}") {
        lint(text);
    }

    #[test]
    fn damaged_rule_files_are_diagnosed_or_read_but_never_a_panic(
        file in 0_usize..7, at in any::<prop::sample::Index>(), cut in 0_usize..40, insert in "[ -~\n\t]{0,12}",
    ) {
        let text = crate::signatures::load::BUILTIN[file].1;
        let from = at.index(text.len());
        let damaged = format!("{}{insert}{}", &text[..from], text.get(from + cut..).unwrap_or(""));
        lint(damaged);
    }
}

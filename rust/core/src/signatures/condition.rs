//! A rule's condition: a tree of tests on one transaction, evaluated without allocation.

use super::Subject;
use crate::bytecode::CodeFacts;
use crate::decode::Method;
use alloy_primitives::{Address, U256};

/// Words looked at by a test on any word. Bounds the cost of a 2 MB calldata; a test `at` an index sees every word.
pub(super) const MAX_WORDS: usize = 1_024;

/// Calldata searched for a monitored address that the decoder did not report: what a node's pool accepts.
const MAX_SEARCHED: usize = 128 << 10;
/// Such searches in one transaction.
const MAX_SEARCHES: u32 = 4;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Test),
}

/// An inclusive interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range<T> {
    pub min: T,
    pub max: T,
}

impl<T: PartialOrd> Range<T> {
    #[inline]
    pub fn contains(&self, value: &T) -> bool {
        *value >= self.min && *value <= self.max
    }
}

/// Sorted, without duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Set<T>(Box<[T]>);

impl<T: Ord> Set<T> {
    pub fn new(mut items: Vec<T>) -> Self {
        items.sort_unstable();
        items.dedup();
        Self(items.into_boxed_slice())
    }

    #[inline]
    pub fn contains(&self, item: &T) -> bool {
        match &*self.0 {
            [only] => only == item,
            many => many.binary_search(item).is_ok(),
        }
    }

    pub fn items(&self) -> &[T] {
        &self.0
    }

    /// Whether a sorted slice holds any of these. Each search starts where the one before ended.
    #[inline]
    fn meets(&self, mut sorted: &[T]) -> bool {
        for item in &self.0 {
            match sorted.binary_search(item) {
                Ok(_) => return true,
                Err(at) => sorted = &sorted[at..],
            }
        }
        false
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// The call's own selector.
    Selector(Set<[u8; 4]>),
    /// The call's own selector or one of a nested call.
    Calls(Set<[u8; 4]>),
    To(Set<Address>),
    ToMonitored,
    From(Set<Address>),
    FromMonitored,
    /// An address argument, as decoded.
    Mentions(Set<Address>),
    /// Some way, of those in the [`Contact`] bits, in which it touches a monitored contract.
    Touches(u8),
    TouchesNone,
    Value(Range<U256>),
    Gas(Range<u64>),
    Nonce(Range<u64>),
    TxType(Range<u64>),
    CalldataSize(Range<u64>),
    Depth(Range<u64>),
    NestedCalls(Range<u64>),
    Word {
        /// Index after the selector; `None`: any of the first [`MAX_WORDS`].
        at: Option<usize>,
        is: Vec<WordTest>,
    },
    Creation(bool),
    /// Bits by [`method_bit`].
    DecodedBy(u8),
    CodeKnown(bool),
    /// The code carries the sender's address: made for this caller.
    CodeHoldsSender,
    Code(CodeTest),
}

/// False where the code is not known.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CodeTest {
    Size(Range<u64>),
    Delegatecall(bool),
    Proxy(bool),
    CallSites(Range<u64>),
    SloadSites(Range<u64>),
    SstoreSites(Range<u64>),
    Selectors(Set<[u8; 4]>),
    Addresses(Set<Address>),
    /// Blocks since the creation; false where the block or the creation is not known.
    Age(Range<u64>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WordTest {
    Range(Range<U256>),
    Sender,
    Callee,
    Monitored,
    /// 2ᵏ − 1 for k ∈ {96, 112, 128, 160, 255, 256}: an unlimited amount.
    MaxUint,
}

/// How a transaction touches monitored contracts: bits of [`Test::Touches`].
pub(super) struct Contact;

impl Contact {
    pub const CALLEE: u8 = 1;
    pub const CALLDATA: u8 = 2;
    pub const CODE: u8 = 4;
    /// The pipeline says so, whatever the way.
    pub const ANY: u8 = 8;
}

pub(super) fn method_bit(method: Method) -> u8 {
    match method {
        Method::Empty => 1,
        Method::Creation => 2,
        Method::Abi => 4,
        Method::Builtin => 8,
        Method::WordScan => 16,
    }
}

/// A subject with what several rules ask for, computed once.
pub(super) struct Prepared<'a> {
    pub subject: &'a Subject<'a>,
    pub selector: Option<[u8; 4]>,
    /// [`Contact`] bits.
    pub contact: u8,
}

impl<'a> Prepared<'a> {
    #[inline]
    pub fn new(subject: &'a Subject<'a>) -> Self {
        Self {
            subject,
            selector: subject.tx.selector(),
            contact: contact(subject),
        }
    }

    fn monitored_touched(&self) -> impl Iterator<Item = &'a Address> {
        let monitored = self.subject.monitored;
        self.subject
            .touches
            .iter()
            .filter_map(move |&i| monitored.get(usize::from(i)))
    }
}

/// The pipeline finds monitored addresses anywhere in calldata and code. What the decoder and the code scan do not
/// explain stands there packed, as data, or beyond what they keep.
#[inline]
fn contact(subject: &Subject) -> u8 {
    if subject.touches.is_empty() {
        return 0;
    }
    let mut bits = Contact::ANY;
    let mut searches = MAX_SEARCHES;
    for &touched in subject.touches {
        let Some(address) = subject.monitored.get(usize::from(touched)) else {
            continue;
        };
        let mut ways = 0;
        if subject.tx.to.as_ref() == Some(address) {
            ways |= Contact::CALLEE;
        }
        if subject.decoded.addresses.contains(address) {
            ways |= Contact::CALLDATA;
        }
        if subject.code_touches.contains(&touched)
            || subject
                .code
                .is_some_and(|code| code.addresses.binary_search(address).is_ok())
        {
            ways |= Contact::CODE;
        }
        if ways == 0 && searches > 0 {
            searches -= 1;
            let input = &subject.tx.input[..subject.tx.input.len().min(MAX_SEARCHED)];
            ways = match memchr::memmem::find(input, address.as_slice()) {
                Some(_) => Contact::CALLDATA,
                None => Contact::CODE,
            };
        }
        bits |= ways;
    }
    bits
}

impl Condition {
    /// All of these, the cheapest first: evaluation stops at the first that fails.
    pub fn all(mut parts: Vec<Condition>) -> Self {
        parts.sort_by_key(Self::cost);
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                Self::All(parts)
            }
        }
    }

    /// Comparisons that it may take, about.
    fn cost(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::cost).sum(),
            Self::Not(part) => part.cost(),
            Self::Test(Test::Code(CodeTest::Selectors(set))) => 8 * set.items().len(),
            Self::Test(Test::Code(CodeTest::Addresses(set))) => 8 * set.items().len(),
            Self::Test(Test::CodeHoldsSender) => 8,
            Self::Test(Test::Calls(_) | Test::Mentions(_) | Test::FromMonitored) => 16,
            Self::Test(Test::Word { at: None, .. }) => MAX_WORDS,
            Self::Test(_) => 1,
        }
    }

    /// Recursion is bounded by the parser's limit on nesting.
    pub fn holds(&self, prepared: &Prepared) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(prepared)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(prepared)),
            Self::Not(part) => !part.holds(prepared),
            Self::Test(test) => test.holds(prepared),
        }
    }
}

impl Test {
    #[inline]
    fn holds(&self, prepared: &Prepared) -> bool {
        let Subject {
            tx,
            decoded,
            code,
            monitored,
            ..
        } = *prepared.subject;
        match self {
            Self::Selector(set) => prepared.selector.is_some_and(|s| set.contains(&s)),
            Self::Calls(set) => {
                prepared.selector.is_some_and(|s| set.contains(&s))
                    || decoded.selectors.iter().any(|s| set.contains(s))
            }
            Self::To(set) => tx.to.is_some_and(|to| set.contains(&to)),
            Self::ToMonitored => prepared.contact & Contact::CALLEE != 0,
            Self::From(set) => set.contains(&tx.from),
            Self::FromMonitored => monitored.contains(&tx.from),
            Self::Mentions(set) => decoded.addresses.iter().any(|a| set.contains(a)),
            Self::Touches(ways) => prepared.contact & ways != 0,
            Self::TouchesNone => prepared.contact == 0,
            Self::Value(range) => range.contains(&tx.value),
            Self::Gas(range) => range.contains(&tx.gas),
            Self::Nonce(range) => range.contains(&tx.nonce),
            Self::TxType(range) => range.contains(&u64::from(tx.tx_type)),
            Self::CalldataSize(range) => range.contains(&(tx.input.len() as u64)),
            Self::Depth(range) => range.contains(&u64::from(decoded.depth)),
            Self::NestedCalls(range) => range.contains(&nested_calls(prepared)),
            Self::Word { at, is } => word(prepared, *at, is),
            Self::Creation(yes) => tx.to.is_none() == *yes,
            Self::DecodedBy(methods) => method_bit(decoded.method) & methods != 0,
            Self::CodeKnown(yes) => code.is_some() == *yes,
            Self::CodeHoldsSender => {
                code.is_some_and(|code| code.addresses.binary_search(&tx.from).is_ok())
            }
            Self::Code(test) => code.is_some_and(|code| test.holds(code, prepared.subject)),
        }
    }
}

impl CodeTest {
    #[inline]
    fn holds(&self, code: &CodeFacts, subject: &Subject) -> bool {
        match self {
            Self::Size(range) => range.contains(&u64::from(code.size)),
            Self::Delegatecall(yes) => code.delegatecall == *yes,
            Self::Proxy(yes) => code.known_proxy == *yes,
            Self::CallSites(range) => range.contains(&u64::from(code.call_sites)),
            Self::SloadSites(range) => range.contains(&u64::from(code.sload_sites)),
            Self::SstoreSites(range) => range.contains(&u64::from(code.sstore_sites)),
            Self::Selectors(set) => set.meets(&code.selectors),
            Self::Addresses(set) => set.meets(&code.addresses),
            Self::Age(range) => age(code, subject).is_some_and(|age| range.contains(&age)),
        }
    }
}

/// In blocks; `None` where it is not known. What a creation brings is not there yet.
fn age(code: &CodeFacts, subject: &Subject) -> Option<u64> {
    if subject.tx.to.is_none() {
        return Some(0);
    }
    let (now, then) = (subject.block_number?, code.created_at?);
    Some(now.saturating_sub(then))
}

/// The decoder lists the call's own selector first where there is one.
fn nested_calls(prepared: &Prepared) -> u64 {
    let own = usize::from(prepared.selector.is_some());
    prepared.subject.decoded.selectors.len().saturating_sub(own) as u64
}

fn word(prepared: &Prepared, at: Option<usize>, is: &[WordTest]) -> bool {
    // A creation's bytes are code, and a call without a selector has no arguments.
    if prepared.selector.is_none() {
        return false;
    }
    let words = prepared.subject.tx.input[4..].as_chunks::<32>().0;
    match at {
        Some(index) => words
            .get(index)
            .is_some_and(|word| is.iter().any(|test| test.holds(word, prepared))),
        None => words
            .iter()
            .take(MAX_WORDS)
            .any(|word| is.iter().any(|test| test.holds(word, prepared))),
    }
}

impl WordTest {
    #[inline]
    fn holds(self, word: &[u8; 32], prepared: &Prepared) -> bool {
        match self {
            Self::Range(range) => range.contains(&U256::from_be_bytes(*word)),
            Self::Sender => is_address(word, &prepared.subject.tx.from),
            Self::Callee => prepared
                .subject
                .tx
                .to
                .is_some_and(|to| is_address(word, &to)),
            Self::Monitored => prepared
                .monitored_touched()
                .any(|address| is_address(word, address)),
            Self::MaxUint => {
                let value = U256::from_be_bytes(*word);
                value.count_zeros() + value.trailing_ones() == 256
                    && matches!(value.trailing_ones(), 96 | 112 | 128 | 160 | 255 | 256)
            }
        }
    }
}

#[inline]
fn is_address(word: &[u8; 32], address: &Address) -> bool {
    word[12..] == address[..] && word[..12] == [0; 12]
}

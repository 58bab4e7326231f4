//! Walks calldata along compiled types, or word by word, within a fixed budget of work.
//!
//! A call's arguments are ABI-encoded with offsets that the sender chooses: they may overlap, point backwards, or give one
//! `bytes` as every element of an array. The walker therefore pays for each word that it covers and stops when the
//! budget, a multiple of the calldata's length with a fixed bound, is spent.

use super::abi::{Kind, TypeId, Types};
use super::selectors::{FunctionTable, KnownFunction};
use super::words::{Limbs, address_of, word_at};
use super::{Decoded, MAX_ADDRESSES, MAX_DEPTH, MAX_NESTED};
use alloy_primitives::Address;

/// Words that may be covered per word of calldata: each level of nesting covers a word twice (as bytes, then as arguments).
const STEPS_PER_WORD: usize = 2 * (MAX_DEPTH + 1);
const STEPS_AT_LEAST: usize = 256;
/// Whatever the length: about 0.1 ms.
pub(super) const STEPS_AT_MOST: usize = 32_768;
/// Addresses compared with those recorded; later ones are checked, not recorded.
const MAX_CANDIDATES: u32 = 256;

const BUDGET: &str = "decoding budget exhausted";
const TOO_DEEP: &str = "embedded calls nest too deeply";
const TOO_MANY: &str = "too many embedded calls";
const SHORT: &str = "calldata is shorter than its arguments";
const BAD_OFFSET: &str = "offset or length points outside the calldata";
const BAD_ADDRESS: &str = "address argument is longer than 160 bits";
const BAD_BOOL: &str = "bool argument is neither 0 nor 1";
const BAD_INTEGER: &str = "integer argument exceeds its type";
const BAD_BYTES: &str = "fixed bytes argument is not padded with zeros";
const BAD_PACKED: &str = "packed transactions are truncated";

type Fit = Result<(), &'static str>;

/// One transaction's walk.
pub(super) struct Walker<'a> {
    types: &'a Types,
    builtin: &'a FunctionTable,
    out: &'a mut Decoded,
    steps: usize,
    calls: usize,
    candidates: u32,
}

impl<'a> Walker<'a> {
    pub fn new(
        types: &'a Types,
        builtin: &'a FunctionTable,
        out: &'a mut Decoded,
        length: usize,
    ) -> Self {
        let mut walker = Self {
            types,
            builtin,
            out,
            steps: 0,
            calls: MAX_NESTED,
            candidates: MAX_CANDIDATES,
        };
        walker.refill(length);
        walker
    }

    /// A fresh budget for `length` bytes: once for the typed walk, once for the word scan where that fails.
    pub fn refill(&mut self, length: usize) {
        self.steps = (length / 32 * STEPS_PER_WORD + STEPS_AT_LEAST).min(STEPS_AT_MOST);
    }

    pub fn steps_left(&self) -> usize {
        self.steps
    }

    /// Reads `arguments` (calldata without its selector) as `function`'s. What was found stays found where it fails.
    pub fn typed(&mut self, function: &KnownFunction, arguments: &[u8], depth: u8) -> Fit {
        self.value(
            function.arguments,
            arguments,
            0,
            depth,
            function.packed_transactions,
        )
    }

    /// Untyped words: addresses, and `length, data` pairs whose data is a call.
    pub fn scan(&mut self, arguments: &[u8], depth: u8) {
        let mut at = 0;
        while let Some(word) = word_at(arguments, at) {
            if self.charge(1).is_err() {
                return self.note(BUDGET);
            }
            at += 32;
            let limbs = Limbs::of(word);
            if limbs.looks_like_address() {
                self.record(address_of(word));
            } else if let Some(length) = limbs.small().filter(|n| *n >= 4)
                && let Some(data) = arguments.get(at..at.saturating_add(length))
                && self.is_call(data)
                && arguments[at + length..]
                    .iter()
                    .take(length.next_multiple_of(32) - length)
                    .all(|b| *b == 0)
            {
                self.call(data, depth + 1);
                at = (at + length.next_multiple_of(32)).min(arguments.len());
            }
        }
    }

    /// The value of type `id` whose head, or content if dynamic, is at `at`.
    fn value(&mut self, id: TypeId, data: &[u8], at: usize, depth: u8, packed: bool) -> Fit {
        self.charge(1)?;
        let ty = self.types.get(id);
        match ty.kind {
            Kind::Tuple(first, count) => {
                let mut head = at;
                for index in first..first + count {
                    let member = self.types.member(index);
                    head = self.member(member, data, at, head, depth, packed)?;
                }
                Ok(())
            }
            Kind::FixedArray(element, count) => {
                self.elements(element, count as usize, data, at, depth)
            }
            Kind::Array(element) => {
                let count = length_at(data, at)?;
                self.elements(element, count, data, at + 32, depth)
            }
            Kind::Bytes | Kind::String => {
                let length = length_at(data, at)?;
                let content = data
                    .get(at + 32..)
                    .and_then(|d| d.get(..length))
                    .ok_or(BAD_OFFSET)?;
                self.charge(length / 32)?;
                match ty.kind {
                    Kind::Bytes if packed => self.packed_transactions(content, depth),
                    Kind::Bytes => {
                        self.embedded(content, depth);
                        Ok(())
                    }
                    _ => Ok(()),
                }
            }
            _ => self.scalar(ty.kind, word_at(data, at).ok_or(SHORT)?),
        }
    }

    /// One member of the frame that starts at `frame`, its head at `head`. Returns the next member's head.
    #[inline]
    fn member(
        &mut self,
        id: TypeId,
        data: &[u8],
        frame: usize,
        head: usize,
        depth: u8,
        packed: bool,
    ) -> Result<usize, &'static str> {
        let ty = self.types.get(id);
        if ty.dynamic {
            let offset = Limbs::of(word_at(data, head).ok_or(SHORT)?)
                .small()
                .ok_or(BAD_OFFSET)?;
            let at = frame
                .checked_add(offset)
                .filter(|at| *at < data.len())
                .ok_or(BAD_OFFSET)?;
            self.value(id, data, at, depth, packed)?;
        } else {
            self.value(id, data, head, depth, packed)?;
        }
        Ok(head + ty.head as usize * 32)
    }

    fn elements(&mut self, id: TypeId, count: usize, data: &[u8], frame: usize, depth: u8) -> Fit {
        let ty = self.types.get(id);
        let size = count.checked_mul(ty.head as usize * 32).ok_or(BAD_OFFSET)?;
        if size > data.len().saturating_sub(frame) {
            return Err(BAD_OFFSET);
        }
        if ty.kind == Kind::Word {
            return self.charge(count);
        }
        let mut head = frame;
        for _ in 0..count {
            head = self.member(id, data, frame, head, depth, false)?;
        }
        Ok(())
    }

    #[inline]
    fn scalar(&mut self, kind: Kind, word: &[u8; 32]) -> Fit {
        let limbs = Limbs::of(word);
        match kind {
            Kind::Address => {
                if !limbs.fits_address() {
                    return Err(BAD_ADDRESS);
                }
                if limbs.is_zero() {
                    self.out.zero_address = true;
                } else {
                    self.record(address_of(word));
                }
                Ok(())
            }
            Kind::Bool => ensure(limbs.small().is_some_and(|v| v <= 1), BAD_BOOL),
            Kind::Uint(bits) => {
                let unused = 32 - usize::from(bits) / 8;
                ensure(word[..unused].iter().all(|b| *b == 0), BAD_INTEGER)
            }
            Kind::Int(bits) => {
                let unused = 32 - usize::from(bits) / 8;
                let sign = if word[unused] >= 0x80 { 0xff } else { 0 };
                ensure(word[..unused].iter().all(|b| *b == sign), BAD_INTEGER)
            }
            Kind::FixedBytes(n) => {
                ensure(word[usize::from(n)..].iter().all(|b| *b == 0), BAD_BYTES)
            }
            _ => Ok(()),
        }
    }

    /// A `bytes` argument: a call, or words (parameters of a router or callback), or opaque.
    fn embedded(&mut self, data: &[u8], depth: u8) {
        if self.is_call(data) {
            self.call(data, depth + 1);
        } else if data.len() >= 32 && data.len().is_multiple_of(32) {
            self.scan(data, depth);
        }
    }

    /// A selector with whole words after it, or a selector of the table.
    fn is_call(&self, data: &[u8]) -> bool {
        let Some(selector) = data.first_chunk::<4>() else {
            return false;
        };
        let plausible = data.len() % 32 == 4 && selector[..2] != [0, 0] && *selector != [0xff; 4];
        plausible || self.builtin.contains_key(selector)
    }

    /// `data` is at least a selector. A call that does not fit its function is scanned: it may be another contract's.
    fn call(&mut self, data: &[u8], depth: u8) {
        if usize::from(depth) > MAX_DEPTH {
            return self.note(TOO_DEEP);
        }
        if self.calls == 0 {
            return self.note(TOO_MANY);
        }
        self.calls -= 1;
        let Some((selector, arguments)) = data.split_first_chunk::<4>() else {
            return;
        };
        self.out.selectors.push(*selector);
        self.out.depth = self.out.depth.max(depth);
        if let Some(function) = self.builtin.get(selector) {
            let mark = self.mark();
            match self.typed(function, arguments, depth) {
                Ok(()) => return,
                Err(BUDGET) => return self.note(BUDGET),
                Err(_) => self.back_to(mark),
            }
        }
        self.scan(arguments, depth);
    }

    /// Safe's multiSend: operation (1 byte), to (20), value (32), data length (32), data; repeated without padding.
    fn packed_transactions(&mut self, mut data: &[u8], depth: u8) -> Fit {
        while !data.is_empty() {
            self.charge(1)?;
            let (head, rest) = data.split_first_chunk::<85>().ok_or(BAD_PACKED)?;
            let length = word_at(head, 53)
                .and_then(|w| Limbs::of(w).small())
                .ok_or(BAD_PACKED)?;
            let call = rest.get(..length).ok_or(BAD_PACKED)?;
            self.charge(length / 32)?;
            self.record(Address::from_slice(&head[1..21]));
            if call.len() >= 4 {
                self.call(call, depth + 1);
            }
            data = &rest[length..];
        }
        Ok(())
    }

    fn record(&mut self, address: Address) {
        if self.candidates == 0 || address.is_zero() {
            return;
        }
        self.candidates -= 1;
        let addresses = &mut self.out.addresses;
        if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }

    #[inline]
    fn charge(&mut self, words: usize) -> Fit {
        match self.steps.checked_sub(words) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => {
                self.steps = 0;
                Err(BUDGET)
            }
        }
    }

    /// The first reason is the cause; later ones follow from it.
    fn note(&mut self, reason: &'static str) {
        self.out.anomaly.get_or_insert(reason);
    }

    /// Remembers what was found, so that a failed reading leaves no trace. The budgets are not given back.
    pub fn mark(&self) -> Mark {
        let out = &self.out;
        Mark {
            addresses: out.addresses.len(),
            selectors: out.selectors.len(),
            depth: out.depth,
            zero_address: out.zero_address,
            anomaly: out.anomaly,
        }
    }

    pub fn back_to(&mut self, mark: Mark) {
        let out = &mut self.out;
        out.addresses.truncate(mark.addresses);
        out.selectors.truncate(mark.selectors);
        out.depth = mark.depth;
        out.zero_address = mark.zero_address;
        out.anomaly = mark.anomaly;
    }
}

/// See [`Walker::mark`].
pub(super) struct Mark {
    addresses: usize,
    selectors: usize,
    depth: u8,
    zero_address: bool,
    anomaly: Option<&'static str>,
}

#[inline]
fn length_at(data: &[u8], at: usize) -> Result<usize, &'static str> {
    Limbs::of(word_at(data, at).ok_or(BAD_OFFSET)?)
        .small()
        .ok_or(BAD_OFFSET)
}

#[inline]
fn ensure(holds: bool, reason: &'static str) -> Fit {
    if holds { Ok(()) } else { Err(reason) }
}

//! Calldata that goes further than what was tried: with words replaced by what they were compared with, or by what they seem
//! to be.

use super::probe::{Comparison, Role};
use alloy_primitives::{Address, Bytes, U256};

/// Words behind the selector of a first try.
const FIRST: usize = 8;
/// The longest calldata that is tried.
const LONGEST: usize = 4_096;

/// A selector with zeros behind it: whatever its arguments are, these decode.
pub fn first(selector: [u8; 4]) -> Bytes {
    let mut input = vec![0; 4 + 32 * FIRST];
    input[..4].copy_from_slice(&selector);
    input.into()
}

pub fn word(input: &[u8], at: usize) -> U256 {
    let mut word = [0; 32];
    for (to, from) in word.iter_mut().zip(input.iter().skip(at)) {
        *to = *from;
    }
    U256::from_be_bytes(word)
}

/// With another word there.
pub fn with_word(input: &[u8], at: usize, word: U256) -> Option<Bytes> {
    let end = at.checked_add(32).filter(|end| *end <= LONGEST)?;
    let mut input = input.to_vec();
    input.resize(input.len().max(end), 0);
    input[at..end].copy_from_slice(&word.to_be_bytes::<32>());
    Some(input.into())
}

/// With another length.
pub fn with_length(input: &[u8], length: usize) -> Option<Bytes> {
    let mut input = input.to_vec();
    (length <= LONGEST && length != input.len()).then(|| {
        input.resize(length, 0);
        input.into()
    })
}

/// With something of no fixed length where the word there says: `length`, and what follows.
pub fn with_tail(input: &[u8], at: usize, length: usize, items: &[U256]) -> Option<Bytes> {
    let begin = input.len().saturating_sub(4).next_multiple_of(32);
    let mut longer = with_word(input, at, U256::from(begin))?.to_vec();
    longer.resize(longer.len().max(4 + begin), 0);
    longer.truncate(4 + begin);
    longer.extend(U256::from(length).to_be_bytes::<32>());
    items
        .iter()
        .for_each(|item| longer.extend(item.to_be_bytes::<32>()));
    (longer.len() <= LONGEST).then(|| longer.into())
}

/// What a word has to be for a comparison to hold, the likeliest first; `before`: what it was. Of what is done to a word
/// before it is compared, what can be undone by one look at both is: a mask, a shift, a sum, an exclusive or.
pub fn solutions(before: U256, comparison: &Comparison) -> Vec<U256> {
    let Comparison {
        ours,
        theirs,
        equal,
        ..
    } = *comparison;
    let shifts = (1..32).map(|bytes| bytes * 8);
    let left = shifts.clone().filter(|bits| before << *bits == ours);
    let right = shifts.filter(|bits| before >> *bits == ours);
    let shifted = left
        .map(|bits| theirs >> bits)
        .chain(right.map(|bits| theirs << bits));
    let sum = before.wrapping_add(theirs.wrapping_sub(ours));
    let one = U256::ONE;
    let mut all = match (equal, ours == before) {
        (true, true) => vec![theirs],
        (true, false) if ours.is_zero() => vec![theirs, sum, before ^ ours ^ theirs],
        (true, false) => shifted
            .chain([before ^ ours ^ theirs, sum, theirs])
            .collect(),
        (false, _) => vec![sum, sum.wrapping_add(one), sum.wrapping_sub(one)],
    };
    let mut seen = Vec::new();
    all.retain(|solution| {
        let new = *solution != before && !seen.contains(solution);
        seen.push(*solution);
        new
    });
    all.truncate(4);
    all
}

/// The caller that a comparison asks for.
pub fn callers(caller: Address, comparison: &Comparison) -> impl Iterator<Item = Address> {
    let before = U256::from_be_bytes(caller.into_word().0);
    let solutions = solutions(before, comparison).into_iter();
    let addresses = solutions.filter(|word| !word.is_zero() && word.bit_len() <= 160);
    addresses.map(|word| Address::from_word(word.into()))
}

/// Calldata in which what was read has the `n`th of its candidates: each word alone, and all at once.
pub fn replaced(
    input: &[u8],
    words: &[(usize, Role)],
    n: usize,
    addresses: &[Address],
    numbers: &[U256],
) -> Vec<Bytes> {
    let address = |n: usize| {
        addresses
            .get(n)
            .map(|one| U256::from_be_bytes(one.into_word().0))
    };
    let candidate = |role: Role| match role {
        Role::Address => address(n),
        Role::Number => numbers.get(n).copied(),
        Role::Offset => None,
    };
    let mut all = Vec::new();
    let mut together = Some(Bytes::copy_from_slice(input));
    let mut several = 0;
    for (at, role) in words {
        let other = match (role, candidate(*role)) {
            (Role::Offset, _) => tail(n, addresses).and_then(|items| {
                let bytes = n % 2 == 1 && n > 1;
                let length = if bytes { items.len() * 32 } else { items.len() };
                with_tail(input, *at, length, &items)
            }),
            (_, Some(candidate)) => {
                together = together.and_then(|all| with_word(&all, *at, candidate));
                several += 1;
                with_word(input, *at, candidate)
            }
            (_, None) => None,
        };
        all.extend(other);
    }
    if several > 1 {
        all.extend(together);
    }
    all
}

/// What arrays are filled with: one address, all of them, the next one alone …
fn tail(n: usize, addresses: &[Address]) -> Option<Vec<U256>> {
    let word = |address: &Address| U256::from_be_bytes(address.into_word().0);
    match n {
        0 => Some(addresses.first().map(word).into_iter().collect()),
        1 => Some(addresses.iter().map(word).collect()),
        _ => addresses.get(n - 1).map(|address| vec![word(address)]),
    }
}

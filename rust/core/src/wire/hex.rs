//! Hex as JSON-RPC has it: "0x", then digits. Exact: nothing is rounded, cut or guessed.

use alloy_primitives::{U256, hex};

/// Why a string is not the hex it should be.
pub(crate) type Problem = &'static str;

const NO_PREFIX: Problem = "no 0x prefix";
const NOT_HEX: Problem = "not a hex digit";

/// Value of an ASCII hex digit; 0xff for every other byte.
const NIBBLE: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut i = 0;
    while i < 10 {
        table[b'0' as usize + i] = i as u8;
        i += 1;
    }
    let mut i = 0;
    while i < 6 {
        table[b'a' as usize + i] = 10 + i as u8;
        table[b'A' as usize + i] = 10 + i as u8;
        i += 1;
    }
    table
};

fn digits(text: &str) -> Result<&[u8], Problem> {
    text.as_bytes().strip_prefix(b"0x").ok_or(NO_PREFIX)
}

/// The significant digits of a quantity; an error where there is no digit at all.
fn significant(text: &str) -> Result<&[u8], Problem> {
    let digits = digits(text)?;
    if digits.is_empty() {
        return Err("no digits");
    }
    let zeros = digits.iter().take_while(|d| **d == b'0').count();
    Ok(&digits[zeros..])
}

/// At most 16 digits.
fn limb(digits: &[u8]) -> Result<u64, Problem> {
    let mut value = 0u64;
    // A digit is below 16 and anything else is 0xff, so the union of all of them tells whether one was bad.
    let mut seen = 0u8;
    for digit in digits {
        let nibble = NIBBLE[*digit as usize];
        seen |= nibble;
        value = value << 4 | u64::from(nibble & 0xf);
    }
    if seen > 0xf { Err(NOT_HEX) } else { Ok(value) }
}

pub(crate) fn quantity_u64(text: &str) -> Result<u64, Problem> {
    let digits = significant(text)?;
    if digits.len() > 16 {
        return Err("above 64 bits");
    }
    limb(digits)
}

pub(crate) fn quantity_u128(text: &str) -> Result<u128, Problem> {
    let digits = significant(text)?;
    if digits.len() > 32 {
        return Err("above 128 bits");
    }
    let (high, low) = digits.split_at(digits.len().saturating_sub(16));
    Ok(u128::from(limb(high)?) << 64 | u128::from(limb(low)?))
}

pub(crate) fn quantity_u256(text: &str) -> Result<U256, Problem> {
    let digits = significant(text)?;
    if digits.len() > 64 {
        return Err("above 256 bits");
    }
    let mut limbs = [0u64; 4];
    for (limb_out, chunk) in limbs.iter_mut().zip(digits.rchunks(16)) {
        *limb_out = limb(chunk)?;
    }
    Ok(U256::from_limbs(limbs))
}

/// Exactly `N` bytes.
pub(crate) fn fixed<const N: usize>(text: &str) -> Result<[u8; N], Problem> {
    let digits = digits(text)?;
    if digits.len() != 2 * N {
        return Err("wrong length");
    }
    let mut out = [0; N];
    decode(digits, &mut out)?;
    Ok(out)
}

pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, Problem> {
    let digits = digits(text)?;
    if !digits.len().is_multiple_of(2) {
        return Err("odd number of digits");
    }
    let mut out = vec![0; digits.len() / 2];
    decode(digits, &mut out)?;
    Ok(out)
}

fn decode(digits: &[u8], out: &mut [u8]) -> Result<(), Problem> {
    // The decoder would skip a second prefix.
    if digits.starts_with(b"0x") {
        return Err(NOT_HEX);
    }
    hex::decode_to_slice(digits, out).map_err(|_| NOT_HEX)
}

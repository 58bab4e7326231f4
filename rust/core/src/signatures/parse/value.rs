//! Single values of the rule language: amounts, comparisons, addresses, selectors.

use crate::signatures::condition::Range;
use alloy_json_abi::Function;
use alloy_primitives::{Address, U256, hex};
use std::str::FromStr;

/// `"> 1 ether"`, `"<= 5"`, `"10"`, `"5 .. 10"`; the error says what is wrong with it.
pub(super) fn comparison(text: &str) -> Result<Range<U256>, String> {
    let text = text.trim();
    if let Some((from, to)) = text.split_once("..") {
        let (min, max) = (amount(from)?, amount(to)?);
        if min > max {
            return Err(format!(
                "the range '{text}' is empty: write the smaller bound first"
            ));
        }
        return Ok(Range { min, max });
    }
    let digits = text
        .find(|c: char| !matches!(c, '<' | '>' | '=' | '!'))
        .unwrap_or(text.len());
    let (operator, rest) = text.split_at(digits);
    let value = amount(rest)?;
    let never = || format!("'{text}' can never hold for an unsigned 256-bit number");
    match operator {
        "" | "=" | "==" => Ok(Range {
            min: value,
            max: value,
        }),
        ">=" => Ok(Range {
            min: value,
            max: U256::MAX,
        }),
        "<=" => Ok(Range {
            min: U256::ZERO,
            max: value,
        }),
        ">" => Ok(Range {
            min: value.checked_add(U256::ONE).ok_or_else(never)?,
            max: U256::MAX,
        }),
        "<" => Ok(Range {
            min: U256::ZERO,
            max: value.checked_sub(U256::ONE).ok_or_else(never)?,
        }),
        _ => Err(format!(
            "'{operator}' is no comparison: use <, <=, =, >=, >, a range 'a .. b', or `not:` around it"
        )),
    }
}

/// A comparison of a quantity that has 64 bits.
pub(super) fn comparison_u64(text: &str) -> Result<Range<u64>, String> {
    let wide = comparison(text)?;
    let Ok(min) = u64::try_from(wide.min) else {
        return Err(format!(
            "'{}' can never hold for a 64-bit number",
            text.trim()
        ));
    };
    Ok(Range {
        min,
        max: u64::try_from(wide.max).unwrap_or(u64::MAX),
    })
}

/// `10`, `1_000`, `0x1f`, `1.5 ether`, `1e18`, `max`.
pub(super) fn amount(text: &str) -> Result<U256, String> {
    let text = text.trim();
    let bad = || {
        format!(
            "'{text}' is no amount: write a whole number, 0x…, 1e18, max, or a number and a unit (wei, gwei, ether)"
        )
    };
    if text == "max" {
        return Ok(U256::MAX);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        let digits = digits.replace('_', "");
        if digits.is_empty() || digits.len() > 64 {
            return Err(bad());
        }
        return U256::from_str_radix(&digits, 16).map_err(|_| bad());
    }
    let unit = text
        .find(|c: char| c.is_ascii_alphabetic() && c != 'e')
        .unwrap_or(text.len());
    // `1 ether` starts its unit with the letter of an exponent.
    let unit = text.find(" e").map_or(unit, |i| i.min(unit));
    let (number, unit) = text.split_at(unit);
    let decimals = match unit.trim() {
        "" | "wei" => 0,
        "gwei" => 9,
        "ether" | "eth" => 18,
        other => return Err(format!("'{other}' is no unit: use wei, gwei or ether")),
    };
    decimal(number.trim(), decimals).ok_or_else(bad)
}

/// Exact: digits below one wei are an error, not rounded away.
fn decimal(text: &str, decimals: usize) -> Option<U256> {
    let text = text.replace('_', "");
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, usize::from(exponent.parse::<u8>().ok()?)),
        None => (text.as_str(), 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let zeros = (decimals + exponent).checked_sub(fraction.len())?;
    let digits = format!("{whole}{fraction}");
    // U256 has at most 78 decimal digits.
    if whole.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || digits.len() + zeros > 78
    {
        return None;
    }
    U256::from_str(&format!("{digits}{}", "0".repeat(zeros))).ok()
}

/// Twenty bytes as hex; where it has mixed case, its EIP-55 checksum must be right.
pub(super) fn address(text: &str) -> Result<Address, String> {
    let text = text.trim();
    let digits = text
        .strip_prefix("0x")
        .ok_or_else(|| format!("'{text}' is no address: it starts with 0x"))?;
    if digits.len() != 40 {
        return Err(format!(
            "'{text}' is no address: it has {} hex digits instead of 40",
            digits.len()
        ));
    }
    let address = Address::from_str(text)
        .map_err(|_| format!("'{text}' is no address: it is not hexadecimal"))?;
    let mixed = digits.bytes().any(|b| b.is_ascii_lowercase())
        && digits.bytes().any(|b| b.is_ascii_uppercase());
    if mixed && Address::parse_checksummed(text, None).is_err() {
        return Err(format!(
            "'{text}' has a wrong checksum: check it for a typo, or write it in lower case"
        ));
    }
    Ok(address)
}

/// `0x2e1a7d4d`.
pub(super) fn selector(text: &str) -> Result<[u8; 4], String> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or("");
    if digits.len() == 8
        && let Ok(bytes) = hex::decode(digits)
        && let Ok(selector) = <[u8; 4]>::try_from(bytes)
    {
        return Ok(selector);
    }
    Err(format!(
        "'{text}' is no selector: write 0x and eight hex digits, or use `function:` with a text signature"
    ))
}

/// `withdraw(uint256)`, by the hash of its canonical form.
pub(super) fn function(text: &str) -> Result<[u8; 4], String> {
    let text = text.trim();
    if text.len() > 1_024 {
        return Err("a function signature has at most 1024 characters".to_owned());
    }
    if text.starts_with("0x") {
        return Err(format!("'{text}' is a selector: use `selector:` for it"));
    }
    if !text.contains('(') {
        return Err(format!(
            "'{text}' has no parameter types: write for example {text}(uint256), or {text}()"
        ));
    }
    let parsed = Function::parse(text).map_err(|_| {
        format!("'{text}' is no function signature: write its name and parameter types, like transfer(address,uint256)")
    })?;
    Ok(parsed.selector().0)
}

/// Either form.
pub(super) fn function_or_selector(text: &str) -> Result<[u8; 4], String> {
    if text.trim().starts_with("0x") {
        selector(text)
    } else {
        function(text)
    }
}

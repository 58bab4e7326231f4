//! Amounts and functions as people read them.

use super::protected::Protected;
use crate::evidence::transfers::Asset;
use alloy_primitives::U256;
use alloy_primitives::utils::format_ether;

/// `12.4 ETH`, `1500000 units of 0x…`, `number 7 of 0x…`.
pub(super) fn amount(native: &str, asset: Asset, amount: U256) -> String {
    match asset {
        Asset::Native => format!("{} {native}", rounded(&format_ether(amount))),
        Asset::Token(token) => format!("{amount} units of {token}"),
        Asset::Unique(token, id) => format!("number {id} of {token}"),
    }
}

/// Without digits that say nothing: four behind the point, more only for what is smaller.
fn rounded(decimal: &str) -> &str {
    let Some((whole, fraction)) = decimal.split_once('.') else {
        return decimal;
    };
    let digits = match fraction.find(|digit| digit != '0') {
        Some(first) if whole == "0" => (first + 4).min(fraction.len()),
        Some(_) => fraction.len().min(4),
        None => 0,
    };
    let kept = fraction[..digits].trim_end_matches('0');
    match kept.len() {
        0 => whole,
        length => &decimal[..whole.len() + 1 + length],
    }
}

/// `(31 % of its balance)`, where that is known.
pub(super) fn percent(share: f64) -> String {
    match 100.0 * share {
        small if small < 0.1 => format!("{small:.3} %"),
        small if small < 10.0 => format!("{small:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// The name of a called function of the contract, else its selector.
pub(super) fn function(contract: &Protected, input: &[u8]) -> String {
    let Some(selector) = input.first_chunk::<4>() else {
        return "its receive function".to_owned();
    };
    match contract.function(*selector) {
        Some(name) => format!("{name}()"),
        None => format!(
            "function {}",
            alloy_primitives::hex::encode_prefixed(selector)
        ),
    }
}

/// `once`, `5 times`.
pub(super) fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// `a` of `b`, for comparisons: 0 where `b` is 0.
pub(super) fn share(a: U256, b: U256) -> f64 {
    if b.is_zero() {
        return 0.0;
    }
    f64::from(a) / f64::from(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_native_bears_the_chains_symbol() {
        let wei = U256::from(12_400_000_000_000_000_000_u64);
        assert_eq!(amount("BNB", Asset::Native, wei), "12.4 BNB");
        assert_eq!(amount("ETH", Asset::Native, U256::ZERO), "0 ETH");
    }
}

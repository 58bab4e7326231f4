//! How a chain's base fee moves.

use alloy_eips::eip1559::{BaseFeeParams, calc_next_block_base_fee};
use serde::Deserialize;

/// Wei per gas above which a fee is no real one; with it and these bounds no sum of EIP-1559 overflows.
const MOST: u64 = 1 << 56;
const MOST_ELASTIC: u32 = 64;

/// EIP-1559's two parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseFee {
    /// A block's gas limit is this many times its target.
    pub elasticity: u32,
    /// A full block raises the fee by (elasticity − 1) of this many parts.
    pub denominator: u32,
    /// Each header has its own in its extra data, as Optimism's chains write them since Holocene.
    #[serde(default)]
    pub in_header: bool,
}

impl BaseFee {
    pub const ETHEREUM: Self = Self {
        elasticity: 2,
        denominator: 8,
        in_header: false,
    };

    pub(super) fn is_valid(&self) -> bool {
        (1..=MOST_ELASTIC).contains(&self.elasticity) && self.denominator > 0
    }

    /// Wei per gas in the block after one with these figures. A header may claim any: an absurd fee stays as it is, and no
    /// block uses more gas than its limit.
    pub(super) fn next(self, own: u128, gas_used: u64, gas_limit: u64, extra: &[u8]) -> u128 {
        let Some(own) = u64::try_from(own).ok().filter(|own| *own <= MOST) else {
            return own;
        };
        let told = self.in_header.then(|| optimism(extra)).flatten();
        let (rule, least) = told.unwrap_or((self, 0));
        let parameters = BaseFeeParams::new(rule.denominator.into(), rule.elasticity.into());
        let next = calc_next_block_base_fee(gas_used.min(gas_limit), gas_limit, own, parameters);
        next.max(least).into()
    }
}

/// Parameters and the least base fee, as Holocene (version 0) and Jovian (version 1) put them into the extra data.
fn optimism(extra: &[u8]) -> Option<(BaseFee, u64)> {
    let (version, rest) = extra.split_first()?;
    let (denominator, rest) = rest.split_first_chunk()?;
    let (elasticity, rest) = rest.split_first_chunk()?;
    let least = match (version, rest) {
        (0, []) => 0,
        (1, rest) => u64::from_be_bytes(rest.try_into().ok()?),
        _ => return None,
    };
    let rule = BaseFee {
        elasticity: u32::from_be_bytes(*elasticity),
        denominator: u32::from_be_bytes(*denominator),
        in_header: true,
    };
    rule.is_valid().then_some((rule, least))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// EIP-1559's own words with Ethereum's parameters.
    fn by_hand(base: u128, used: u64, limit: u64) -> u128 {
        let (target, used) = (u128::from(limit / 2), u128::from(used));
        if target == 0 {
            return base;
        }
        if used >= target {
            base + (base * (used - target) / target / 8).max(u128::from(used > target))
        } else {
            base - base * (target - used) / target / 8
        }
    }

    /// Most are real ones; the rest are at the edges.
    fn gas() -> impl Strategy<Value = u64> {
        prop_oneof![0..60_000_000u64, 0..4u64, any::<u64>(), Just(u64::MAX)]
    }

    proptest! {
        #[test]
        fn ethereums_next_base_fee_is_eip_1559s(
            base in prop_oneof![0..200_000_000_000u64, 0..16u64, 0..=MOST],
            limit in gas(),
            used in gas(),
        ) {
            let (base, used) = (u128::from(base), used.min(limit));
            prop_assert_eq!(BaseFee::ETHEREUM.next(base, used, limit, &[]), by_hand(base, used, limit));
        }

        #[test]
        fn no_header_is_too_absurd(
            base in prop_oneof![Just(u128::MAX), any::<u128>(), any::<u64>().prop_map(u128::from)],
            limit in gas(),
            used in gas(),
            elasticity in 1..=MOST_ELASTIC,
            denominator in 1..=u32::MAX,
            extra in proptest::collection::vec(any::<u8>(), 0..33),
        ) {
            let rule = BaseFee { elasticity, denominator, in_header: true };
            rule.next(base, used, limit, &extra);
        }
    }

    #[test]
    fn the_parameters_of_a_header_count_where_it_has_them() {
        let base = BaseFee {
            elasticity: 6,
            denominator: 250,
            in_header: true,
        };
        let next = |extra: &[u8]| base.next(1_000_000, 60_000_000, 60_000_000, extra);
        assert_eq!(next(&[]), 1_020_000);
        // Denominator 100, elasticity 4.
        assert_eq!(next(&[0, 0, 0, 0, 100, 0, 0, 0, 4]), 1_030_000);
        let mut jovian = vec![1, 0, 0, 0, 100, 0, 0, 0, 4];
        jovian.extend(2_000_000u64.to_be_bytes());
        assert_eq!(next(&jovian), 2_000_000);
        // Neither zeros nor another form.
        assert_eq!(next(&[0; 9]), 1_020_000);
        assert_eq!(next(b"some builder"), 1_020_000);
    }
}

//! What leaves monitored contracts and nothing accounts for: too little by itself for an alert, and more with the next one.

use super::transfers::Asset;
use alloy_primitives::U256;
use std::sync::Arc;

/// What one transaction takes of one asset, and neither books nor authority account for.
#[derive(Debug, Clone, PartialEq)]
pub struct Unaccounted {
    /// The monitored contract's name.
    pub contract: Arc<str>,
    pub asset: Asset,
    /// Smallest units.
    pub amount: U256,
    /// What the contract had of it before, after all that is executed before it.
    pub before: U256,
    /// More than usual leaves at once: what is small with others is not made an alert by it.
    pub large: bool,
    /// The share of that above which it is an alert together with what others take, 0 to 1.
    pub limit: f64,
}

/// What others take of one asset of one contract, pending or in the last blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    pub contract: Arc<str>,
    pub asset: Asset,
    /// Smallest units, of all together.
    pub amount: U256,
    /// The most that the contract had of it before any of them.
    pub before: U256,
    /// How many transactions.
    pub count: usize,
}

impl Unaccounted {
    /// Whether what another transaction takes is summed up with it.
    pub fn counts(&self, other: &Self) -> bool {
        let same = self.contract == other.contract && self.asset == other.asset;
        same && (self.large || !other.large)
    }

    /// Of what others take, what is missing where this one begins: what fails there, is not executed, or came back
    /// meanwhile is not taken.
    pub fn missing(&self, others: &Taken) -> U256 {
        others.amount.min(others.before.saturating_sub(self.before))
    }

    /// The share that leaves with what others took by then.
    pub fn share(&self, others: &Taken) -> f64 {
        self.share_with(others, self.missing(others))
    }

    /// Whether that is too much.
    pub fn exceeds(&self, others: &Taken) -> bool {
        self.is_of(others) && self.share(others) > self.limit
    }

    /// Whether it would be too much if others took all that they take by themselves: only after them it is known.
    pub fn may_exceed(&self, others: &Taken) -> bool {
        self.is_of(others) && self.share_with(others, others.amount) > self.limit
    }

    fn is_of(&self, others: &Taken) -> bool {
        self.contract == others.contract && self.asset == others.asset
    }

    fn share_with(&self, others: &Taken, amount: U256) -> f64 {
        let amount = self.amount.saturating_add(amount);
        let before = self.before.max(others.before);
        (f64::from(amount) / f64::from(before).max(1.0)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four of what the contract has.
    fn own(before: u64) -> Unaccounted {
        Unaccounted {
            contract: "Vault".into(),
            asset: Asset::Native,
            amount: U256::from(4),
            before: U256::from(before),
            large: false,
            limit: 0.05,
        }
    }

    /// Four of a hundred.
    fn others() -> Taken {
        Taken {
            contract: "Vault".into(),
            asset: Asset::Native,
            amount: U256::from(4),
            before: U256::from(100),
            count: 1,
        }
    }

    #[test]
    fn what_others_took_counts_as_far_as_it_is_missing() {
        assert!(own(96).exceeds(&others()));
        // They fail, or the next block is too dear for them; or what they took came back.
        assert!(!own(100).exceeds(&others()) && !own(120).exceeds(&others()));
        assert_eq!(own(97).missing(&others()), U256::from(3), "a part did");
        // What else left is not theirs.
        assert_eq!(own(50).missing(&others()), U256::from(4));
    }

    #[test]
    fn before_it_is_executed_after_them_all_of_it_counts() {
        assert!(own(100).may_exceed(&others()));
        let other = Taken {
            asset: Asset::Token(Default::default()),
            ..others()
        };
        assert!(!own(100).may_exceed(&other));
    }
}

//! Contracts that were met: each is told of once, and again where it is another one, or comes back.

use crate::evidence::{Deployment, Sighting};
use crate::simulate::creations::Origin;
use alloy_primitives::{Address, B256, keccak256};

/// A contract that was told of.
#[derive(Debug, Clone, Copy)]
pub struct Met {
    /// Its code's hash; zero where it is gone.
    pub code: B256,
    pub mined: bool,
    pub origin: Origin,
    pub creator: Address,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    New,
    /// It is as it was.
    Known,
    /// A block has now what was pending, or simulated.
    Came,
}

impl Met {
    /// What it is to meet a contract of which this was known `before`, and what is known then.
    pub fn again(before: Option<Self>, deployment: &Deployment) -> (Meeting, Self) {
        let met = Self::of(deployment);
        // That it is gone, or who made it is not known, is told of anew.
        let before = before.filter(|one| !one.code.is_zero() && !one.origin.tx.is_zero());
        // Another code may come to be where there was one.
        let same = |known: &Self| known.code == met.code || deployment.code.is_empty();
        let Some(known) = before.filter(same) else {
            return (Meeting::New, met);
        };
        let meeting = match met.mined && !known.mined {
            true => Meeting::Came,
            false => Meeting::Known,
        };
        let code = known.code;
        (meeting, Self { code, ..met })
    }

    pub fn of(deployment: &Deployment) -> Self {
        Self {
            code: keccak256(&deployment.code),
            mined: matches!(deployment.seen, Sighting::Mined { .. }),
            origin: Origin::of(deployment),
            creator: deployment.creator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Bytes;

    const MINED: Sighting = Sighting::Mined {
        block: 7,
        timestamp: 9,
    };

    fn deployment(tx: u8, code: &'static [u8], seen: Sighting) -> Deployment {
        let origin = Origin {
            tx: B256::repeat_byte(tx),
            ..Origin::unknown(Address::ZERO, seen)
        };
        Deployment {
            code: Bytes::from_static(code),
            ..origin.deployment(Address::ZERO, Address::ZERO)
        }
    }

    #[test]
    fn a_contract_is_new_once_and_comes_once_unless_it_is_another_or_was_gone() {
        let pending = deployment(1, b"code", Sighting::Pending);
        let (meeting, met) = Met::again(None, &pending);
        assert_eq!(meeting, Meeting::New);
        let meets = |met, deployment: &Deployment| Met::again(Some(met), deployment).0;
        assert_eq!(meets(met, &pending), Meeting::Known);
        let mined = deployment(1, b"code", MINED);
        let (meeting, came) = Met::again(Some(met), &mined);
        assert_eq!(
            (meeting, meets(came, &mined)),
            (Meeting::Came, Meeting::Known)
        );
        // With a code that could not be had it is as it was.
        let unread = deployment(1, b"", MINED);
        let (meeting, still) = Met::again(Some(met), &unread);
        assert_eq!((meeting, still.code), (Meeting::Came, met.code));
        let other = deployment(2, b"other", MINED);
        assert_eq!(meets(came, &other), Meeting::New);
        let gone = Met {
            code: B256::ZERO,
            ..came
        };
        for back in [&mined, &unread] {
            assert_eq!(meets(gone, back), Meeting::New);
        }
        // Who was fetched, and is found in its block then.
        let unknown = Met::of(&deployment(0, b"code", MINED));
        assert_eq!(meets(unknown, &mined), Meeting::New);
    }
}

//! Who has to do with a monitored contract without naming it in code or calldata: learnt from what blocks and simulations show.

use alloy_primitives::Address;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Accounts remembered. Each new one costs somebody a slot of storage, or a call of the contract.
const MOST: usize = 1 << 16;
/// Monitored contracts of one account.
const CONTACTS: usize = 32;

/// Accounts that led to monitored contracts, or keep their addresses in storage; the one that was seen longest ago gives way.
#[derive(Debug, Default)]
pub struct Acquaintances {
    /// With how often each stands in the order.
    known: HashMap<Address, (Vec<u16>, u32)>,
    /// Oldest first; who was seen again stands there more than once.
    order: VecDeque<Address>,
}

impl Acquaintances {
    /// As indices.
    #[inline]
    pub fn get(&self, account: &Address) -> &[u16] {
        self.known
            .get(account)
            .map_or(&[], |(contacts, _)| contacts)
    }

    /// Answers whether that was not known.
    pub fn learn(&mut self, account: Address, contact: u16) -> bool {
        let (contacts, places) = self.known.entry(account).or_default();
        let news = !contacts.contains(&contact) && contacts.len() < CONTACTS;
        if news {
            contacts.push(contact);
        }
        *places += 1;
        self.order.push_back(account);
        while (self.known.len() > MOST || self.order.len() > 2 * MOST)
            && let Some(oldest) = self.order.pop_front()
        {
            if let Some((_, places)) = self.known.get_mut(&oldest) {
                *places -= 1;
                if *places == 0 {
                    self.known.remove(&oldest);
                }
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: usize) -> Address {
        Address::left_padding_from(&n.to_be_bytes())
    }

    #[test]
    fn what_was_learnt_is_known_once() {
        let mut all = Acquaintances::default();
        assert!(all.learn(account(1), 3) && all.learn(account(1), 4));
        assert!(!all.learn(account(1), 3));
        assert_eq!(
            (all.get(&account(1)), all.get(&account(2))),
            (&[3, 4][..], &[][..])
        );
    }

    #[test]
    fn memory_is_bounded_and_who_is_seen_again_stays() {
        let mut all = Acquaintances::default();
        for n in 0..3 * MOST {
            all.learn(account(n), 0);
            all.learn(account(0), (n % 100) as u16);
        }
        assert!(all.known.len() <= MOST && all.order.len() <= 2 * MOST);
        assert_eq!(all.get(&account(0)).len(), CONTACTS);
        assert!(all.get(&account(1)).is_empty());
    }
}

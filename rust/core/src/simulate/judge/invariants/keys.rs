//! By what a slot is keyed: whoever hashed a mapping's key in the execution told it.

use super::lanes::says;
use crate::simulate::evm::preimages::Preimages;
use alloy_primitives::{Address, B256, U256, keccak256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Words of a structure that lie behind a mapping's slot.
const STRUCTURE: U256 = U256::from_limbs([32, 0, 0, 0]);
/// Words of a list, which lies behind the hash of its place.
const LIST: U256 = U256::from_limbs([1 << 32, 0, 0, 0]);
/// Where the lists of the first variables begin, with the variable's place: compilers work these hashes out beforehand, so
/// that nobody hashes.
static LISTS: LazyLock<BTreeMap<U256, U256>> = LazyLock::new(|| {
    let places = (0..256_u64).map(U256::from);
    places
        .map(|place| (keccak256(place.to_be_bytes::<32>()).into(), place))
        .collect()
});
/// Mappings of mappings.
const NESTED: usize = 4;
/// Accounts as keys are numbers above this; below are indices and places of variables.
const ACCOUNT_BITS: usize = 64;

/// The hashes of an execution and what they are of.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    inputs: BTreeMap<U256, &'a [u8]>,
    /// Whose code worked out which.
    by: BTreeSet<(U256, Address)>,
}

impl<'a> Keys<'a> {
    pub fn new(hashed: &'a Preimages) -> Self {
        // A name in plain text is a variable's own place, as proxies choose theirs.
        let text = |input: &[u8]| input.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let mut keys = Self::default();
        let inputs = hashed.iter().filter(|(_, _, input)| !text(input));
        for (hash, by, input) in inputs {
            keys.inputs.insert(hash, input);
            keys.by.insert((hash, by));
        }
        keys
    }

    /// What the hash was of that the slot lies at or shortly behind; `None` of a variable of its own.
    fn key(&self, slot: U256) -> Option<&'a [u8]> {
        let (hash, input) = self.inputs.range(..=slot).next_back()?;
        let words = match input.len() {
            32 => LIST,
            _ => STRUCTURE,
        };
        (slot - hash < words).then_some(*input)
    }

    /// Whether it is a mapping's slot, or a list's, and no variable of its own.
    pub fn keyed(&self, slot: U256) -> bool {
        self.key(slot).is_some() || known_list(slot).is_some()
    }

    /// The variable that has the length of the list that a slot lies in; `None` of what lies in none.
    pub fn list(&self, slot: U256) -> Option<U256> {
        match self.key(slot) {
            Some(place) if place.len() == 32 => Some(U256::from_be_slice(place)),
            Some(_) => None,
            None => known_list(slot),
        }
    }

    /// Whether an account is among the keys, in whatever order and packing the compiler hashes them.
    pub fn names(&self, slot: U256, account: Address) -> bool {
        self.chain(slot).any(|input| says(input, account))
    }

    /// The keys that look like accounts: a balance has one, an allowance two.
    pub fn accounts(&self, slot: U256) -> impl Iterator<Item = Address> {
        let words = self.chain(slot).flat_map(|input| input.chunks_exact(32));
        words.filter_map(account)
    }

    /// Keys of the slot that are no accounts: numbers of positions, hashes of messages.
    pub fn numbers(&self, slot: U256) -> impl Iterator<Item = &'a [u8]> {
        self.chain(slot).filter_map(|input| {
            let key = match input.len() {
                // Of a list that grows it is the place alone.
                32 => return None,
                64 if self.is_place(&input[32..]) => &input[..32],
                64 => &input[32..],
                _ => input,
            };
            account(key).is_none().then_some(key)
        })
    }

    /// Whether a word is where a mapping lies: a variable's number, or behind another hash.
    fn is_place(&self, word: &[u8]) -> bool {
        let word = U256::from_be_slice(word);
        word.bit_len() <= ACCOUNT_BITS || self.keyed(word)
    }

    /// The slots of the structure that a slot lies in: from the first to one behind the last.
    pub fn structure(&self, slot: U256) -> Option<std::ops::Range<U256>> {
        let (hash, _) = self.inputs.range(..=slot).next_back()?;
        (slot - hash < STRUCTURE).then(|| *hash..hash.saturating_add(STRUCTURE))
    }

    /// What a hash is of that an account's own code worked out.
    pub fn preimage(&self, hash: U256, by: Address) -> Option<&'a [u8]> {
        let input = self.inputs.get(&hash).copied();
        input.filter(|_| self.by.contains(&(hash, by)))
    }

    /// What was hashed for the slot, from the innermost key on.
    fn chain(&self, slot: U256) -> impl Iterator<Item = &'a [u8]> {
        let mut next = self.key(slot);
        std::iter::from_fn(move || {
            let input = next?;
            // The place of the outer mapping is a word of it: Solidity hashes the key first, Vyper the place.
            let words = input.chunks_exact(32).map(U256::from_be_slice);
            next = words.rev().find_map(|word| self.key(word));
            Some(input)
        })
        .take(NESTED)
    }
}

fn known_list(slot: U256) -> Option<U256> {
    let (begin, place) = LISTS.range(..=slot).next_back()?;
    (slot - begin < LIST).then_some(*place)
}

/// The account that a word is, unless it is too small or too large for one.
pub(super) fn account(word: &[u8]) -> Option<Address> {
    let word = U256::try_from_be_slice(word.get(..32)?)?;
    let bits = word.bit_len();
    (ACCOUNT_BITS < bits && bits <= 160).then(|| Address::from_word(B256::from(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Address = Address::repeat_byte(0xa1);
    const BOB: Address = Address::repeat_byte(0xb0);

    fn hash(hashed: &mut Preimages, input: &[u8]) -> U256 {
        let hash = keccak256(input).into();
        hashed.push(ALICE, input);
        hashed.came_out(hash);
        hash
    }

    fn pair(first: impl Into<B256>, second: impl Into<B256>) -> Vec<u8> {
        [first.into(), second.into()].map(|word| word.0).concat()
    }

    #[test]
    fn a_mapping_by_account_is_known_from_both_compilers_and_behind_its_first_word() {
        let mut hashed = Preimages::default();
        let place = U256::from(3);
        let solidity = hash(&mut hashed, &pair(ALICE.into_word(), place));
        let vyper = hash(&mut hashed, &pair(place, BOB.into_word()));
        let keys = Keys::new(&hashed);
        for (slot, own, other) in [(solidity, ALICE, BOB), (vyper, BOB, ALICE)] {
            let second = slot + U256::from(2);
            assert!(keys.names(slot, own) && keys.names(second, own));
            assert!(!keys.names(slot, other) && !keys.names(slot + STRUCTURE, own));
            assert_eq!(keys.accounts(second).count(), 1);
        }
        assert!(!keys.keyed(place) && !keys.keyed(U256::MAX));
    }

    #[test]
    fn an_allowance_has_two_accounts_and_a_balance_among_numbered_positions_one() {
        let mut hashed = Preimages::default();
        let outer = hash(&mut hashed, &pair(ALICE.into_word(), U256::from(1)));
        let allowance = hash(&mut hashed, &pair(BOB.into_word(), outer));
        let number = hash(&mut hashed, &pair(U256::from(77), U256::from(2)));
        // A mapping within a structure, two words behind its begin.
        let inside = hash(&mut hashed, &pair(BOB.into_word(), number + U256::from(2)));
        let keys = Keys::new(&hashed);
        assert_eq!(keys.accounts(allowance).count(), 2);
        assert!(keys.names(allowance, ALICE) && keys.names(allowance, BOB));
        let count = |slot| keys.accounts(slot).count();
        assert_eq!((count(inside), count(number)), (1, 0));
        assert!(keys.names(inside, BOB) && keys.keyed(number));
    }

    #[test]
    fn packed_keys_name_their_account() {
        let mut hashed = Preimages::default();
        let packed = [ALICE.as_slice(), &[0, 1, 2, 3, 4, 5]].concat();
        let position = hash(&mut hashed, &packed);
        let slot = hash(&mut hashed, &pair(position, U256::from(7)));
        let keys = Keys::new(&hashed);
        assert!(keys.names(slot, ALICE) && !keys.names(slot, BOB));
    }

    #[test]
    fn a_name_in_plain_text_is_no_key() {
        let mut hashed = Preimages::default();
        let place = hash(&mut hashed, b"org.zeppelinos.proxy.implementation");
        assert!(!Keys::new(&hashed).keyed(place));
    }

    #[test]
    fn an_element_of_a_list_is_no_variable_whether_its_place_was_hashed_or_not() {
        let mut hashed = Preimages::default();
        let far = U256::from(1_000);
        let known = hash(&mut hashed, &U256::from(700).to_be_bytes::<32>());
        let keys = Keys::new(&hashed);
        let folded: U256 = keccak256(U256::from(7).to_be_bytes::<32>()).into();
        let strange: U256 = keccak256(b"somewhere").into();
        assert!(keys.keyed(known + far) && keys.keyed(folded + far));
        assert!(!keys.keyed(strange) && !keys.keyed(folded - U256::ONE));
    }

    #[test]
    fn whose_hash_it_is_counts() {
        let mut hashed = Preimages::default();
        let made = hash(&mut hashed, &pair(BOB.into_word(), U256::from(1)));
        let keys = Keys::new(&hashed);
        assert!(keys.preimage(made, ALICE).is_some());
        assert!(keys.preimage(made, BOB).is_none());
    }

    #[test]
    fn a_hash_of_itself_ends() {
        let mut hashed = Preimages::default();
        let mut last = hash(&mut hashed, &pair(U256::from(1), U256::from(2)));
        for _ in 0..100 {
            last = hash(&mut hashed, &pair(last, last));
        }
        assert_eq!(Keys::new(&hashed).accounts(last).count(), 0);
    }
}

//! What storage new contracts have, as a diff of the state tells.

use crate::evidence::Deployment;
use crate::simulate::evm::told::ToldDiff;
use alloy_primitives::U256;
use hashbrown::HashMap;

/// Slots of one contract that are kept.
const SLOTS: usize = 64;

/// Of what a contract has in storage, the first slots that hold something, by their number.
pub fn first_slots(slots: impl IntoIterator<Item = (U256, U256)>) -> Vec<(U256, U256)> {
    let slots = slots.into_iter().filter(|(_, value)| !value.is_zero());
    let mut slots: Vec<_> = slots.collect();
    slots.sort_unstable();
    slots.truncate(SLOTS);
    slots
}

/// Adds to the deployments of a block what its transactions left in their storage. `diffs`: the block's, as the state's keeper asks
/// for them anyway (`prestateTracer` in `diffMode`). Twins have what the first has.
pub fn add_stored(deployments: &mut [Deployment], diffs: &[ToldDiff]) {
    let created = deployments.iter().enumerate();
    let created: HashMap<_, _> = created.map(|(index, one)| (one.address, index)).collect();
    let mut stored: HashMap<usize, HashMap<U256, U256>> = HashMap::new();
    for ToldDiff { pre, post } in diffs {
        // What a diff has before and not after is zero.
        let cleared = pre
            .iter()
            .map(|(address, account)| (address, account, true));
        let written = post
            .iter()
            .map(|(address, account)| (address, account, false));
        for (address, account, cleared) in cleared.chain(written) {
            let Some(index) = created.get(address) else {
                continue;
            };
            let slots = stored.entry(*index).or_default();
            for (slot, value) in &account.storage {
                let value = if cleared { U256::ZERO } else { (*value).into() };
                slots.insert((*slot).into(), value);
            }
        }
    }
    for (index, slots) in stored {
        deployments[index].stored = first_slots(slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Sighting;
    use crate::simulate::evm::told::block_diffs;
    use crate::survey::creations::Origin;
    use alloy_primitives::{Address, B256};
    use serde_json::json;

    #[test]
    fn what_a_block_left_in_a_new_contracts_storage_is_its_own() {
        let contract = Address::repeat_byte(0xc0);
        let origin = Origin {
            deployer: Address::ZERO,
            tx: B256::ZERO,
            nonce: 0,
            seen: Sighting::Pending,
        };
        let mut deployments = [origin.deployment(contract, Address::ZERO)];
        let word = |n: u64| B256::from(U256::from(n));
        let storage = |slots: &[(u64, u64)]| {
            let slots = slots
                .iter()
                .map(|(k, v)| (word(*k).to_string(), json!(word(*v))));
            json!({contract.to_string(): {"storage": slots.collect::<serde_json::Map<_, _>>()}})
        };
        let diffs = json!([
            {"result": {"pre": {}, "post": storage(&[(1, 7), (2, 8), (3, 0)])}},
            {"result": {"pre": storage(&[(1, 7), (2, 8)]), "post": storage(&[(2, 9)])}},
            {"result": {"pre": {}, "post": {Address::ZERO.to_string(): {"storage": {}}}}},
        ]);
        let diffs = block_diffs(diffs.to_string().as_bytes()).unwrap();
        add_stored(&mut deployments, &diffs);
        assert_eq!(deployments[0].stored, [(U256::from(2), U256::from(9))]);
        assert_eq!(
            first_slots((1..1_000).map(|n| (U256::from(n), U256::ONE))).len(),
            SLOTS
        );
    }
}

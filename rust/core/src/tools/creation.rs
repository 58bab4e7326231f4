//! Who created a contract, of nodes that have no index of that: its block is the first whose state has the code.

use super::nodes::Nodes;
use crate::evidence::Deployment;
use crate::survey::Surveyor;
use alloy_primitives::Address;

/// The contract as a sensor would have found it in its block, or in words why nobody tells.
pub(super) fn find(nodes: &Nodes, address: Address, head: u64) -> Result<Deployment, String> {
    let has_code = |number: u64| {
        let code = nodes.code_of(&address, &format!(r#""{number:#x}""#));
        code.map(|code| !code.is_empty())
            .map_err(|error| error.to_string())
    };
    let number = first(head, has_code)?;
    let header = nodes.header(&number.to_string());
    let hash = header.map_err(|error| error.to_string())?.hash;
    let mut surveyor = Surveyor::new(nodes.asker.clone(), None);
    let survey = surveyor.survey(hash, nodes.deadline);
    let found = survey.map_err(|error| error.to_string())?.deployments;
    let own = |one: &Deployment| one.address == address || one.twins.contains(&address);
    let found = found.into_iter().find(own).ok_or_else(|| {
        format!("it is there since block {number}, of which no node tells what it created")
    })?;
    Ok(Deployment { address, ..found })
}

/// The first block up to `head`, which has the code, that has it: backwards in growing steps, since what is asked about is
/// young and nodes forget old states, then by halves.
fn first(head: u64, has_code: impl Fn(u64) -> Result<bool, String>) -> Result<u64, String> {
    let (mut with, mut without, mut step) = (head, None, 1);
    // Why it is not known whether `without` has it.
    let mut unknown = None;
    loop {
        let next = match without {
            None if with == 0 => return Err("it is there since the first block".into()),
            None => with.saturating_sub(step),
            Some(without) if with - without > 1 => without + (with - without) / 2,
            Some(_) => break,
        };
        step = step.saturating_mul(2);
        match has_code(next) {
            Ok(true) => with = next,
            Ok(false) => (without, unknown) = (Some(next), None),
            Err(why) => (without, unknown) = (Some(next), Some(why)),
        }
    }
    match unknown {
        None => Ok(with),
        Some(why) => Err(format!(
            "it is older than block {with}, before which no node has the state: {why}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    #[test]
    fn what_is_older_than_the_states_that_a_node_has_is_not_known() {
        let pruned = |number: u64| match number {
            0..900 => Err("missing trie node".into()),
            _ => Ok(true),
        };
        let why = first(1_000, pruned).unwrap_err();
        assert!(
            why.contains("block 900") && why.contains("missing trie node"),
            "{why}"
        );
        let since = first(1_000, |_| Ok(true)).unwrap_err();
        assert!(since.contains("first block"), "{since}");
    }

    proptest! {
        #[test]
        fn the_first_block_is_found_in_few_questions(head in any::<u64>(), age in any::<u64>(), pruned in any::<u64>()) {
            let created = head - age % head.max(1);
            let oldest = pruned % created.max(1);
            let asked = Cell::new(0);
            let has_code = |number: u64| {
                asked.set(asked.get() + 1);
                if number < oldest { Err("pruned".to_owned()) } else { Ok(number >= created) }
            };
            let found = first(head, has_code);
            // Of the first block of all it cannot be said.
            prop_assert_eq!(found.ok(), (created > 0).then_some(created));
            prop_assert!(asked.get() <= 2 * 65);
        }
    }
}

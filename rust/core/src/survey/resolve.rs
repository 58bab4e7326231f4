//! Leads clones and delegations to the code that they run.

use crate::chain::implementation;
use crate::evidence::{Deployment, Implementation};
use alloy_primitives::{Address, Bytes};
use hashbrown::HashMap;

/// How far a clone of a clone is followed.
const HOPS: usize = 3;
/// Implementations that are asked for at once.
const IMPLEMENTATIONS: usize = 256;

/// Sets what each clone or delegation among `deployments` runs. `codes` answers what code accounts have, as many answers as it is
/// given accounts, nothing where it cannot be had; it is asked for each account once. Returns how many run something whose code could
/// not be had: that is empty then.
pub fn resolve(
    deployments: &mut [Deployment],
    mut codes: impl FnMut(&[Address]) -> Vec<Option<Bytes>>,
) -> u64 {
    let mut known: HashMap<Address, Option<Bytes>> = HashMap::new();
    for _ in 0..HOPS {
        let mut wanted: Vec<_> = deployments
            .iter()
            .filter_map(|one| end(&one.code, &known))
            .filter(|end| !known.contains_key(end))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.truncate(IMPLEMENTATIONS);
        if wanted.is_empty() {
            break;
        }
        let mut answers = codes(&wanted).into_iter();
        known.extend(
            wanted
                .into_iter()
                .map(|account| (account, answers.next().flatten())),
        );
    }
    let mut unread = 0;
    for deployment in deployments {
        deployment.runs = end(&deployment.code, &known).map(|address| {
            let code = known.get(&address).cloned().flatten();
            unread += u64::from(code.is_none());
            let code = code.unwrap_or_default();
            Implementation { address, code }
        });
    }
    unread
}

/// The account at the end of what is known.
fn end(code: &Bytes, known: &HashMap<Address, Option<Bytes>>) -> Option<Address> {
    let mut end = implementation(code)?;
    for _ in 1..HOPS {
        let next = known.get(&end).and_then(Option::as_ref);
        match next.and_then(|code| implementation(code)) {
            Some(next) => end = next,
            None => break,
        }
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Sighting;
    use crate::simulate::creations::Origin;
    use alloy_primitives::{B256, hex};

    fn clone_of(address: Address) -> Bytes {
        let (head, tail) = (
            hex!("363d3d373d3d3d363d73"),
            hex!("5af43d82803e903d91602b57fd5bf3"),
        );
        [&head[..], address.as_slice(), &tail].concat().into()
    }

    fn deployment(code: Bytes) -> Deployment {
        let origin = Origin {
            deployer: Address::ZERO,
            tx: B256::ZERO,
            to: None,
            value: alloy_primitives::U256::ZERO,
            nonce: 0,
            seen: Sighting::Pending,
        };
        Deployment {
            code,
            ..origin.deployment(Address::ZERO, Address::ZERO)
        }
    }

    const LOGIC: Address = Address::repeat_byte(0x10);
    const CLONE: Address = Address::repeat_byte(0xc1);

    #[test]
    fn clones_and_clones_of_clones_lead_to_their_code_and_each_is_asked_for_once() {
        let code = Bytes::from_static(&[0x60; 80]);
        let delegation = [&hex!("ef0100")[..], CLONE.as_slice()].concat().into();
        let mut deployments =
            [clone_of(LOGIC), clone_of(CLONE), delegation, code.clone()].map(deployment);
        let mut asked = Vec::new();
        let unread = resolve(&mut deployments, |accounts| {
            asked.extend_from_slice(accounts);
            let code = |account: &Address| match *account {
                CLONE => clone_of(LOGIC),
                _ => code.clone(),
            };
            accounts.iter().map(|account| Some(code(account))).collect()
        });
        let logic = Implementation {
            address: LOGIC,
            code: code.clone(),
        };
        assert!(
            deployments[..3]
                .iter()
                .all(|one| one.runs.as_ref() == Some(&logic))
        );
        assert_eq!(deployments[3].runs, None);
        assert_eq!((unread, asked), (0, vec![LOGIC, CLONE]));
    }

    #[test]
    fn circles_end_and_what_nobody_tells_is_empty() {
        let mut deployments = [deployment(clone_of(CLONE))];
        let circle =
            |accounts: &[Address]| accounts.iter().map(|one| Some(clone_of(*one))).collect();
        assert_eq!(resolve(&mut deployments, circle), 0);
        assert_eq!(deployments[0].runs.as_ref().unwrap().address, CLONE);
        let unread = resolve(&mut deployments, |_| Vec::new());
        assert!(deployments[0].runs.as_ref().unwrap().code.is_empty());
        assert_eq!(unread, 1);
    }

    #[test]
    fn what_is_asked_at_once_is_bounded() {
        let other = |n: u64| Address::left_padding_from(&n.to_be_bytes());
        let clones = (1..=10_000).map(|n| deployment(clone_of(other(n))));
        let mut clones: Vec<_> = clones.collect();
        let mut rounds = 0;
        resolve(&mut clones, |accounts| {
            assert!(accounts.len() <= IMPLEMENTATIONS);
            rounds += 1;
            vec![Some(Bytes::from_static(&[0])); accounts.len()]
        });
        assert_eq!(rounds, HOPS);
        assert!(clones.iter().all(|one| one.runs.is_some()));
    }
}

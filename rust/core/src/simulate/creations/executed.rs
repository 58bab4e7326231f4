//! What a transaction would create that was executed here.

use super::{Creations, Origin, first_slots};
use crate::evidence::Deployment;
use crate::simulate::evm::diff::AccountDiff;
use crate::simulate::evm::execute::{Execution, Exit};
use alloy_primitives::Bytes;
use hashbrown::HashSet;
use revm::state::AccountInfo;

/// The deployments of an execution with their code and storage as they are afterwards, delegations (EIP-7702) among them; nothing
/// where it did not succeed. Clones have not been led to their implementation yet. Of an execution that a node made without a trace
/// and a diff (`eth_simulateV1`) nothing is known.
pub fn in_execution(execution: &Execution, origin: &Origin) -> Creations {
    let mut creations = Creations::default();
    if execution.exit != Exit::Succeeded {
        return creations;
    }
    let accounts = &execution.diff.0;
    let complete = |deployment: &mut Deployment| {
        if let Some(account) = accounts.get(&deployment.address) {
            take(deployment, account);
        }
    };
    creations.of_trace(origin, &execution.trace, complete);
    let frames = execution.trace.frames.iter();
    let created = frames.filter(|frame| frame.kind.creates());
    let created: HashSet<_> = created.filter_map(|frame| frame.to).collect();
    for (address, account) in accounts {
        let hash = |info: &Option<AccountInfo>| info.as_ref().map(|info| info.code_hash);
        let same = hash(&account.before) == hash(&account.after);
        if same || code(account).is_empty() || created.contains(address) {
            continue;
        }
        // A delegation: who has it signed it.
        let mut deployment = origin.deployment(*address, *address);
        take(&mut deployment, account);
        creations.add(deployment);
    }
    creations
}

fn take(deployment: &mut Deployment, account: &AccountDiff) {
    let code = code(account);
    // A node's diff may do without.
    if !code.is_empty() {
        deployment.code = code;
    }
    let storage = account.storage.iter();
    deployment.stored = first_slots(storage.map(|(slot, (_, after))| (*slot, *after)));
}

fn code(account: &AccountDiff) -> Bytes {
    let after = account.after.as_ref().and_then(|info| info.code.as_ref());
    after.map(|code| code.original_bytes()).unwrap_or_default()
}

#[cfg(test)]
mod tests;

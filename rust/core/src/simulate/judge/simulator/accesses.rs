//! What an execution read and wrote, as others are held against it.

use crate::evidence::{Accesses, Part};
use crate::simulate::evm::execute::Execution;
use alloy_primitives::{Address, B256};
use revm::primitives::KECCAK_EMPTY;
use revm::state::AccountInfo;

/// `monitored`: who is watched for itself, and not listed among the contracts that it called.
pub fn of(execution: &Execution, monitored: &[Address]) -> Accesses {
    let mut accesses = Accesses::default();
    let accounts = &execution.diff.0;
    for (address, account) in accounts {
        let code = |info: &Option<_>| info.as_ref().map_or(KECCAK_EMPTY, code_hash);
        let (before, after) = (code(&account.before), code(&account.after));
        if before != KECCAK_EMPTY || after != KECCAK_EMPTY {
            accesses.add(*address, Part::Code, before != after);
        }
        for (slot, (before, after)) in &account.storage {
            accesses.add(*address, Part::Slot(*slot), before != after);
        }
    }
    let has_code = |address: &Address| {
        let account = accounts.get(address);
        account.is_some_and(|account| {
            let infos = [&account.before, &account.after];
            infos
                .into_iter()
                .flatten()
                .any(|info| code_hash(info) != KECCAK_EMPTY)
        })
    };
    let called = execution.trace.frames.iter().filter_map(|frame| frame.to);
    for address in called.filter(|to| !monitored.contains(to)) {
        if has_code(&address) {
            accesses.called(address);
        }
    }
    accesses
}

fn code_hash(info: &AccountInfo) -> B256 {
    info.code_hash
}

//! Accounts that code names.

use super::Effects;
use super::entries::account;
use super::lanes::says;
use alloy_primitives::Address;
use memchr::memmem;
use std::collections::BTreeSet;

/// The instruction that the pushes of more bytes follow.
const PUSH0: u8 = 0x5f;
/// Bytes behind an account's leading zeros: with fewer it is a number.
const LEAST: usize = 12;

/// Whose code ran as an account: its own, and what it delegated to.
pub(super) fn run_as(effects: &Effects, contract: Address) -> BTreeSet<Address> {
    let frames = effects.execution.trace.frames.iter();
    let run = frames.filter(|frame| account(frame) == Some(contract));
    run.filter_map(|frame| frame.to).collect()
}

/// Whether the code of an account, as it was before, names another.
pub(super) fn name(effects: &Effects, code: Address, named: Address) -> bool {
    let account = effects.execution.diff.0.get(&code);
    let info = account.and_then(|account| account.before.as_ref());
    let code = info.and_then(|info| info.code.as_ref());
    code.is_some_and(|code| {
        let code = code.original_byte_slice();
        says(code, named) || pushes(code, named)
    })
}

/// Whether code puts an account that begins with zeros onto the stack without them, as compilers shorten constants.
fn pushes(code: &[u8], account: Address) -> bool {
    let zeros = account.iter().take_while(|byte| **byte == 0).count();
    let rest = &account[zeros..];
    if zeros == 0 || rest.len() < LEAST {
        return false;
    }
    let push = PUSH0 + u8::try_from(rest.len()).unwrap_or_default();
    memmem::find(code, &[&[push], rest].concat()).is_some()
}

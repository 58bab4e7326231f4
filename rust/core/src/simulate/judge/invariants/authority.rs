//! Whether who made it happen was allowed to: the contract itself looked, at what stood before the transaction.
//!
//! What anybody can set names attackers, too. So a name counts where it stands in a variable of its own or in the code, or
//! where a signature was recovered for it; and only as it stood before, where the transaction did not write it.

use super::case::Case;
use super::knowledge::{names, owns};
use super::lanes::says;
use super::roles::{has, has_role, keeps_roles_alone, listed};
use super::shortfalls::Shortfall;
use super::signed::{Signed, by_call, paid_once};
use super::{decided, keys};
use crate::evidence::trace::CallKind;
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, U256, hex};
use std::collections::BTreeSet;

/// `isOwner(address)`, `isModuleEnabled(address)`
const QUESTIONS: [[u8; 4]; 2] = [hex!("2f54bf6e"), hex!("2d9ad53d")];
/// `balanceOf(address)`, `allowance(address,address)`: one of something is no yes.
const HOLDINGS: [[u8; 4]; 2] = [hex!("70a08231"), hex!("dd62ed3e")];
/// A weight or a yes; what is larger is a balance.
const SMALL: U256 = U256::from_limbs([u32::MAX as u64, 0, 0, 0]);
/// Hashes from a root down to what it proves, and such that are looked at for all roots together.
const MAX_DEPTH: usize = 64;
const MAX_HASHES: usize = 4_096;

/// In words, by what authority a call changed something; `None` where the contract saw none. A caller that is named
/// answers for whoever called it.
pub(super) fn over_call(case: &Case, entry: u32) -> Option<String> {
    let caller = case.effects.execution.trace.frames[entry as usize].from;
    let role = || format!("{caller}, who has a role in it, called for it");
    let allowed = || has_role(case, entry, caller) || listed(case, entry, caller);
    by_name(case, entry).or_else(|| allowed().then(role))
}

/// The same without what the contract keeps of everybody.
pub(super) fn by_name(case: &Case, entry: u32) -> Option<String> {
    let caller = case.effects.execution.trace.frames[entry as usize].from;
    let named = names(case, caller)
        || vouched(case, caller)
        || names(case, case.effects.sender)
        || admits(case, caller);
    let called = || format!("{caller}, whom it names, called for it");
    let calls = BTreeSet::from([entry]);
    let signed = by_call(case, &calls).and_then(|signed| by_signer(case, &calls, &signed));
    signed.or_else(|| named.then(called))
}

/// In words, by what authority it left; `None` where the contract saw none.
pub(super) fn over(case: &Case, loss: &Shortfall) -> Option<String> {
    // What is keyed by whom must be known.
    if !case.effects.execution.watched {
        return None;
    }
    let paying = loss.paying(case.effects, &case.entries);
    by_call(case, &paying)
        .and_then(|signed| {
            by_signer(case, &paying, &signed).filter(|_| paid_once(case, loss, &paying, &signed))
        })
        .or_else(|| asked_for(case, loss))
        .or_else(|| decided::before(case, &paying))
        .or_else(|| proven(case, loss))
        .or_else(|| returned(case, loss))
}

/// Whether the contract keeps something small for an account: a yes, a weight, a link to the next of a list. What the
/// account has of the contract is no such thing.
fn registered(case: &Case, account: Address) -> bool {
    let mut slots = case.own().into_iter().flat_map(|own| &own.storage);
    slots.any(|(slot, (before, after))| {
        let word = before.to_be_bytes::<32>();
        let small = !before.is_zero() && *before <= SMALL;
        before == after
            && match case.keys().names(*slot, account) {
                true if small => !has(case, account, *before),
                true => keys::account(&word).is_some(),
                // In a list, which lies behind the hash of its place.
                false => {
                    keys::account(&word) == Some(account)
                        && case.keys().accounts(*slot).next().is_none()
                }
            }
    })
}

/// In words, whose signature the contract knew in each of these calls.
fn by_signer(case: &Case, calls: &BTreeSet<u32>, signed: &Signed) -> Option<String> {
    let known = |signer: &Address| {
        names(case, *signer) || admits(case, *signer) || registered(case, *signer)
    };
    let known = |call: &u32| {
        let mut signers = signed.get(call)?.iter().map(|(_, signer)| *signer);
        signers.find(known)
    };
    let signers: Option<Vec<_>> = calls.iter().map(known).collect();
    let signer = signers?.into_iter().next()?;
    Some(format!("{signer}, whom it knows, signed for it"))
}

/// Whether the contract says itself, before, that an account is one of its owners or modules.
fn admits(case: &Case, account: Address) -> bool {
    let views = case.effects.views;
    QUESTIONS.iter().any(|question| {
        let call = [&question[..], account.into_word().as_slice()]
            .concat()
            .into();
        views.number(When::Before, case.contract.address, &call) == Some(U256::ONE)
    })
}

/// Who called for it is named, and nobody else's code stands between them and the transaction's sender: a lender who
/// is named calls back for anybody. What it pays when a market calls back that it called itself, is for whoever had it
/// call there.
fn asked_for(case: &Case, loss: &Shortfall) -> Option<String> {
    let effects = case.effects;
    let contract = case.contract.address;
    let first = effects.execution.trace.root().and_then(|root| root.to);
    let mut callers: Vec<(Address, u32)> = Vec::new();
    let mut called_back = false;
    for moved in effects.transfers.iter() {
        if moved.from == contract && loss.is_of(moved.asset) {
            let entry = case.entries.inside(moved.frame)?;
            let caller = |entry: u32| effects.execution.trace.frames[entry as usize].from;
            let led = case
                .led_to(entry)
                .filter(|led| caller(*led) == effects.sender);
            let entry = led.unwrap_or(entry);
            called_back |= led.is_some();
            callers.push((caller(entry), entry));
        }
    }
    callers.sort_unstable();
    callers.dedup();
    let direct = |caller: &Address| *caller == effects.sender || Some(*caller) == first;
    let allowed = |(caller, entry): &(Address, u32)| {
        direct(caller)
            && (names(case, *caller)
                || admits(case, *caller)
                || !called_back
                    && (vouched(case, *caller)
                        || keeps_roles_alone(case) && has_role(case, *entry, *caller)))
    };
    let (caller, _) = callers.first().copied()?;
    callers
        .iter()
        .all(allowed)
        .then(|| format!("{caller}, whom it names, called for it"))
}

/// A contract that is named was asked about the caller, and said yes.
fn vouched(case: &Case, caller: Address) -> bool {
    let contract = case.contract.address;
    let frames = case.effects.execution.trace.frames.iter();
    let mut asked = frames.filter(|frame| {
        frame.kind == CallKind::StaticCall && frame.from == contract && frame.error.is_none()
    });
    asked.any(|frame| {
        let word = |bytes: &[u8]| bytes.get(..32).map(U256::from_be_slice);
        let about = frame.input.get(4..).unwrap_or_default().chunks_exact(32);
        let mut about = about.filter_map(keys::account);
        word(&frame.output) == Some(U256::ONE)
            && !HOLDINGS.iter().any(|one| frame.input.starts_with(one))
            && frame.output.len() <= 64
            && about.any(|one| one == caller)
            && frame.to.is_some_and(|to| names(case, to))
    })
}

/// A root that the contract held proves who is paid: the hashes lead from it to a text that names them.
fn proven(case: &Case, loss: &Shortfall) -> Option<String> {
    let own = case.own()?;
    let keys = case.keys();
    let held = own
        .storage
        .iter()
        .filter(|(_, (before, after))| before == after);
    let as_value = held.clone().map(|(_, (before, _))| *before);
    let as_key = held
        .filter(|(_, (before, _))| !before.is_zero())
        .flat_map(|(slot, _)| keys.numbers(*slot))
        .filter_map(U256::try_from_be_slice);
    let mut roots = as_value.chain(as_key);
    let mut left = MAX_HASHES;
    let root = roots.find(|root| proves(case, *root, loss.receiver, &mut left))?;
    Some(format!("the root {root:#x}, which it held, proves it"))
}

/// `left`: hashes that may still be looked at.
fn proves(case: &Case, root: U256, account: Address, left: &mut usize) -> bool {
    let keys = case.keys();
    let mut open = vec![(root, 0)];
    // Of a hash of one thing twice there are as many ways down as anybody likes.
    let mut visited = BTreeSet::from([root]);
    while let Some((hash, depth)) = open.pop() {
        // Its own proof: who is in a tree may well be a thief, and hash there what he likes.
        let Some(input) = keys.preimage(hash, case.contract.address) else {
            continue;
        };
        let Some(fewer) = left.checked_sub(1) else {
            return false;
        };
        *left = fewer;
        // A tree has a node above its leaf: a hash of one's own address alone is a key.
        if depth > 0 && says(input, account) {
            return true;
        }
        if depth < MAX_DEPTH && open.len() < MAX_DEPTH {
            let children = input.chunks_exact(32).map(U256::from_be_slice);
            let new = children.filter(|child| visited.insert(*child));
            open.extend(new.map(|child| (child, depth + 1)));
        }
    }
    false
}

/// What the contract neither names nor keeps books of came there by mistake: it may go to whom it names.
fn returned(case: &Case, loss: &Shortfall) -> Option<String> {
    let contract = case.contract.address;
    let left = case.effects.transfers.iter();
    let mut left = left.filter(|one| one.from == contract && loss.is_of(one.asset));
    let all = !owns(case, loss.asset) && left.all(|one| names(case, one.to));
    let receiver = loss.receiver;
    all.then(|| format!("it is none of its own, and goes to {receiver}, whom it names"))
}

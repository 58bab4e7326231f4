//! What was borrowed and repaid within one call of the lender.

use super::entries::account;
use crate::evidence::trace::Trace;
use crate::evidence::transfers::{Asset, Transfer};
use alloy_primitives::{Address, U256};
use std::collections::{HashMap, HashSet};

/// Transfers that are looked at in one execution.
const MAX_TRANSFERS: usize = 4_096;
/// Loans that are kept.
const MAX_LOANS: usize = 64;
/// `onFlashLoan(address,address,uint256,uint256,bytes)` of EIP-3156, by which those lend who mint what they lend.
const ON_FLASH_LOAN: [u8; 4] = [0x23, 0xe3, 0x0c, 0x8b];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FlashLoan {
    /// Zero where it was minted, and burned again.
    pub lender: Address,
    pub asset: Asset,
    /// Smallest units.
    pub amount: U256,
    /// Frames that moved it to the borrower, and back.
    pub out: u32,
    pub back: u32,
}

impl FlashLoan {
    /// Whether a frame ran while it was owed.
    pub fn covers(&self, frame: u32) -> bool {
        (self.out..=self.back).contains(&frame)
    }
}

/// Loans by others than `own`: who sends its own money around gets it back, too.
pub(super) fn flash_loans(
    trace: &Trace,
    transfers: &[Transfer],
    own: impl Fn(Address) -> bool,
) -> Vec<FlashLoan> {
    let calls = Calls::new(trace);
    let mut loans = Vec::new();
    let mut owed: HashMap<(Address, Asset), Vec<(u32, &Transfer)>> = HashMap::new();
    for transfer in transfers.iter().take(MAX_TRANSFERS) {
        if let Some(open) = owed.get_mut(&(transfer.to, transfer.asset))
            && let Some((call, lent)) = open.last().copied()
            && transfer.amount >= lent.amount
            && calls.of(transfer.to, transfer.frame) == Some(call)
        {
            loans.push(FlashLoan {
                lender: transfer.to,
                asset: transfer.asset,
                amount: lent.amount,
                out: lent.frame,
                back: transfer.frame,
            });
            open.pop();
            if loans.len() == MAX_LOANS {
                break;
            }
        }
        if !own(transfer.from)
            && !transfer.amount.is_zero()
            && let Some(call) = calls.of(transfer.from, transfer.frame)
        {
            let key = (transfer.from, transfer.asset);
            owed.entry(key).or_default().push((call, transfer));
        }
    }
    loans
}

struct Calls<'t> {
    trace: &'t Trace,
    /// Frames that called a borrower back.
    minting: HashSet<u32>,
}

impl<'t> Calls<'t> {
    fn new(trace: &'t Trace) -> Self {
        let frames = trace.frames.iter();
        let callbacks = frames.filter(|frame| frame.input.starts_with(&ON_FLASH_LOAN));
        Self {
            trace,
            minting: callbacks.map(|frame| frame.parent).collect(),
        }
    }

    /// The outermost call of a lender that a frame is inside of; of who mints, the outermost that called a borrower back.
    fn of(&self, lender: Address, frame: u32) -> Option<u32> {
        let mut found = None;
        let mut index = frame;
        loop {
            let frame = self.trace.frames.get(index as usize)?;
            let lends = match lender.is_zero() {
                true => self.minting.contains(&index),
                false => account(frame) == Some(lender),
            };
            if lends {
                found = Some(index);
            }
            if index == 0 {
                return found;
            }
            index = frame.parent;
        }
    }
}

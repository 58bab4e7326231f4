//! What moved: ether and tokens, from whom to whom.

use super::trace::{CallKind, Frame, Trace};
use alloy_primitives::{Address, B256, I256, U256, b256};
use std::cell::LazyCell;
use std::collections::{BTreeMap, HashSet};

/// `Transfer(address,address,uint256)` of ERC-20, and of ERC-721 with the number indexed.
pub(crate) const TRANSFER: B256 =
    b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
/// `Deposit(address,uint256)` and `Withdrawal(address,uint256)` of wrapped ether, which has no other word for its minting.
pub(crate) const DEPOSIT: B256 =
    b256!("e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c");
pub(crate) const WITHDRAWAL: B256 =
    b256!("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65");

const TRANSFER_SELECTOR: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const TRANSFER_FROM_SELECTOR: [u8; 4] = [0x23, 0xb8, 0x72, 0xdd];

/// What can move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asset {
    /// Ether, or what the chain pays gas with.
    Native,
    /// An ERC-20 token, by its contract.
    Token(Address),
    /// An ERC-721 token: its contract and its number.
    Unique(Address, U256),
}

/// One movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    pub asset: Asset,
    /// Zero where it was minted.
    pub from: Address,
    /// Zero where it was burned.
    pub to: Address,
    /// Smallest units; 1 of what is unique.
    pub amount: U256,
    /// Index of the frame that moved it.
    pub frame: u32,
}

impl Trace {
    /// Everything that moved and stayed moved, by its logs where there are any, else by its calls.
    pub fn movements(&self) -> Vec<Transfer> {
        match self.frames.iter().any(|frame| !frame.logs.is_empty()) {
            true => self.transfers(),
            false => self.transfers_by_calls(),
        }
    }

    /// Everything that moved and stayed moved, in order of the frames; of tokens, what they said themselves in logs.
    pub fn transfers(&self) -> Vec<Transfer> {
        // Seldom needed. Looked up, since logs and frames are as many as an attacker pays for.
        let paid = LazyCell::new(|| self.paid());
        self.moved(|index, frame, transfers| {
            for log in &frame.logs {
                let topics = log.topics.iter().map(|topic| U256::from_be_bytes(topic.0));
                let topics: Vec<_> = topics.collect();
                let amount = || U256::from_be_slice(&log.data);
                let (asset, from, to, amount) = match (log.topics.first(), topics.as_slice()) {
                    (Some(&TRANSFER), [_, from, to]) if log.data.len() == 32 => {
                        (Asset::Token(log.address), *from, *to, amount())
                    }
                    (Some(&TRANSFER), [_, from, to, id]) if log.data.is_empty() => {
                        (Asset::Unique(log.address, *id), *from, *to, U256::ONE)
                    }
                    // Others use the same words: wrapped ether has the ether that it says.
                    (Some(&DEPOSIT), [_, to])
                        if log.data.len() == 32 && frame.value == Some(amount()) =>
                    {
                        (Asset::Token(log.address), U256::ZERO, *to, amount())
                    }
                    (Some(&WITHDRAWAL), [_, from])
                        if log.data.len() == 32 && paid.contains(&(index, amount())) =>
                    {
                        (Asset::Token(log.address), *from, U256::ZERO, amount())
                    }
                    _ => continue,
                };
                transfers.push(Transfer {
                    asset,
                    from: address(from),
                    to: address(to),
                    amount,
                    frame: index,
                });
            }
        })
    }

    /// The same where there are no logs, as in most recorded traces: of tokens, what was asked of them and did not fail.
    pub fn transfers_by_calls(&self) -> Vec<Transfer> {
        self.moved(|index, frame, transfers| {
            transfers.extend(frame.asked_transfer(index));
        })
    }

    fn moved(&self, tokens: impl Fn(u32, &Frame, &mut Vec<Transfer>)) -> Vec<Transfer> {
        let mut transfers = Vec::new();
        for ((index, frame), stands) in (0..).zip(&self.frames).zip(self.stands()) {
            if !stands {
                continue;
            }
            let amount = frame.value.unwrap_or_default();
            let moves = matches!(
                frame.kind,
                CallKind::Call | CallKind::Create | CallKind::Create2 | CallKind::SelfDestruct
            );
            if let Some(to) = frame.to.filter(|_| moves && !amount.is_zero()) {
                transfers.push(Transfer {
                    asset: Asset::Native,
                    from: frame.from,
                    to,
                    amount,
                    frame: index,
                });
            }
            tokens(index, frame, &mut transfers);
        }
        transfers
    }

    /// What each frame sends in calls of its own, by its index.
    fn paid(&self) -> HashSet<(u32, U256)> {
        let inner = self.frames.iter().skip(1);
        inner
            .filter_map(|frame| Some((frame.parent, frame.value?)))
            .collect()
    }
}

impl Frame {
    /// What a call of `transfer` or `transferFrom` moves, where it did not say no; `index`: the frame's own.
    pub fn asked_transfer(&self, index: u32) -> Option<Transfer> {
        let token = self.to.filter(|_| self.kind == CallKind::Call)?;
        let (from, to, amount) = asked(self)?;
        Some(Transfer {
            asset: Asset::Token(token),
            from,
            to,
            amount,
            frame: index,
        })
    }
}

/// Whose token a call of `transfer` or `transferFrom` moves, where it did not say no.
fn asked(frame: &Frame) -> Option<(Address, Address, U256)> {
    let (selector, arguments) = frame.input.split_first_chunk::<4>()?;
    let word = |n: usize| arguments.get(32 * n..32 * n + 32).map(U256::from_be_slice);
    // Some tokens answer nothing.
    let agreed = frame.output.is_empty() || frame.output.iter().any(|byte| *byte != 0);
    let (from, to, amount) = match *selector {
        TRANSFER_SELECTOR => (None, word(0)?, word(1)?),
        TRANSFER_FROM_SELECTOR => (Some(word(0)?), word(1)?, word(2)?),
        _ => return None,
    };
    agreed.then(|| (from.map_or(frame.from, address), address(to), amount))
}

fn address(word: U256) -> Address {
    Address::from_word(word.into())
}

/// What each account has more or less of afterwards; what came out even is left out.
pub fn net(transfers: &[Transfer]) -> BTreeMap<Address, BTreeMap<Asset, I256>> {
    let mut accounts: BTreeMap<Address, BTreeMap<Asset, I256>> = BTreeMap::new();
    for transfer in transfers {
        // Made-up tokens can say any number: beyond 255 bits they say no more than that it is absurd.
        let amount = I256::try_from(transfer.amount).unwrap_or(I256::MAX);
        let mut add = |account: Address, amount: I256| {
            let assets = accounts.entry(account).or_default();
            let sum = assets.entry(transfer.asset).or_insert(I256::ZERO);
            *sum = sum.saturating_add(amount);
        };
        add(transfer.from, -amount);
        add(transfer.to, amount);
    }
    accounts.retain(|account, assets| {
        assets.retain(|_, sum| !sum.is_zero());
        !assets.is_empty() && !account.is_zero()
    });
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::trace::FrameLog;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    const TOKEN: Address = Address::repeat_byte(0x70);
    const ALICE: Address = Address::repeat_byte(0xa1);
    const BOB: Address = Address::repeat_byte(0xb0);

    fn log(address: Address, topics: &[B256], amount: Option<u64>) -> FrameLog {
        FrameLog {
            address,
            topics: topics.to_vec(),
            data: amount
                .map_or_else(Vec::new, |n| U256::from(n).to_be_bytes_vec())
                .into(),
            position: 0,
            index: 0,
        }
    }

    fn call(from: Address, to: Address, value: u64) -> Frame {
        Frame {
            from,
            to: Some(to),
            value: Some(U256::from(value)),
            ..Frame::default()
        }
    }

    fn child(parent: u32, depth: u16, frame: Frame) -> Frame {
        Frame {
            parent,
            depth,
            ..frame
        }
    }

    #[test]
    fn what_failed_moved_nothing_nor_what_it_was_inside_of() {
        let mut failed = child(0, 1, call(BOB, TOKEN, 2));
        failed.error = Some("out of gas".into());
        let inside = child(1, 2, call(TOKEN, ALICE, 3));
        let trace = Trace {
            frames: vec![call(ALICE, BOB, 1), failed, inside],
        };
        let amounts: Vec<_> = trace.transfers().iter().map(|t| t.amount).collect();
        assert_eq!(amounts, [U256::ONE]);
    }

    #[test]
    fn a_delegated_calls_value_moves_nothing() {
        let delegated = Frame {
            kind: CallKind::DelegateCall,
            ..child(0, 1, call(BOB, TOKEN, 5))
        };
        let trace = Trace {
            frames: vec![call(ALICE, BOB, 5), delegated],
        };
        assert_eq!(trace.transfers().len(), 1);
    }

    #[test]
    fn tokens_are_read_from_logs_of_both_standards() {
        let mut frame = call(ALICE, TOKEN, 0);
        let (from, to) = (ALICE.into_word(), BOB.into_word());
        let id = B256::with_last_byte(9);
        frame.logs = vec![
            log(TOKEN, &[TRANSFER, from, to], Some(7)),
            log(TOKEN, &[TRANSFER, from, to, id], None),
            log(TOKEN, &[TRANSFER, from, to], None),
            log(TOKEN, &[TRANSFER], Some(1)),
            log(TOKEN, &[], Some(1)),
        ];
        let trace = Trace {
            frames: vec![frame],
        };
        let found: Vec<_> = trace
            .transfers()
            .iter()
            .map(|t| (t.asset, t.amount))
            .collect();
        let unique = Asset::Unique(TOKEN, U256::from(9));
        assert_eq!(
            found,
            [(Asset::Token(TOKEN), U256::from(7)), (unique, U256::ONE)]
        );
    }

    #[test]
    fn wrapping_ether_mints_and_unwrapping_burns() {
        let mut wraps = call(ALICE, TOKEN, 4);
        wraps.logs = vec![log(TOKEN, &[DEPOSIT, ALICE.into_word()], Some(4))];
        let mut unwraps = child(0, 1, call(ALICE, TOKEN, 0));
        unwraps.logs = vec![log(TOKEN, &[WITHDRAWAL, ALICE.into_word()], Some(3))];
        let paid = child(1, 2, call(TOKEN, ALICE, 3));
        let trace = Trace {
            frames: vec![wraps, unwraps, paid],
        };
        let net = net(&trace.transfers());
        let one = I256::ONE;
        assert_eq!(
            net[&ALICE],
            BTreeMap::from([(Asset::Native, -one), (Asset::Token(TOKEN), one)])
        );
        // A vault that says "Deposit" of something else mints nothing.
        let mut vault = call(ALICE, BOB, 1);
        vault.logs = vec![log(BOB, &[DEPOSIT, ALICE.into_word()], Some(99))];
        let trace = Trace {
            frames: vec![vault],
        };
        assert_eq!(trace.transfers().len(), 1);
    }

    #[test]
    fn a_flood_of_withdrawals_among_many_calls_is_read_in_time() {
        const MANY: u64 = 100_000;
        let mut root = call(ALICE, TOKEN, 0);
        let withdrawal = |n| log(TOKEN, &[WITHDRAWAL, ALICE.into_word()], Some(n));
        root.logs = (0..MANY).map(withdrawal).collect();
        let pays = |n| child(0, 1, call(TOKEN, ALICE, MANY + n));
        let trace = Trace {
            frames: std::iter::once(root).chain((0..MANY).map(pays)).collect(),
        };
        let start = Instant::now();
        let transfers = trace.transfers();
        assert!(start.elapsed() < Duration::from_secs(2));
        // No withdrawal was paid out.
        let ether = |transfer: &Transfer| transfer.asset == Asset::Native;
        assert!(transfers.len() == MANY as usize && transfers.iter().all(ether));
    }

    #[test]
    fn without_logs_calls_tell_and_a_no_is_a_no() {
        let ask = |output: &'static [u8]| Frame {
            input: [
                &TRANSFER_FROM_SELECTOR[..],
                ALICE.into_word().as_slice(),
                BOB.into_word().as_slice(),
                &U256::from(6).to_be_bytes::<32>(),
            ]
            .concat()
            .into(),
            output: output.into(),
            ..call(BOB, TOKEN, 0)
        };
        let moved = |frame| {
            Trace {
                frames: vec![frame],
            }
            .transfers_by_calls()
        };
        assert_eq!(moved(ask(&[0; 32])), []);
        for output in [&[][..], &[1]] {
            let found = moved(ask(output));
            assert_eq!(
                (found[0].from, found[0].to, found[0].amount),
                (ALICE, BOB, U256::from(6))
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_is_made_from_nothing(moves in prop::collection::vec((0..4_u8, 0..4_u8, any::<u64>(), 0..2_u8), 0..40)) {
            let moves: Vec<_> = moves.into_iter().map(|(from, to, amount, token)| Transfer {
                asset: if token == 0 { Asset::Native } else { Asset::Token(TOKEN) },
                from: Address::repeat_byte(from + 1),
                to: Address::repeat_byte(to + 1),
                amount: U256::from(amount),
                frame: 0,
            }).collect();
            let mut sums: BTreeMap<Asset, I256> = BTreeMap::new();
            for (asset, sum) in net(&moves).into_values().flatten() {
                *sums.entry(asset).or_default() += sum;
            }
            prop_assert!(sums.values().all(|sum| sum.is_zero()));
        }
    }
}

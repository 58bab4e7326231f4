//! Whose money arrives where in a block. Pure: what accounts had before it is asked for.

use super::{Block, Sources, Transfer};
use crate::evidence::FundingGrade;
use alloy_primitives::{Address, B256, U256};
use hashbrown::HashMap;

/// What an account has of a service after a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receipt {
    pub account: Address,
    pub source: Address,
    /// The account that had it of the service, where this one had it from there.
    pub via: Option<Address>,
    /// Of the last transfer that brought some of it.
    pub token: Option<Address>,
    pub amount: U256,
    pub tx: B256,
}

/// What an account had of services before the block, and passed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Of each service what is left to pass on, smallest units.
    pub left: Vec<(Address, U256)>,
    /// Times that it passed some on.
    pub passed: usize,
}

/// Money of one origin on its way through a transaction.
struct Money {
    source: Address,
    via: Option<Address>,
    token: Option<Address>,
    amount: U256,
}

/// Follows the money of a block, transaction by transaction.
pub(super) struct Flow<'a, F> {
    sources: &'a Sources,
    /// Times that an account may pass money on.
    spread: usize,
    /// What an account had before the block.
    held: F,
    /// The same as of now, of accounts that were asked about.
    now: HashMap<Address, Held>,
    found: Vec<Receipt>,
}

impl<'a, E, F: FnMut(&Address) -> Result<Held, E>> Flow<'a, F> {
    pub(super) fn new(sources: &'a Sources, spread: usize, held: F) -> Self {
        Self {
            sources,
            spread,
            held,
            now: HashMap::new(),
            found: Vec::new(),
        }
    }

    /// In the order of the transfers.
    ///
    /// # Errors
    /// What `held` says.
    pub(super) fn follow(mut self, block: &Block) -> Result<Vec<Receipt>, E> {
        let mut transactions: Vec<Vec<&Transfer>> = Vec::new();
        let mut places = HashMap::new();
        let counting = |one: &&Transfer| counts(self.sources, one);
        for transfer in block.transfers.iter().filter(counting) {
            let place = *places.entry(transfer.tx).or_insert(transactions.len());
            if place == transactions.len() {
                transactions.push(Vec::new());
            }
            transactions[place].push(transfer);
        }
        for mut transaction in transactions {
            // Native and wrapped transfers may be told apart from each other: what a service pays is there to be passed on.
            transaction.sort_by_key(|one| self.sources.get(&one.from).is_none());
            self.transaction(&transaction)?;
        }
        Ok(self.found)
    }

    fn transaction(&mut self, transfers: &[&Transfer]) -> Result<(), E> {
        let mut purses = Purses::default();
        let sources = self.sources;
        for transfer in transfers {
            let mut moved = purses.take(&transfer.from, transfer.value);
            if sources.get(&transfer.to).is_some() {
                continue; // Back into a service: nobody's funding.
            }
            if sources.get(&transfer.from).is_some() {
                moved = vec![Money {
                    source: transfer.from,
                    via: None,
                    token: transfer.token,
                    amount: transfer.value,
                }];
            } else if transfer.from == transfer.signer {
                let passed = moved.iter().fold(U256::ZERO, |sum, one| sum + one.amount);
                moved.extend(self.passed_on(transfer, transfer.value - passed)?);
            }
            purses.put(transfer, moved);
        }
        // Dust is what is left at the end: a payment in a thousand pieces is one.
        for (account, money) in purses.into_kept(sources.least) {
            self.keep(account, money, transfers[0].tx)?;
        }
        Ok(())
    }

    /// What the signer had of services before this transaction, and sends. Which of its money somebody sends nobody can tell:
    /// as much of each service's as it can be.
    fn passed_on(&mut self, transfer: &Transfer, value: U256) -> Result<Vec<Money>, E> {
        let spread = self.spread;
        let held = self.held(&transfer.from)?;
        if held.passed >= spread {
            return Ok(Vec::new());
        }
        let left = held.left.iter_mut().map(|(source, left)| {
            let amount = value.min(*left);
            *left -= amount;
            Money {
                source: *source,
                via: Some(transfer.from),
                token: transfer.token,
                amount,
            }
        });
        Ok(left.collect())
    }

    fn held(&mut self, account: &Address) -> Result<&mut Held, E> {
        if !self.now.contains_key(account) {
            let held = (self.held)(account)?;
            self.now.insert(*account, held);
        }
        Ok(self.now.get_mut(account).expect("just put there"))
    }

    fn keep(&mut self, account: Address, money: Money, tx: B256) -> Result<(), E> {
        let Money {
            source,
            via,
            token,
            amount,
        } = money;
        if let Some(via) = via {
            self.held(&via)?.passed += 1;
        } else if goes_on(self.sources, &source) {
            let held = self.held(&account)?;
            let mut left = held.left.iter_mut();
            match left.find(|(from, _)| *from == source) {
                Some((_, left)) => *left = left.saturating_add(amount),
                None => held.left.push((source, amount)),
            }
        }
        self.found.push(Receipt {
            account,
            source,
            via,
            token,
            amount,
            tx,
        });
        Ok(())
    }
}

/// Wrapping and unwrapping are no payments, nor are minting and burning.
fn counts(sources: &Sources, transfer: &Transfer) -> bool {
    let Transfer {
        from, to, token, ..
    } = transfer;
    let wrapped = sources.wrapped;
    let is_money = token.is_none() || *token == wrapped;
    let no_account = |one: &Address| one.is_zero() || Some(*one) == wrapped;
    let between = ![from, to].into_iter().any(no_account) && from != to;
    is_money && between && !transfer.value.is_zero()
}

/// Whether a service's money is followed to a second account.
pub(super) fn goes_on(sources: &Sources, source: &Address) -> bool {
    let source = sources.get(source);
    source.is_some_and(|source| source.grade > FundingGrade::Low)
}

/// Of each account the services' money that it has had in a transaction and has not sent on, in the order of its coming.
#[derive(Default)]
struct Purses {
    by_account: HashMap<Address, Vec<Money>>,
    order: Vec<Address>,
}

impl Purses {
    /// Out of an account's purse, the first first; no more than there is.
    fn take(&mut self, account: &Address, mut value: U256) -> Vec<Money> {
        let mut taken = Vec::new();
        let Some(purse) = self.by_account.get_mut(account) else {
            return taken;
        };
        for money in purse.iter_mut().filter(|one| !one.amount.is_zero()) {
            let amount = money.amount.min(value);
            money.amount -= amount;
            value -= amount;
            taken.push(Money { amount, ..*money });
            if value.is_zero() {
                break;
            }
        }
        purse.retain(|money| !money.amount.is_zero());
        taken
    }

    /// Of one origin there is one entry, so that a purse is no longer than there are services, however often it is filled.
    fn put(&mut self, transfer: &Transfer, money: Vec<Money>) {
        for money in money.into_iter().filter(|one| !one.amount.is_zero()) {
            let purse = self.by_account.entry(transfer.to).or_insert_with(|| {
                self.order.push(transfer.to);
                Vec::new()
            });
            let of = |one: &&mut Money| (one.source, one.via) == (money.source, money.via);
            match purse.iter_mut().find(of) {
                Some(there) => {
                    there.amount = there.amount.saturating_add(money.amount);
                    there.token = transfer.token;
                }
                None => purse.push(Money {
                    token: transfer.token,
                    ..money
                }),
            }
        }
    }

    fn into_kept(mut self, least: U256) -> impl Iterator<Item = (Address, Money)> {
        self.order.into_iter().flat_map(move |account| {
            let purse = self.by_account.remove(&account).unwrap_or_default();
            let kept = purse.into_iter().filter(move |one| one.amount >= least);
            kept.map(move |money| (account, money))
        })
    }
}

//! What calls are tried with: addresses, numbers and values that a contract could have been made for.

use crate::bytecode::CodeFacts;
use crate::decode::words::{Limbs, address_of};
use crate::evidence::Deployment;
use crate::simulate::evm::StateError;
use crate::simulate::evm::execute::Sandbox;
use crate::simulate::evm::tracer::Bounds;
use alloy_primitives::{Address, Bytes, U256};
use revm::DatabaseRef;

/// Addresses and numbers tried, and accounts whose balances are looked up.
const ADDRESSES: usize = 24;
const NUMBERS: usize = 32;
const HOLDERS: usize = 6;
const TOKENS: usize = 8;
/// Words at the end of init code that may be its arguments.
const ARGUMENTS: usize = 32;
const ETHER: u64 = 1_000_000_000_000_000_000;
/// balanceOf(address).
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];

/// Where things come from, the likeliest first.
#[derive(Debug)]
pub struct Means {
    pub addresses: Vec<Address>,
    /// Once they have been asked for; of how many addresses.
    numbers: (usize, Vec<U256>),
    /// Monitored contracts, those first that it names.
    victims: Vec<Address>,
    own: Address,
    pub deployer: Address,
    orphan: bool,
}

impl Means {
    /// `code`: what it runs; `tokens`: what monitored contracts are watched for.
    pub fn of(
        (deployment, orphan): (&Deployment, bool),
        code: &[u8],
        monitored: &[Address],
        tokens: &[Address],
    ) -> Self {
        let (own, deployer) = (deployment.address, deployment.deployer);
        let mut named = CodeFacts::scan(code, None).addresses;
        named.extend(
            deployment
                .stored
                .iter()
                .filter_map(|(_, value)| address(*value)),
        );
        named.extend(&deployment.called);
        named.extend(arguments(&deployment.init_code));
        let (mut victims, others): (Vec<_>, Vec<_>) = monitored
            .iter()
            .partition(|address| named.contains(address));
        victims.extend(others);
        let mut means = Self {
            addresses: Vec::new(),
            numbers: (0, Vec::new()),
            victims: victims.clone(),
            own,
            deployer,
            orphan,
        };
        // A few of each: what there are many of must not hide the rest.
        victims
            .iter()
            .take(ADDRESSES / 3)
            .for_each(|address| means.add(*address));
        tokens
            .iter()
            .take(ADDRESSES / 4)
            .for_each(|address| means.add(*address));
        [own, deployer]
            .into_iter()
            .for_each(|address| means.add(address));
        named.iter().for_each(|address| means.add(*address));
        means
    }

    /// One more, which a call showed.
    pub fn add(&mut self, address: Address) {
        if self.addresses.len() < ADDRESSES && !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }

    /// Amounts: of what monitored contracts and others that it names have, and what its deployer and itself have; round ones.
    pub fn numbers<S: DatabaseRef<Error = StateError>>(
        &mut self,
        sandbox: &Sandbox<S>,
        bounds: Bounds,
    ) -> &[U256] {
        let known = self.addresses.len();
        if self.numbers.0 != known {
            self.numbers = (known, self.look_up(sandbox, bounds));
        }
        &self.numbers.1
    }

    /// Values that come with a call, of what its sender has: the deployer, or whom it can pay as much. What only others could
    /// pay proves nothing of it.
    pub fn values<S: DatabaseRef<Error = StateError>>(
        &self,
        sandbox: &Sandbox<S>,
        sender: Address,
    ) -> Vec<U256> {
        let has = |account: Address| balance(sandbox, account);
        let means = match self.orphan {
            true => has(sender),
            false => has(sender).min(has(self.deployer)),
        };
        let victim = self
            .victims
            .iter()
            .map(|victim| has(*victim))
            .find(|wei| !wei.is_zero());
        let victim = victim.unwrap_or_default();
        let ether = U256::from(ETHER);
        let tenth = |wei: U256| wei / U256::from(10);
        let all = [
            ether,
            tenth(victim),
            victim,
            means,
            means / U256::from(2),
            tenth(means),
            tenth(ether),
            U256::ONE,
        ];
        let mut values = Vec::new();
        for value in all {
            if !value.is_zero() && value <= means && !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    fn look_up<S: DatabaseRef<Error = StateError>>(
        &self,
        sandbox: &Sandbox<S>,
        bounds: Bounds,
    ) -> Vec<U256> {
        let victims = self.victims.iter().take(HOLDERS / 2).copied();
        let named = self
            .addresses
            .iter()
            .filter(|address| !self.victims.contains(address));
        let mut holders: Vec<Address> = victims.collect();
        holders.extend(named.take(HOLDERS - holders.len().min(HOLDERS)));
        let mut numbers = vec![U256::ONE, U256::from(ETHER)];
        let mut add = |number: U256| {
            if numbers.len() < NUMBERS && !number.is_zero() && !numbers.contains(&number) {
                numbers.push(number);
            }
        };
        // Whoever does not answer for the first is no token.
        let asked = |token: Address, holder: Address| {
            let data = [&BALANCE_OF[..], holder.into_word().as_slice()].concat();
            let answer = sandbox.view(token, Bytes::from(data), bounds).ok()?;
            (answer.len() == 32).then(|| U256::from_be_slice(&answer))
        };
        let mut held: Vec<U256> = holders
            .iter()
            .map(|holder| balance(sandbox, *holder))
            .collect();
        let mut tokens = 0;
        for token in &self.addresses {
            let Some(first) = holders.first().and_then(|holder| asked(*token, *holder)) else {
                continue;
            };
            held.push(first);
            let others = holders[1..].iter().chain([&self.own, &self.deployer]);
            held.extend(others.filter_map(|holder| asked(*token, *holder)));
            tokens += 1;
            if tokens == TOKENS {
                break;
            }
        }
        held.sort_unstable();
        held.dedup();
        held.reverse();
        add(U256::MAX);
        for amount in &held {
            add(*amount);
        }
        for amount in &held {
            add(*amount / U256::from(2));
            add(*amount / U256::from(10));
        }
        add(U256::from(ETHER) * U256::from(1_000));
        add(U256::from(1_000_000));
        numbers
    }
}

fn balance<S: DatabaseRef<Error = StateError>>(sandbox: &Sandbox<S>, account: Address) -> U256 {
    let info = sandbox.state().basic_ref(account);
    info.ok().flatten().map_or(U256::ZERO, |info| info.balance)
}

/// The address that a word is, where it is one.
fn address(word: U256) -> Option<Address> {
    let bytes = word.to_be_bytes::<32>();
    Limbs::of(&bytes)
        .looks_like_address()
        .then(|| address_of(&bytes))
}

/// Addresses among the constructor's arguments, which are words at the end of init code.
fn arguments(init_code: &[u8]) -> impl Iterator<Item = Address> {
    let words = init_code.rchunks_exact(32).take(ARGUMENTS);
    words.filter_map(|word| address(U256::from_be_slice(word)))
}

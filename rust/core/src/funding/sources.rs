//! The services of a chain: data of the project (`data/funding_sources.csv`), with what the user adds.

use crate::config::FundingConfig;
use crate::error::{Error, Result};
use crate::evidence::FundingGrade;
use alloy_primitives::{Address, U256, utils::parse_ether};
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Of early 2024. Of UnionChain and eXch no chain was told: Ethereum. Squid's router and relayer are the same wherever it is.
const SOURCES: &str = include_str!("../../data/funding_sources.csv");
/// By chain the wrapped native asset, and the least amount that counts, in whole units: some 5 to 20 dollars. That pays for
/// gas to deploy and attack on its chain, and to send it to a thousand accounts costs thousands.
const ASSETS: &str = include_str!("../../data/funding_assets.csv");
const HEADER: &str = "chain_id,address,service,grade,hours";
const HOUR: u64 = 3_600;
/// Ten years.
const MOST_HOURS: u64 = 87_600;
/// Unless a row says otherwise: money of an attack is fresh. It waits in mixers that need time to mix.
const HOURS: u64 = 24;
const LEAST: U256 = U256::from_limbs([5_000_000_000_000_000, 0, 0, 0]);
/// Rows of a user's file, at the most.
const MOST_ROWS: usize = 100_000;

/// An address that a service pays from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub service: Arc<str>,
    pub grade: FundingGrade,
    /// Seconds after a payment in which it counts.
    pub window: u64,
}

/// Who counts as a service on one chain, and what as money.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    by_address: HashMap<Address, Source>,
    /// The wrapped native asset.
    pub wrapped: Option<Address>,
    /// Smallest units below which nothing counts.
    pub least: U256,
}

impl Sources {
    /// What comes with the core.
    pub fn of_chain(chain_id: u64) -> Self {
        let mut sources = Self {
            least: LEAST,
            ..Self::default()
        };
        let own = format!("{chain_id},");
        if let Some(row) = ASSETS.lines().find_map(|row| row.strip_prefix(&*own)) {
            let (wrapped, least) = row.split_once(',').expect("tested");
            sources.wrapped = Some(wrapped.parse().expect("tested"));
            sources.least = parse_ether(least).expect("tested");
        }
        sources.add(SOURCES, chain_id).expect("tested");
        sources
    }

    /// The chain's own with the user's on top.
    ///
    /// # Errors
    /// [`Error::Config`], naming file and line; [`Error::Io`].
    pub fn load(config: &FundingConfig) -> Result<Self> {
        let mut sources = Self::of_chain(config.chain_id);
        sources.wrapped = config.wrapped.or(sources.wrapped);
        sources.least = config.least.unwrap_or(sources.least);
        if let Some(path) = &config.sources {
            sources.add_file(path, config.chain_id)?;
        }
        for (service, hours) in &config.windows {
            sources.set_window(service, *hours).map_err(|why| {
                let key = format!("early.windows.{service}");
                Error::Config(format!("{key}: {why}"))
            })?;
        }
        Ok(sources)
    }

    fn add_file(&mut self, path: &Path, chain_id: u64) -> Result<()> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        self.add(&text, chain_id)
            .map_err(|why| Error::Config(format!("early.sources: {}:{why}", path.display())))
    }

    /// Rows of a table; of other chains they are read, and left out. `Err` begins with the line.
    fn add(&mut self, text: &str, chain_id: u64) -> Result<(), String> {
        let mut rows = text.lines().zip(1..).map(|(row, line)| (row.trim(), line));
        let header = rows.by_ref().find(|(row, _)| !is_blank(row));
        if header.is_none_or(|(row, _)| row.replace(' ', "") != HEADER) {
            return Err(format!(" the first row is to be {HEADER}"));
        }
        for (row, line) in rows.filter(|(row, _)| !is_blank(row)) {
            if line > MOST_ROWS {
                return Err(format!(" more than {MOST_ROWS} lines"));
            }
            let (chain, address, source) = read(row).map_err(|why| format!("{line}: {why}"))?;
            if chain != chain_id {
                continue;
            }
            match source {
                Some(source) => self.by_address.insert(address, source),
                None => self.by_address.remove(&address),
            };
        }
        Ok(())
    }

    fn set_window(&mut self, service: &str, hours: u64) -> Result<(), String> {
        let window = window(hours)?;
        let own = self.by_address.values_mut();
        let mut named = own.filter(|one| &*one.service == service).peekable();
        if named.peek().is_none() {
            drop(named);
            let known: BTreeSet<_> = self.by_address.values().map(|one| &*one.service).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(format!("no such service on this chain; there are: {known}"));
        }
        named.for_each(|one| one.window = window);
        Ok(())
    }

    #[inline]
    pub fn get(&self, address: &Address) -> Option<&Source> {
        self.by_address.get(address)
    }

    /// Sorted.
    pub fn addresses(&self) -> Vec<Address> {
        let mut addresses: Vec<_> = self.by_address.keys().copied().collect();
        addresses.sort_unstable();
        addresses
    }

    pub fn len(&self) -> usize {
        self.by_address.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }

    /// Seconds of the longest window; 0 without services.
    pub fn longest(&self) -> u64 {
        let windows = self.by_address.values().map(|one| one.window);
        windows.max().unwrap_or(0)
    }
}

fn is_blank(row: &str) -> bool {
    row.is_empty() || row.starts_with('#')
}

fn window(hours: u64) -> Result<u64, String> {
    match hours {
        1..=MOST_HOURS => Ok(hours * HOUR),
        _ => Err(format!("hours: between 1 and {MOST_HOURS}")),
    }
}

/// A row's chain, address, and what is there; nothing where it says that there is no service.
fn read(row: &str) -> Result<(u64, Address, Option<Source>), String> {
    let fields: Vec<_> = row.split(',').map(str::trim).collect();
    let [chain, address, service, grade, hours] = fields[..] else {
        return Err(format!("{} fields, not 5", fields.len()));
    };
    let chain = chain.parse().map_err(|_| "chain_id: not a number")?;
    let hex = address
        .strip_prefix("0x")
        .ok_or("address: 0x and 40 digits")?;
    let parsed: Address = address.parse().map_err(|_| "address: 0x and 40 digits")?;
    // Of mixed case it is a checksum.
    let mixed = hex.contains(|c: char| c.is_ascii_lowercase())
        && hex.contains(|c: char| c.is_ascii_uppercase());
    if mixed && Address::parse_checksummed(address, None).is_err() {
        return Err("address: its checksum is wrong (EIP-55)".into());
    }
    if !(1..=32).contains(&service.chars().count()) || service.chars().any(char::is_control) {
        return Err("service: 1 to 32 printable characters".into());
    }
    let grade = match grade {
        "high" => FundingGrade::High,
        "medium" => FundingGrade::Medium,
        "low" => FundingGrade::Low,
        "none" => return Ok((chain, parsed, None)),
        _ => return Err("grade: high, medium, low, or none".into()),
    };
    let hours = match hours {
        "" => HOURS,
        hours => hours.parse().map_err(|_| "hours: not a number")?,
    };
    let source = Source {
        service: service.into(),
        grade,
        window: window(hours)?,
    };
    Ok((chain, parsed, Some(source)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::address;
    use proptest::prelude::*;

    const POOL: Address = address!("910cbd523d972eb0a6f4cae4618ad62622b39dbf");

    #[test]
    fn every_row_that_comes_with_the_core_is_read() {
        let chains: Vec<u64> = ASSETS
            .lines()
            .skip(1)
            .map(|row| row.split(',').next().unwrap().parse().unwrap())
            .collect();
        let read: usize = chains
            .iter()
            .map(|chain| Sources::of_chain(*chain).len())
            .sum();
        assert_eq!(read, SOURCES.lines().count() - 1);
        for chain in chains {
            let sources = Sources::of_chain(chain);
            assert!(sources.wrapped.is_some() && sources.least > U256::ZERO);
            assert!(sources.get(&sources.wrapped.unwrap()).is_none());
        }
    }

    #[test]
    fn mixers_say_much_exchanges_little_and_a_mixers_window_is_long() {
        let sources = Sources::of_chain(1);
        let pool = sources.get(&POOL).unwrap();
        assert_eq!(
            (&*pool.service, pool.grade),
            ("TornadoCash", FundingGrade::High)
        );
        assert_eq!(pool.window, 180 * 24 * HOUR);
        assert_eq!(sources.longest(), pool.window);
        let binance = address!("28c6c06298d514db089934071355e5743bf21d60");
        let binance = sources.get(&binance).unwrap();
        assert_eq!(
            (binance.grade, binance.window),
            (FundingGrade::Low, 24 * HOUR)
        );
        // Known nowhere: no services, and money all the same.
        let none = Sources::of_chain(31_337);
        assert!(none.is_empty() && none.wrapped.is_none() && none.least == LEAST);
    }

    #[test]
    fn a_users_rows_add_change_and_take_away() {
        let mut sources = Sources::of_chain(1);
        let before = sources.len();
        let text = format!(
            "# mine\n{HEADER}\n\n1,{POOL},TornadoCash,none,\n1,0x{:040x},My mixer,high,48\n56,0x{:040x},Other,low,\n",
            7, 8
        );
        sources.add(&text, 1).unwrap();
        assert_eq!((sources.len(), sources.get(&POOL)), (before, None));
        let mine = sources.get(&Address::with_last_byte(7)).unwrap();
        assert_eq!((&*mine.service, mine.window), ("My mixer", 48 * HOUR));
        sources.set_window("My mixer", 2).unwrap();
        assert_eq!(
            sources.get(&Address::with_last_byte(7)).unwrap().window,
            2 * HOUR
        );
        let error = sources.set_window("Mine", 2).unwrap_err();
        assert!(error.contains("My mixer"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let wrong = "0x910cbd523d972eb0a6f4cae4618ad62622b39dBf";
        for (row, said) in [
            ("1,0x12,A,high,1", "3: address: 0x"),
            ("x,0x12,A,high,1", "3: chain_id"),
            (&format!("1,{wrong},A,high,1"), "3: address: its checksum"),
            (&format!("1,{POOL},A,huge,1"), "3: grade"),
            (&format!("1,{POOL},A,high,0"), "3: hours"),
            (&format!("1,{POOL},,high,1"), "3: service"),
            (&format!("1,{POOL}"), "3: 2 fields"),
        ] {
            let text = format!("{HEADER}\n\n{row}\n");
            let error = Sources::default().add(&text, 1).unwrap_err();
            assert!(error.starts_with(said), "{row}: {error}");
        }
        assert!(Sources::default().add("", 1).is_err());
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in ".{0,200}") {
            let mut sources = Sources::default();
            let _ = sources.add(&format!("{HEADER}\n{text}"), 1);
            prop_assert!(sources.len() <= text.lines().count());
        }
    }
}

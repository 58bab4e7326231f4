//! The index on disk: one writer, and any number of readers beside it, in other processes too.
//!
//! Rows are facts and never change, so that what left the chain is undone by deleting its rows. Money is followed forwards:
//! blocks are fed in ascending order, and a block before one that is there is left out.

mod file;
mod state;
mod tables;

pub use state::{Fed, Span, State};

use super::flow::{Flow, Held, goes_on};
use super::{Block, Sources};
use crate::config::FundingConfig;
use crate::error::Result;
use crate::evidence::{Funding, FundingGrade};
use alloy_primitives::Address;
use file::Wrong;
use hashbrown::HashSet;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::cmp::Reverse;
use std::fs::File;
use tables::Row;

/// Seconds that a row outlives its window, so that a block that takes the place of another finds what that one found.
const SLACK: u64 = 3_600;

/// Feeds it, or looks into it.
pub struct Index {
    config: FundingConfig,
    sources: Sources,
    db: Connection,
    /// Held while this one writes.
    lock: Option<File>,
    /// Who may have money to pass on, and perhaps some who have none any more: most senders never had, and are not looked up.
    payers: HashSet<Address>,
    records: u64,
    behind: u64,
    undone: u64,
    rebuilt: Option<String>,
    /// That it was begun anew is not told yet.
    untold: bool,
}

impl Index {
    /// To feed it. Creates the file where there is none. A file that is damaged, or of another version, is put aside (its name
    /// with `.damaged` after it) and begun anew: [`State::rebuilt`] says why.
    ///
    /// # Errors
    /// `Error::Funding` where another process writes it, or the disk fails; `Error::Config` where it is another chain's, or another
    /// program's database, or the services cannot be read.
    pub fn open(config: FundingConfig) -> Result<Self> {
        let sources = Sources::load(&config)?;
        let lock = file::lock(&config.path)?;
        let (db, rebuilt) = match file::open(&config) {
            Err(Wrong::Damaged(why)) => (file::begin_anew(&config), Some(why)),
            opened => (opened, None),
        };
        let db = db.map_err(|wrong| wrong.into_error(&config.path))?;
        Self::with(config, sources, db, Some(lock), rebuilt)
    }

    /// To look into it, beside who feeds it.
    ///
    /// # Errors
    /// As [`Index::open`]; and where there is none, or it is damaged.
    pub fn read(config: FundingConfig) -> Result<Self> {
        let sources = Sources::load(&config)?;
        let db = file::open_to_read(&config);
        let db = db.map_err(|wrong| wrong.into_error(&config.path))?;
        Self::with(config, sources, db, None, None)
    }

    fn with(
        config: FundingConfig,
        sources: Sources,
        db: Connection,
        lock: Option<File>,
        rebuilt: Option<String>,
    ) -> Result<Self> {
        let records = tables::count(&db);
        let mut index = Self {
            config,
            sources,
            db,
            lock,
            payers: HashSet::new(),
            records: 0,
            behind: 0,
            undone: 0,
            untold: rebuilt.is_some(),
            rebuilt,
        };
        index.records = index.told(records)?;
        if index.lock.is_some() {
            let payers = tables::payers(&index.db, &index.sources);
            index.payers = index.told(payers)?;
        }
        Ok(index)
    }

    /// Takes in a block. One that stands in the place of another undoes that one and what came after it. A damaged index is put
    /// aside, and begun anew with this block.
    ///
    /// # Errors
    /// `Error::Funding`: it was opened to read, or the disk fails; the block is not in.
    pub fn feed(&mut self, block: &Block) -> Result<Fed> {
        let fed = match self.try_feed(block) {
            Err(Wrong::Damaged(why)) if self.lock.is_some() => {
                self.begin_anew(why).and_then(|()| self.try_feed(block))
            }
            fed => fed,
        };
        let fed = self.told(fed)?;
        match fed {
            Fed::Added { undone, .. } => self.undone += undone,
            Fed::Behind => self.behind += 1,
            Fed::Known => {}
        }
        Ok(fed)
    }

    fn try_feed(&mut self, block: &Block) -> Result<Fed, Wrong> {
        let limits = self.config.limits;
        let db = begin(&mut self.db)?;
        let there = tables::head(&db, block.number)?;
        if there == Some(block.hash) {
            return Ok(Fed::Known);
        }
        let last = tables::last(&db)?;
        if there.is_none() && last.is_some_and(|last| block.number <= last) {
            return Ok(Fed::Behind);
        }
        let before = match block.number.checked_sub(1) {
            Some(before) => tables::head(&db, before)?,
            None => None,
        };
        // Its parent's place may have another, whose own fate is known when it is fed.
        let from = match before.is_some_and(|before| before != block.parent) {
            true => block.number - 1,
            false => block.number,
        };
        let undone = blocks_from(&db, from)?;
        let mut gone = tables::undo(&db, from)?;
        gone += tables::expire(&db, block.timestamp.saturating_sub(SLACK))?;
        let flow = Flow::new(&self.sources, limits.spread, |account: &Address| match self
            .payers
            .contains(account)
        {
            true => tables::held(&db, &self.sources, account, block.timestamp),
            false => Ok(Held::default()),
        });
        let receipts = flow.follow(block)?;
        for (position, receipt) in receipts.iter().enumerate() {
            let window = self
                .sources
                .get(&receipt.source)
                .map_or(0, |one| one.window);
            let expires = block.timestamp.saturating_add(window);
            tables::insert(&db, block, position, receipt, expires)?;
            gone += crowd_out(&db, &self.sources, &receipt.account, limits.per_account)?;
        }
        let mut records = (self.records + receipts.len() as u64).saturating_sub(gone);
        if records > limits.records {
            records -= tables::evict(&db, records - limits.records)?;
        }
        tables::cover(&db, block, self.sources.longest())?;
        db.commit()?;
        self.records = records;
        let payers = receipts
            .iter()
            .filter(|one| one.via.is_none() && goes_on(&self.sources, &one.source));
        self.payers.extend(payers.map(|one| one.account));
        // Those who have none any more are no more than a quarter.
        if self.payers.len() as u64 > limits.records.saturating_add(limits.records / 4) {
            self.payers = tables::payers(&self.db, &self.sources)?;
        }
        Ok(Fed::Added {
            records: receipts.len(),
            undone,
        })
    }

    /// Undoes this block and what came after it; how many there were.
    ///
    /// # Errors
    /// `Error::Funding`.
    pub fn undo(&mut self, from: u64) -> Result<u64> {
        let undone = self.try_undo(from);
        let undone = self.told(undone)?;
        self.undone += undone;
        Ok(undone)
    }

    fn try_undo(&mut self, from: u64) -> Result<u64, Wrong> {
        let db = begin(&mut self.db)?;
        let undone = blocks_from(&db, from)?;
        let gone = tables::undo(&db, from)?;
        db.commit()?;
        self.records = self.records.saturating_sub(gone);
        Ok(undone)
    }

    /// The money that an account had of services, as of `at` (Unix seconds; else of the last block): what says most first.
    ///
    /// # Errors
    /// `Error::Funding`: the disk fails, or the index is damaged; [`Index::feed`] begins it anew.
    pub fn funding_of(&self, account: &Address, at: Option<u64>) -> Result<Vec<Funding>> {
        let rows = tables::rows(&self.db, account);
        let at = match at {
            Some(at) => at,
            None => self.told(tables::until(&self.db))?.unwrap_or(0),
        };
        let rows = self.told(rows)?.into_iter();
        let mut found: Vec<_> = rows
            .filter_map(|row| funding(&self.sources, row, at))
            .collect();
        found.sort_by_key(|one| (Reverse(one.grade), one.hops, Reverse(one.timestamp)));
        Ok(found)
    }

    /// What is in it.
    ///
    /// # Errors
    /// `Error::Funding`.
    pub fn state(&self) -> Result<State> {
        // A reader has not heard of what was written since.
        let records = match self.lock {
            Some(_) => self.records,
            None => self.told(tables::count(&self.db))?,
        };
        Ok(State {
            chain_id: self.config.chain_id,
            records,
            blocks: self.told(tables::spans(&self.db))?,
            sources: self.sources.addresses(),
            longest_window: self.sources.longest(),
            wrapped: self.sources.wrapped,
            evicted: self.told(tables::fact(&self.db, tables::EVICTED))?,
            crowded_out: self.told(tables::fact(&self.db, tables::CROWDED_OUT))?,
            behind: self.behind,
            undone: self.undone,
            rebuilt: self.rebuilt.clone(),
        })
    }

    /// Forgets everything, to be fed from the beginning.
    ///
    /// # Errors
    /// `Error::Funding`.
    pub fn clear(&mut self) -> Result<()> {
        let cleared = begin(&mut self.db).and_then(|db| {
            tables::clear(&db)?;
            db.commit()
        });
        self.told(cleared)?;
        self.records = 0;
        self.payers.clear();
        Ok(())
    }

    /// That it had to begin anew, and why, in words; once each time.
    pub fn told_of_rebuilding(&mut self) -> Option<String> {
        let why = self.rebuilt.as_ref().filter(|_| self.untold)?;
        self.untold = false;
        Some(format!(
            "{}: the funding index was damaged ({why}): it is put aside, with .damaged after its name, and a new one begun; \
             `mempool-ids funding backfill` fills it",
            self.config.path.display()
        ))
    }

    /// Who counts as a service.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    fn begin_anew(&mut self, why: String) -> Result<(), Wrong> {
        // Closed first: a file that is open cannot be put aside everywhere.
        self.db = Connection::open_in_memory()?;
        self.db = file::begin_anew(&self.config)?;
        self.records = 0;
        self.payers.clear();
        self.rebuilt = Some(why);
        self.untold = true;
        Ok(())
    }

    fn told<T>(&self, result: Result<T, impl Into<Wrong>>) -> Result<T> {
        result.map_err(|error| error.into().into_error(&self.config.path))
    }
}

/// Nobody else writes until it is over.
fn begin(db: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    db.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Blocks from this one on that are in.
fn blocks_from(db: &Connection, from: u64) -> rusqlite::Result<u64> {
    let spans = tables::spans(db)?.into_iter();
    let blocks = spans.map(|span| (span.last + 1).saturating_sub(span.first.max(from)));
    Ok(blocks.sum())
}

/// Of an account with too many rows, those go that say least; how many.
fn crowd_out(
    db: &Connection,
    sources: &Sources,
    account: &Address,
    most: usize,
) -> rusqlite::Result<u64> {
    let mut rows = tables::rows(db, account)?;
    let surplus = rows.len().saturating_sub(most);
    if surplus > 0 {
        let grade = |row: &Row| sources.get(&row.source).map(|one| graded(one.grade, row));
        rows.sort_by_key(|row| (grade(row), row.timestamp));
        for row in &rows[..surplus] {
            tables::delete(db, account, row)?;
        }
        tables::add_to(db, tables::CROWDED_OUT, surplus as u64)?;
    }
    Ok(surplus as u64)
}

/// What a row says at a time, if it says anything then.
fn funding(sources: &Sources, row: Row, at: u64) -> Option<Funding> {
    let source = sources.get(&row.source)?;
    let age = at.checked_sub(row.timestamp)?;
    (age <= source.window).then(|| Funding {
        service: source.service.clone(),
        grade: graded(source.grade, &row),
        source: row.source,
        hops: if row.via.is_some() { 2 } else { 1 },
        via: row.via,
        token: row.token,
        amount: row.amount,
        block: row.block,
        timestamp: row.timestamp,
        tx: row.tx,
    })
}

/// An account on, it says one grade less.
fn graded(grade: FundingGrade, row: &Row) -> FundingGrade {
    match (row.via, grade) {
        (None, grade) => grade,
        (Some(_), FundingGrade::High) => FundingGrade::Medium,
        (Some(_), _) => FundingGrade::Low,
    }
}

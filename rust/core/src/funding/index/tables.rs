//! The index's tables and every statement on them.

use super::state::Span;
use crate::funding::flow::{Held, Receipt, goes_on};
use crate::funding::{Block, Sources};
use alloy_primitives::{Address, B256, U256};
use hashbrown::HashSet;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Result, Row as SqlRow, params};
use std::time::Duration;

/// `midf`, so that no other database is taken for an index.
pub(super) const APPLICATION: u64 = 0x6d69_6466;
/// Of the tables; higher with each change.
pub(super) const VERSION: u64 = 1;
/// Blocks whose hash is known: the deepest reorg that is undone.
pub(super) const HEADS: u64 = 1_024;
/// Spans of blocks that are remembered.
const SPANS: u64 = 4_096;
/// Readers of other processes never keep a writer waiting, but for a moment when one opens it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names of facts.
pub(super) const CHAIN: &str = "chain_id";
pub(super) const EVICTED: &str = "evicted";
pub(super) const CROWDED_OUT: &str = "crowded_out";

const SCHEMA: &str = "
CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE heads (number INTEGER PRIMARY KEY, hash BLOB NOT NULL, timestamp INTEGER NOT NULL) STRICT;
CREATE TABLE spans (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL) STRICT;
CREATE TABLE funding (
  account BLOB NOT NULL,
  block INTEGER NOT NULL,
  position INTEGER NOT NULL,
  source BLOB NOT NULL,
  via BLOB,
  token BLOB,
  amount BLOB NOT NULL,
  timestamp INTEGER NOT NULL,
  tx BLOB NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (account, block, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX funding_by_block ON funding (block);
CREATE INDEX funding_by_expiry ON funding (expires);
CREATE INDEX funding_by_via ON funding (via, timestamp) WHERE via IS NOT NULL;
";

/// Money that an account had, as it was when its block was fed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub block: u64,
    pub position: u64,
    pub source: Address,
    pub via: Option<Address>,
    pub token: Option<Address>,
    pub amount: U256,
    pub timestamp: u64,
    pub tx: B256,
}

pub(super) fn is_empty(db: &Connection) -> Result<bool> {
    db.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
        row.get(0)
    })
}

pub(super) fn create(db: &Connection, chain_id: u64) -> Result<()> {
    db.pragma_update(None, "application_id", signed(APPLICATION))?;
    db.pragma_update(None, "user_version", signed(VERSION))?;
    db.execute_batch(SCHEMA)?;
    add_to(db, CHAIN, chain_id)
}

/// Of each connection.
pub(super) fn set_up(db: &Connection) -> Result<()> {
    db.busy_timeout(PATIENCE)?;
    db.set_prepared_statement_cache_capacity(32);
    // Nothing that somebody may have put into the file is run.
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    // KiB.
    db.pragma_update(None, "cache_size", -4_096)
}

/// A crash loses no more than the last blocks: which those were it knows.
pub(super) fn set_up_to_write(db: &Connection) -> Result<()> {
    db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "normal")?;
    db.pragma_update_and_check(None, "journal_size_limit", 8 << 20, |_| Ok(()))
}

pub(super) fn written_by(db: &Connection) -> Result<(u64, u64)> {
    let pragma = |name| db.pragma_query_value(None, name, |row| unsigned(row, 0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}

/// What is wrong with the file, if anything is.
pub(super) fn fault(db: &Connection) -> Result<Option<String>> {
    let said: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((said != "ok").then_some(said))
}

pub(super) fn clear(db: &Connection) -> Result<()> {
    db.execute_batch("DELETE FROM funding; DELETE FROM heads; DELETE FROM spans;")?;
    let mut counts = db.prepare_cached("DELETE FROM facts WHERE name <> ?")?;
    counts.execute([CHAIN]).map(drop)
}

pub(super) fn count(db: &Connection) -> Result<u64> {
    db.query_row("SELECT count(*) FROM funding", [], |row| unsigned(row, 0))
}

pub(super) fn fact(db: &Connection, name: &str) -> Result<u64> {
    let mut select = db.prepare_cached("SELECT value FROM facts WHERE name = ?")?;
    let value = select.query_row([name], |row| unsigned(row, 0));
    Ok(value.optional()?.unwrap_or(0))
}

pub(super) fn add_to(db: &Connection, name: &str, number: u64) -> Result<()> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO facts VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value + ?2",
    )?;
    upsert.execute(params![name, signed(number)]).map(drop)
}

/// The hash of a block that is in.
pub(super) fn head(db: &Connection, number: u64) -> Result<Option<B256>> {
    let mut select = db.prepare_cached("SELECT hash FROM heads WHERE number = ?")?;
    let hash = select.query_row([signed(number)], |row| Ok(row.get::<_, Hash>(0)?.0));
    hash.optional()
}

/// The number of the last block.
pub(super) fn last(db: &Connection) -> Result<Option<u64>> {
    let mut select = db.prepare_cached("SELECT last FROM spans ORDER BY first DESC LIMIT 1")?;
    select.query_row([], |row| unsigned(row, 0)).optional()
}

/// When the last block was.
pub(super) fn until(db: &Connection) -> Result<Option<u64>> {
    let mut select = db.prepare_cached("SELECT until FROM spans ORDER BY first DESC LIMIT 1")?;
    select.query_row([], |row| unsigned(row, 0)).optional()
}

pub(super) fn spans(db: &Connection) -> Result<Vec<Span>> {
    let mut select =
        db.prepare_cached("SELECT first, last, since, until FROM spans ORDER BY first")?;
    let spans = select.query_map([], |row| {
        Ok(Span {
            first: unsigned(row, 0)?,
            last: unsigned(row, 1)?,
            since: unsigned(row, 2)?,
            until: unsigned(row, 3)?,
        })
    })?;
    spans.collect()
}

/// The block is in, and the last. What is older than the longest window says nothing any more.
pub(super) fn cover(db: &Connection, block: &Block, longest: u64) -> Result<()> {
    let (number, timestamp) = (signed(block.number), signed(block.timestamp));
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)")?;
    insert.execute(params![number, block.hash.as_slice(), timestamp])?;
    let mut forget = db.prepare_cached("DELETE FROM heads WHERE number <= ?")?;
    forget.execute([number.saturating_sub(signed(HEADS))])?;
    let mut extend =
        db.prepare_cached("UPDATE spans SET last = ?1, until = ?2 WHERE last = ?1 - 1")?;
    if extend.execute([number, timestamp])? == 0 {
        let mut begin = db.prepare_cached("INSERT INTO spans VALUES (?1, ?1, ?2, ?2)")?;
        begin.execute([number, timestamp])?;
        let mut old = db.prepare_cached(
            "DELETE FROM spans WHERE until < ?1 OR first IN (SELECT first FROM spans ORDER BY first DESC LIMIT -1 OFFSET ?2)",
        )?;
        let oldest = block.timestamp.saturating_sub(longest);
        old.execute([signed(oldest), signed(SPANS)])?;
    }
    Ok(())
}

/// Takes out a block and what came after it; how many rows went.
pub(super) fn undo(db: &Connection, from: u64) -> Result<u64> {
    let from = signed(from);
    let mut rows = db.prepare_cached("DELETE FROM funding WHERE block >= ?")?;
    let gone = rows.execute([from])?;
    let mut heads = db.prepare_cached("DELETE FROM heads WHERE number >= ?")?;
    heads.execute([from])?;
    let mut whole = db.prepare_cached("DELETE FROM spans WHERE first >= ?")?;
    whole.execute([from])?;
    let mut cut = db.prepare_cached(
        "UPDATE spans SET last = ?1 - 1, until = coalesce((SELECT timestamp FROM heads WHERE number = ?1 - 1), until)
         WHERE last >= ?1",
    )?;
    cut.execute([from])?;
    Ok(gone as u64)
}

/// Takes out what has expired before `now`, Unix seconds; how many rows.
pub(super) fn expire(db: &Connection, now: u64) -> Result<u64> {
    let mut delete = db.prepare_cached("DELETE FROM funding WHERE expires < ?")?;
    Ok(delete.execute([signed(now)])? as u64)
}

/// Takes out so many rows that would expire first; how many there were.
pub(super) fn evict(db: &Connection, rows: u64) -> Result<u64> {
    let mut delete = db.prepare_cached(
        "DELETE FROM funding WHERE (account, block, position) IN
         (SELECT account, block, position FROM funding ORDER BY expires LIMIT ?)",
    )?;
    let gone = delete.execute([signed(rows)])? as u64;
    add_to(db, EVICTED, gone)?;
    Ok(gone)
}

pub(super) fn insert(
    db: &Connection,
    block: &Block,
    position: usize,
    receipt: &Receipt,
    expires: u64,
) -> Result<()> {
    let mut insert =
        db.prepare_cached("INSERT INTO funding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    let row = params![
        receipt.account.as_slice(),
        signed(block.number),
        signed(position as u64),
        receipt.source.as_slice(),
        receipt.via.as_ref().map(|via| via.as_slice()),
        receipt.token.as_ref().map(|token| token.as_slice()),
        receipt.amount.to_be_bytes_trimmed_vec(),
        signed(block.timestamp),
        receipt.tx.as_slice(),
        signed(expires),
    ];
    insert.execute(row).map(drop)
}

pub(super) fn delete(db: &Connection, account: &Address, row: &Row) -> Result<()> {
    let mut delete =
        db.prepare_cached("DELETE FROM funding WHERE account = ? AND block = ? AND position = ?")?;
    let key = params![account.as_slice(), signed(row.block), signed(row.position)];
    delete.execute(key).map(drop)
}

/// All of an account, expired ones among them, the oldest first.
pub(super) fn rows(db: &Connection, account: &Address) -> Result<Vec<Row>> {
    let mut select = db.prepare_cached(
        "SELECT block, position, source, via, token, amount, timestamp, tx FROM funding
         WHERE account = ? ORDER BY block, position",
    )?;
    let rows = select.query_map([account.as_slice()], |row| {
        Ok(Row {
            block: unsigned(row, 0)?,
            position: unsigned(row, 1)?,
            source: row.get::<_, Account>(2)?.0,
            via: row.get::<_, Option<Account>>(3)?.map(|via| via.0),
            token: row.get::<_, Option<Account>>(4)?.map(|token| token.0),
            amount: row.get::<_, Amount>(5)?.0,
            timestamp: unsigned(row, 6)?,
            tx: row.get::<_, Hash>(7)?.0,
        })
    })?;
    rows.collect()
}

/// Accounts that had money straight from services that are followed on.
pub(super) fn payers(db: &Connection, sources: &Sources) -> Result<HashSet<Address>> {
    let mut select = db.prepare_cached("SELECT account, source FROM funding WHERE via IS NULL")?;
    let mut rows = select.query([])?;
    let mut payers = HashSet::new();
    while let Some(row) = rows.next()? {
        if goes_on(sources, &row.get::<_, Account>(1)?.0) {
            payers.insert(row.get::<_, Account>(0)?.0);
        }
    }
    Ok(payers)
}

/// What an account has straight from services that are followed on, within their windows, less what it passed on.
pub(super) fn held(
    db: &Connection,
    sources: &Sources,
    account: &Address,
    now: u64,
) -> Result<Held> {
    let mut held = Held::default();
    let mut since = now;
    for row in rows(db, account)? {
        let Some(source) = sources.get(&row.source) else {
            continue;
        };
        let fresh = now.saturating_sub(row.timestamp) <= source.window;
        if row.via.is_some() || !fresh || !goes_on(sources, &row.source) {
            continue;
        }
        since = since.min(row.timestamp);
        match held
            .left
            .iter_mut()
            .find(|(source, _)| *source == row.source)
        {
            Some((_, left)) => *left = left.saturating_add(row.amount),
            None => held.left.push((row.source, row.amount)),
        }
    }
    if held.left.is_empty() {
        return Ok(held);
    }
    let mut select =
        db.prepare_cached("SELECT source, amount FROM funding WHERE via = ? AND timestamp >= ?")?;
    let mut passed = select.query(params![account.as_slice(), signed(since)])?;
    while let Some(row) = passed.next()? {
        let (source, amount) = (row.get::<_, Account>(0)?.0, row.get::<_, Amount>(1)?.0);
        held.passed += 1;
        if let Some((_, left)) = held.left.iter_mut().find(|(from, _)| *from == source) {
            *left = left.saturating_sub(amount);
        }
    }
    Ok(held)
}

/// SQLite's integers have a sign. Blocks and times of real chains are far below.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &SqlRow<'_>, column: usize) -> Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// What a column holds; of another length it is damage.
struct Account(Address);
struct Hash(B256);
struct Amount(U256);

impl FromSql for Account {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let address = Address::try_from(value.as_blob()?);
        address.map(Self).map_err(FromSqlError::other)
    }
}

impl FromSql for Hash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let hash = B256::try_from(value.as_blob()?);
        hash.map(Self).map_err(FromSqlError::other)
    }
}

impl FromSql for Amount {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let amount = U256::try_from_be_slice(value.as_blob()?);
        amount.map(Self).ok_or(FromSqlError::OutOfRange(0))
    }
}

//! Transaction files in the schema of flashbots/mempool-dumpster, ours with the context file beside them.
//!
//! Four columns are read, a batch of rows at a time, straight from the column readers: memory stays at a page a column
//! however large a row group is.

mod column;
mod context;

use super::emit::{Emitter, Stopped, bad};
use crate::capture::columns::CHAIN_ID_KEY;
use crate::error::{Error, Result};
use crate::evidence::AnomalyKind;
use crate::wire::hex;
use crate::wire::signed::decode_raw;
use alloy_primitives::{Address, B256};
use column::Columns;
use context::Context;
use parquet::data_type::ByteArray;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::borrow::Cow;
use std::fs::File;
use std::path::Path;

fn open(path: &Path) -> Result<SerializedFileReader<File>> {
    let file = File::open(path).map_err(|source| Error::Io {
        path: path.into(),
        source,
    })?;
    SerializedFileReader::new(file).map_err(|e| bad(path, &format!("not a Parquet file: {e}")))
}

/// Whether it has the columns; the chain it was captured on, where it says so.
pub(super) fn check(path: &Path) -> Result<Option<u64>> {
    let reader = open(path)?;
    Columns::find(&reader).map_err(|reason| bad(path, &reason))?;
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let recorded = pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == CHAIN_ID_KEY));
    Ok(recorded.and_then(|pair| pair.value.as_ref()?.parse().ok()))
}

pub(super) fn replay(path: &Path, emitter: &mut Emitter) -> Result<(), Stopped> {
    let file = path.display().to_string();
    let opened = open(path).map_err(|e| e.to_string());
    let opened = opened.and_then(|reader| Columns::find(&reader).map(|columns| (reader, columns)));
    let (reader, columns) = match opened {
        Ok(opened) => opened,
        Err(reason) => return emitter.bad_capture(file, reason),
    };
    let mut context = Context::open(path, emitter)?;
    let mut first_row = 0;
    for group in 0..reader.num_row_groups() {
        let rows = reader.metadata().row_group(group).num_rows().max(0) as u64;
        replay_group(
            &reader,
            group,
            first_row,
            &columns,
            &mut context,
            path,
            emitter,
        )?;
        first_row += rows;
    }
    context.rest(emitter)
}

/// Sends one row group. Damage in it costs what follows in the group, not the next group.
fn replay_group(
    reader: &SerializedFileReader<File>,
    group: usize,
    first_row: u64,
    columns: &Columns,
    context: &mut Context,
    path: &Path,
    emitter: &mut Emitter,
) -> Result<(), Stopped> {
    let mut row = first_row;
    let origin = |row: u64| format!("{}: row {row}", path.display());
    let opened = reader.get_row_group(group).map_err(|e| e.to_string());
    let mut batches = match opened.and_then(|group| columns.batches(group.as_ref())) {
        Ok(batches) => batches,
        Err(reason) => return emitter.bad_capture(origin(row), reason),
    };
    loop {
        match batches.read() {
            Ok(0) => return Ok(()),
            Ok(rows) => emitter.received(rows as u64),
            Err(reason) => {
                return emitter
                    .bad_capture(origin(row), format!("the rest of its row group: {reason}"));
            }
        }
        while let Some((timestamp, hash, from, raw)) = batches.next_row() {
            let recorded = Row {
                seen_ms: columns.unit.to_ms(timestamp),
                hash,
                from,
                raw,
            };
            recorded.replay(row, context, &origin, emitter)?;
            row += 1;
        }
    }
}

struct Row {
    seen_ms: u64,
    hash: Option<ByteArray>,
    from: Option<ByteArray>,
    raw: Option<ByteArray>,
}

impl Row {
    fn replay(
        self,
        row: u64,
        context: &mut Context,
        origin: &impl Fn(u64) -> String,
        emitter: &mut Emitter,
    ) -> Result<(), Stopped> {
        if let Some(object) = context.before(row, emitter)? {
            return emitter.object(object, self.seen_ms, self.seen_ms);
        }
        let Some(raw) = self.raw.filter(|raw| !raw.is_empty()) else {
            return emitter.bad_capture(
                origin(row),
                "rawTx is empty and no context file has the transaction",
            );
        };
        if raw.len() > emitter.max_bytes {
            let reason = format!("a transaction above {} bytes", emitter.max_bytes);
            return emitter.anomaly(AnomalyKind::OversizedFrame, origin(row), reason);
        }
        let (hash, from) = match (
            recorded::<32>(self.hash.as_ref()),
            recorded::<20>(self.from.as_ref()),
        ) {
            (Ok(hash), Ok(from)) => (hash.map(B256::new), from.map(Address::new)),
            (Err(problem), _) => {
                return emitter.bad_capture(origin(row), format!("hash: {problem}"));
            }
            (_, Err(problem)) => {
                return emitter.bad_capture(origin(row), format!("from: {problem}"));
            }
        };
        match decode_raw(&signed_bytes(raw.data()), hash, from, self.seen_ms) {
            Ok(tx) => emitter.transaction(tx),
            Err(error) => emitter.bad_transaction(error, origin(row)),
        }
    }
}

/// `N` bytes as hex text, or as they are; `None` for an absent or empty value.
fn recorded<const N: usize>(value: Option<&ByteArray>) -> Result<Option<[u8; N]>, &'static str> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    if let Ok(bytes) = <[u8; N]>::try_from(value.data()) {
        return Ok(Some(bytes));
    }
    hex::fixed(std::str::from_utf8(value.data()).map_err(|_| "not text")?).map(Some)
}

/// Some re-exports have hex text instead of bytes. No signed transaction starts with the bytes of "0x": 0x30 is no type.
fn signed_bytes(raw: &[u8]) -> Cow<'_, [u8]> {
    let text = std::str::from_utf8(raw)
        .ok()
        .filter(|text| text.starts_with("0x"));
    if let Some(bytes) = text.and_then(|text| hex::bytes(text).ok()) {
        return Cow::Owned(bytes);
    }
    Cow::Borrowed(raw)
}

//! A capture folder: one segment after another, each a journal that becomes a pair of Parquet files when it is full.
//!
//! `mempool-<start, Unix ms>.journal` → `mempool-….parquet` and `mempool-….context.parquet`. The journal is deleted
//! last, and while it exists it alone counts: whatever moment a crash picks, every segment can be read whole and once.

use super::columns::{OBJECT_KIND, SegmentWriter};
use super::journal::{JournalReader, JournalWriter, Next};
use super::record::{Form, Record};
use crate::error::{Error, Result};
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

const PREFIX: &str = "mempool-";

/// The context file that belongs to a transactions file.
pub(crate) fn context_path(transactions: &Path) -> PathBuf {
    transactions.with_extension("context.parquet")
}

pub(crate) fn is_context(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().ends_with(b".context.parquet"))
}

pub(crate) fn is_journal(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("journal"))
}

/// Starts a segment whose name sorts after all others in `dir`, even if the clock went back.
pub(crate) fn create(dir: &Path, now_ms: u64, chain_id: u64) -> Result<JournalWriter> {
    let io = |source| Error::Io {
        path: dir.into(),
        source,
    };
    let mut last = 0;
    for entry in std::fs::read_dir(dir).map_err(io)? {
        last = last.max(start_of(&entry.map_err(io)?.path()).unwrap_or(0));
    }
    JournalWriter::create(
        dir.join(format!("{PREFIX}{:013}.journal", now_ms.max(last + 1))),
        chain_id,
    )
}

fn start_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    name.split('.').next()?.parse().ok()
}

/// Journals of `dir` that no running capture holds, oldest first.
pub(crate) fn left_behind(dir: &Path) -> Result<Vec<PathBuf>> {
    let io = |source| Error::Io {
        path: dir.into(),
        source,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let is_free = |path: &Path| File::open(path).is_ok_and(|file| file.try_lock().is_ok());
        if is_journal(&path) && start_of(&path).is_some() && is_free(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Turns a journal into its Parquet files and deletes it. Doing it again after a crash on the way is harmless.
pub(crate) fn convert(journal: &Path) -> Result<()> {
    let io = |source| Error::Io {
        path: journal.into(),
        source,
    };
    let delete = || std::fs::remove_file(journal).map_err(io);
    let mut reader = match JournalReader::open(journal) {
        Ok(reader) => reader,
        // A crash before the header was written: there is nothing to keep.
        Err(Error::Capture { .. }) if std::fs::metadata(journal).map_err(io)?.len() < 16 => {
            return delete();
        }
        Err(e) => return Err(e),
    };
    let transactions = journal.with_extension("parquet");
    let mut writer =
        SegmentWriter::create(&transactions, &context_path(&transactions), reader.chain_id)?;
    loop {
        match reader.next().map_err(io)? {
            Next::Record(Record::Context(entry)) => {
                writer.context(entry.kind(), entry.body().into_bytes())?
            }
            Next::Record(Record::Transaction(recorded)) => {
                let Ok(tx) = recorded.transaction() else {
                    continue;
                };
                let raw: &[u8] = match &recorded.form {
                    Form::Raw(raw) => raw,
                    Form::Object(object) => {
                        writer.context(OBJECT_KIND, object.to_vec())?;
                        &[]
                    }
                };
                writer.transaction(&tx, &recorded.source, raw)?;
            }
            Next::Unreadable { .. } => {}
            Next::End | Next::Torn { .. } => break,
        }
    }
    writer.finish()?;
    // The names must be on the disk before the journal may go.
    let dir = journal.parent().unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
    delete()
}

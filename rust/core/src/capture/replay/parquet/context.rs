//! The context file of a captured segment, merged with its transactions by position.

use super::column::{Column, position};
use crate::capture::columns::OBJECT_KIND;
use crate::capture::context::ContextEntry;
use crate::capture::replay::emit::{Emitter, Stopped};
use crate::capture::segment::context_path;
use crate::inbox::Item;
use bytes::Bytes;
use parquet::basic::Type;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::path::PathBuf;

/// Entries decoded at a time. What a simulation read may be megabytes.
const BATCH: usize = 16;

/// Entries still to come. Without a context file there are none.
pub(super) struct Context {
    path: PathBuf,
    rows: Option<Rows>,
    /// Read ahead: the first entry that is not due yet.
    next: Option<Entry>,
}

struct Entry {
    position: u64,
    kind: ByteArray,
    body: ByteArray,
}

struct Rows {
    file: SerializedFileReader<File>,
    columns: [usize; 3],
    group: usize,
    readers: Option<(
        Column<Int64Type>,
        Column<ByteArrayType>,
        Column<ByteArrayType>,
    )>,
    left: usize,
}

impl Context {
    pub(super) fn open(
        transactions: &std::path::Path,
        emitter: &mut Emitter,
    ) -> Result<Self, Stopped> {
        let path = context_path(transactions);
        let mut context = Self {
            rows: None,
            next: None,
            path,
        };
        if context.path.exists() {
            match Rows::open(&context.path) {
                Ok(rows) => context.rows = Some(rows),
                Err(reason) => emitter.bad_capture(context.path.display().to_string(), reason)?,
            }
            context.advance(emitter)?;
        }
        Ok(context)
    }

    /// Sends what came before the transaction in `row`; returns that transaction's JSON where it was kept as such.
    pub(super) fn before(
        &mut self,
        row: u64,
        emitter: &mut Emitter,
    ) -> Result<Option<Bytes>, Stopped> {
        while let Some(entry) = self.next.take_if(|entry| entry.position <= row) {
            self.advance(emitter)?;
            if entry.kind.data() == OBJECT_KIND.as_bytes() {
                if entry.position == row {
                    return Ok(Some(Bytes::copy_from_slice(entry.body.data())));
                }
                // The row with its time was lost in a damaged row group, which has been reported.
                continue;
            }
            self.send(&entry, emitter)?;
        }
        Ok(None)
    }

    /// Sends what came after the last transaction.
    pub(super) fn rest(mut self, emitter: &mut Emitter) -> Result<(), Stopped> {
        self.before(u64::MAX, emitter).map(|_| ())
    }

    fn send(&self, entry: &Entry, emitter: &mut Emitter) -> Result<(), Stopped> {
        let kind = String::from_utf8_lossy(entry.kind.data());
        match ContextEntry::from_parts(&kind, entry.body.data()) {
            Ok(entry) => emitter.item(Item::from(entry)),
            Err(reason) => emitter.bad_capture(
                format!("{}: position {}", self.path.display(), entry.position),
                reason,
            ),
        }
    }

    fn advance(&mut self, emitter: &mut Emitter) -> Result<(), Stopped> {
        let Some(rows) = &mut self.rows else {
            return Ok(());
        };
        match rows.next() {
            Ok(next) => self.next = next,
            Err(reason) => {
                self.rows = None;
                emitter.bad_capture(
                    self.path.display().to_string(),
                    format!("the rest of the context: {reason}"),
                )?;
            }
        }
        Ok(())
    }
}

impl Rows {
    fn open(path: &std::path::Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        let file = SerializedFileReader::new(file).map_err(|e| e.to_string())?;
        let find = |name, physical| {
            position(&file, name, physical)
                .and_then(|found| found.ok_or_else(|| format!("no column {name}")))
        };
        let columns = [
            find("position", Type::INT64)?,
            find("kind", Type::BYTE_ARRAY)?,
            find("body", Type::BYTE_ARRAY)?,
        ];
        Ok(Self {
            file,
            columns,
            group: 0,
            readers: None,
            left: 0,
        })
    }

    fn next(&mut self) -> Result<Option<Entry>, String> {
        while self.left == 0 {
            let Some((position, kind, body)) = &mut self.readers else {
                if self.group == self.file.num_row_groups() {
                    return Ok(None);
                }
                let group = self
                    .file
                    .get_row_group(self.group)
                    .map_err(|e| e.to_string())?;
                self.group += 1;
                let [position, kind, body] = self.columns;
                let group = group.as_ref();
                self.readers = Some((
                    Column::open(group, position)?,
                    Column::open(group, kind)?,
                    Column::open(group, body)?,
                ));
                continue;
            };
            self.left = position.read(BATCH)?;
            if kind.read(BATCH)? != self.left || body.read(BATCH)? != self.left {
                return Err("columns of different lengths".into());
            }
            if self.left == 0 {
                self.readers = None;
            }
        }
        self.left -= 1;
        let (position, kind, body) = self.readers.as_mut().ok_or("no row group")?;
        match (position.next(), kind.next(), body.next()) {
            (Some(position), Some(kind), Some(body)) => {
                let position = u64::try_from(position).map_err(|_| "a negative position")?;
                Ok(Some(Entry {
                    position,
                    kind,
                    body,
                }))
            }
            _ => Err("a null".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::columns::SegmentWriter;

    #[test]
    fn no_more_than_some_large_bodies_are_read_ahead() {
        const BODY: usize = 100_000;
        let dir = tempfile::tempdir().unwrap();
        let paths = ["a.parquet", "a.context.parquet"].map(|name| dir.path().join(name));
        let mut writer = SegmentWriter::create(&paths[0], &paths[1], 1).unwrap();
        for _ in 0..100 {
            writer.context("head", vec![b'x'; BODY]).unwrap();
        }
        writer.finish().unwrap();
        let mut rows = Rows::open(&paths[1]).unwrap();
        let mut seen = 0;
        while let Some(entry) = rows.next().unwrap() {
            assert_eq!(entry.body.len(), BODY);
            assert!(rows.left * BODY < 2 << 20, "{} more", rows.left);
            seen += 1;
        }
        assert_eq!(seen, 100);
    }
}

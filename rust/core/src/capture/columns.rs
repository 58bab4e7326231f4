//! The Parquet files of a capture.
//!
//! Transactions: column by column what flashbots/mempool-dumpster publishes, so that its readers read ours and ours
//! theirs. A transaction without signed bytes has an empty `rawTx`; its JSON object stands in the context file as kind
//! `object` at the same position.
//!
//! Context: `position` (how many transactions of this file came before), `kind`, `body` (a JSON object).

use crate::error::{Error, Result};
use crate::tx::PendingTransaction;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names the chain in a file's key-value metadata.
pub(crate) const CHAIN_ID_KEY: &str = "mempool_ids.chain_id";
/// Kind of a context row that holds a transaction's JSON.
pub(crate) const OBJECT_KIND: &str = "object";

const TRANSACTIONS: &str = "message transactions {
    required int64 timestamp (TIMESTAMP(MILLIS,true));
    required binary hash (STRING);
    required binary chainId (STRING);
    required int64 txType;
    required binary from (STRING);
    required binary to (STRING);
    required binary value (STRING);
    required binary nonce (STRING);
    required binary gas (STRING);
    required binary gasPrice (STRING);
    required binary gasTipCap (STRING);
    required binary gasFeeCap (STRING);
    required int64 dataSize;
    required binary data4Bytes (STRING);
    required group sources (LIST) { repeated group list { required binary element (STRING); } }
    required int64 includedAtBlockHeight;
    required int64 includedBlockTimestamp (TIMESTAMP(MILLIS,true));
    required int64 inclusionDelayMs;
    required binary rawTx;
}";

const CONTEXT: &str = "message context {
    required int64 position;
    required binary kind (STRING);
    required binary body (STRING);
}";

/// A row group is written when it has this many rows, or bytes: what a conversion holds in memory.
const GROUP_ROWS: usize = 16_384;
const GROUP_BYTES: usize = 16 << 20;

/// Columns waiting to become a row group, in schema order.
#[derive(Default)]
struct Columns {
    integers: Vec<Vec<i64>>,
    texts: Vec<Vec<ByteArray>>,
    rows: usize,
    bytes: usize,
}

impl Columns {
    fn new(integers: usize, texts: usize) -> Self {
        Self {
            integers: vec![Vec::new(); integers],
            texts: vec![Vec::new(); texts],
            rows: 0,
            bytes: 0,
        }
    }

    fn push<const I: usize, const T: usize>(&mut self, integers: [i64; I], texts: [ByteArray; T]) {
        for (column, value) in self.integers.iter_mut().zip(integers) {
            column.push(value);
        }
        for (column, value) in self.texts.iter_mut().zip(texts) {
            self.bytes += value.len();
            column.push(value);
        }
        self.rows += 1;
    }

    fn is_full(&self) -> bool {
        self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES
    }
}

/// One Parquet file in the making; it appears under its name only when it is whole and on the disk.
struct Table {
    part: PathBuf,
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    columns: Columns,
    /// Which columns are integers, in schema order; the list column counts as text.
    is_integer: Vec<bool>,
}

impl Table {
    fn create(path: &Path, schema: &str, chain_id: u64, plain: &[&str]) -> Result<Self> {
        let part = path.with_added_extension("part");
        let file = File::create(&part).map_err(|source| Error::Io {
            path: part.clone(),
            source,
        })?;
        let schema = Arc::new(parse_message_type(schema).expect("the schemas above are valid"));
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_max_row_group_row_count(None)
            .set_key_value_metadata(Some(vec![KeyValue::new(
                CHAIN_ID_KEY.into(),
                chain_id.to_string(),
            )]));
        for column in plain {
            properties = properties
                .set_column_dictionary_enabled(ColumnPath::from(*column), false)
                .set_column_statistics_enabled(ColumnPath::from(*column), EnabledStatistics::None);
        }
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build()))
            .map_err(|e| bad(path, e))?;
        let leaves = writer.schema_descr().columns();
        let is_integer: Vec<_> = leaves
            .iter()
            .map(|c| c.physical_type() == parquet::basic::Type::INT64)
            .collect();
        let integers = is_integer.iter().filter(|is| **is).count();
        let columns = Columns::new(integers, is_integer.len() - integers);
        Ok(Self {
            part,
            path: path.into(),
            writer,
            columns,
            is_integer,
        })
    }

    fn push<const I: usize, const T: usize>(
        &mut self,
        integers: [i64; I],
        texts: [ByteArray; T],
    ) -> Result<()> {
        self.columns.push(integers, texts);
        if self.columns.is_full() {
            self.write_group()
        } else {
            Ok(())
        }
    }

    fn write_group(&mut self) -> Result<()> {
        let empty = Columns::new(self.columns.integers.len(), self.columns.texts.len());
        let columns = std::mem::replace(&mut self.columns, empty);
        if columns.rows == 0 {
            return Ok(());
        }
        let mut write = || -> Result<(), ParquetError> {
            let mut group = self.writer.next_row_group()?;
            let (mut integers, mut texts) = (columns.integers.iter(), columns.texts.iter());
            for is_integer in &self.is_integer {
                if *is_integer {
                    write_column::<Int64Type>(
                        &mut group,
                        integers.next().expect("one per column"),
                    )?;
                } else {
                    write_column::<ByteArrayType>(
                        &mut group,
                        texts.next().expect("one per column"),
                    )?;
                }
            }
            group.close().map(|_| ())
        };
        write().map_err(|e| bad(&self.path, e))
    }

    fn finish(mut self) -> Result<()> {
        self.write_group()?;
        self.writer.finish().map_err(|e| bad(&self.path, e))?;
        let io = |source| Error::Io {
            path: self.part.clone(),
            source,
        };
        self.writer.inner().sync_all().map_err(io)?;
        std::fs::rename(&self.part, &self.path).map_err(io)
    }
}

/// A list column gets one element a row.
fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<File>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.expect("the schema has it");
    let one_each = (vec![1; values.len()], vec![0; values.len()]);
    // Levels are ignored where the column has none.
    column
        .typed::<T>()
        .write_batch(values, Some(&one_each.0), Some(&one_each.1))?;
    column.close()
}

fn bad(path: &Path, error: ParquetError) -> Error {
    Error::Capture {
        path: path.into(),
        reason: error.to_string(),
    }
}

fn text(value: impl std::fmt::Display) -> ByteArray {
    ByteArray::from(value.to_string().into_bytes())
}

/// Writes a transactions file and the context file beside it.
pub(crate) struct SegmentWriter {
    transactions: Table,
    context: Table,
    position: i64,
}

impl SegmentWriter {
    pub(crate) fn create(transactions: &Path, context: &Path, chain_id: u64) -> Result<Self> {
        Ok(Self {
            transactions: Table::create(
                transactions,
                TRANSACTIONS,
                chain_id,
                &["hash", "value", "nonce", "rawTx"],
            )?,
            context: Table::create(context, CONTEXT, chain_id, &["position", "body"])?,
            position: 0,
        })
    }

    /// `raw` is empty for a transaction kept as an object, whose context row must be pushed just before it.
    pub(crate) fn transaction(
        &mut self,
        tx: &PendingTransaction,
        source: &str,
        raw: &[u8],
    ) -> Result<()> {
        self.position += 1;
        let selector = tx
            .input
            .first_chunk::<4>()
            .map(alloy_primitives::hex::encode_prefixed);
        self.transactions.push(
            [
                tx.seen_ms as i64,
                i64::from(tx.tx_type),
                tx.input.len() as i64,
                0,
                0,
                0,
            ],
            [
                text(tx.hash),
                text(tx.chain_id.unwrap_or(0)),
                text(format_args!("{:#x}", tx.from)),
                tx.to
                    .map_or_else(|| text(""), |to| text(format_args!("{to:#x}"))),
                text(tx.value),
                text(tx.nonce),
                text(tx.gas),
                text(tx.max_fee_per_gas),
                text(tx.max_priority_fee_per_gas),
                text(tx.max_fee_per_gas),
                text(selector.unwrap_or_default()),
                text(source),
                ByteArray::from(raw.to_vec()),
            ],
        )
    }

    pub(crate) fn context(&mut self, kind: &str, body: Vec<u8>) -> Result<()> {
        self.context
            .push([self.position], [text(kind), ByteArray::from(body)])
    }

    /// The context appears first: transactions without their context would replay differently.
    pub(crate) fn finish(self) -> Result<()> {
        self.context.finish()?;
        self.transactions.finish()
    }
}

//! The four columns that matter, read in step.

use parquet::basic::{LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::file::reader::{FileReader, RowGroupReader};

/// Transactions decoded at a time: of the largest that the network passes on, 32 MB.
const BATCH: usize = 256;

/// What one tick of a timestamp column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    /// Unix milliseconds; times before 1970 count as 1970.
    pub(super) fn to_ms(self, ticks: i64) -> u64 {
        let ticks = ticks.max(0) as u64;
        match self {
            Self::Millis => ticks,
            Self::Micros => ticks / 1_000,
            Self::Nanos => ticks / 1_000_000,
        }
    }
}

/// Where a file has its columns.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) unit: Unit,
    timestamp: usize,
    raw: usize,
    hash: Option<usize>,
    from: Option<usize>,
}

impl Columns {
    /// An error is a reason for people.
    pub(super) fn find(reader: &impl FileReader) -> Result<Self, String> {
        let timestamp = position(reader, "timestamp", Type::INT64)?.ok_or("no column timestamp")?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let unit = match schema.column(timestamp).logical_type_ref() {
            Some(LogicalType::Timestamp(t)) if t.unit == TimeUnit::MICROS => Unit::Micros,
            Some(LogicalType::Timestamp(t)) if t.unit == TimeUnit::NANOS => Unit::Nanos,
            _ => Unit::Millis,
        };
        let raw = position(reader, "rawTx", Type::BYTE_ARRAY)?
            .ok_or("no column rawTx: a file of metadata without the signed transactions")?;
        let hash = position(reader, "hash", Type::BYTE_ARRAY)?;
        let from = position(reader, "from", Type::BYTE_ARRAY)?;
        Ok(Self {
            unit,
            timestamp,
            raw,
            hash,
            from,
        })
    }

    pub(super) fn batches(&self, group: &dyn RowGroupReader) -> Result<Batches, String> {
        let text = |column: Option<usize>| column.map(|i| Column::open(group, i)).transpose();
        Ok(Batches {
            timestamp: Column::open(group, self.timestamp)?,
            hash: text(self.hash)?,
            from: text(self.from)?,
            raw: Column::open(group, self.raw)?,
        })
    }
}

/// Index of a top-level column, which must be of this type where it exists.
pub(super) fn position(
    reader: &impl FileReader,
    name: &str,
    physical: Type,
) -> Result<Option<usize>, String> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let found = schema
        .columns()
        .iter()
        .position(|column| column.path().parts() == [name]);
    match found {
        Some(i)
            if schema.column(i).physical_type() != physical
                || schema.column(i).max_rep_level() > 0 =>
        {
            Err(format!("column {name} is not {physical}"))
        }
        found => Ok(found),
    }
}

/// One column of one row group.
pub(super) struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// 0 for a required column.
    max_def_level: i16,
    levels: std::vec::IntoIter<i16>,
    values: std::vec::IntoIter<T::T>,
    /// Rows of a required column left in the batch.
    rows: usize,
}

impl<T: DataType> Column<T> {
    pub(super) fn open(group: &dyn RowGroupReader, index: usize) -> Result<Self, String> {
        let max_def_level = group
            .metadata()
            .column(index)
            .column_descr()
            .max_def_level();
        let reader: ColumnReader = group.get_column_reader(index).map_err(|e| e.to_string())?;
        let reader = get_typed_column_reader::<T>(reader);
        Ok(Self {
            reader,
            max_def_level,
            levels: Vec::new().into_iter(),
            values: Vec::new().into_iter(),
            rows: 0,
        })
    }

    /// Decodes the next `batch` rows, or what is left; returns their number.
    pub(super) fn read(&mut self, batch: usize) -> Result<usize, String> {
        let (mut values, mut levels) = (Vec::with_capacity(batch), Vec::new());
        let (rows, ..) = self
            .reader
            .read_records(batch, Some(&mut levels), None, &mut values)
            .map_err(|e| e.to_string())?;
        (self.values, self.levels, self.rows) = (values.into_iter(), levels.into_iter(), rows);
        Ok(rows)
    }

    /// The next row's value; `None` where it is null.
    pub(super) fn next(&mut self) -> Option<T::T> {
        if self.max_def_level == 0 || self.levels.next()? == self.max_def_level {
            self.values.next()
        } else {
            None
        }
    }
}

pub(super) struct Batches {
    timestamp: Column<Int64Type>,
    hash: Option<Column<ByteArrayType>>,
    from: Option<Column<ByteArrayType>>,
    raw: Column<ByteArrayType>,
}

impl Batches {
    /// Decodes the next batch of all columns; 0 at the end of the row group.
    pub(super) fn read(&mut self) -> Result<usize, String> {
        let rows = self.timestamp.read(BATCH)?;
        for column in [Some(&mut self.raw), self.hash.as_mut(), self.from.as_mut()]
            .into_iter()
            .flatten()
        {
            if column.read(BATCH)? != rows {
                return Err("columns of different lengths".into());
            }
        }
        Ok(rows)
    }

    /// Timestamp (0 where null), hash, from and rawTx of the next row of the batch.
    #[expect(clippy::type_complexity)]
    pub(super) fn next_row(
        &mut self,
    ) -> Option<(i64, Option<ByteArray>, Option<ByteArray>, Option<ByteArray>)> {
        self.timestamp.rows = self.timestamp.rows.checked_sub(1)?;
        Some((
            self.timestamp.next().unwrap_or(0),
            self.hash.as_mut().and_then(Column::next),
            self.from.as_mut().and_then(Column::next),
            self.raw.next(),
        ))
    }
}

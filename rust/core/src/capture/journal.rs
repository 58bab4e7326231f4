//! The file a running capture appends to. Nothing but its tail can be lost: every record is preceded by its length and
//! checksum, so that a reader stops where a crash cut it off.
//!
//! Layout: magic (8 bytes), chain id (8), then records: length (4), CRC-32 of the payload (4), payload. Little-endian.

use super::record::Record;
use crate::error::{Error, Result};
use bytes::Bytes;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"MIDSJNL1";
const HEADER: u64 = 16;
/// Above this a length is damage, not a record.
const MAX_RECORD: u32 = 256 << 20;

/// Appends records to a file that no other process writes.
pub(crate) struct JournalWriter {
    path: PathBuf,
    file: File,
    /// Encoded, not yet written.
    pending: Vec<u8>,
    pending_records: u64,
    /// Length of the file up to the last whole record.
    len: u64,
    dirty: bool,
}

impl JournalWriter {
    /// Creates `path`, which must not exist, and locks it for as long as the writer lives.
    pub(crate) fn create(path: PathBuf, chain_id: u64) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(io)?;
        file.lock().map_err(io)?;
        let mut header = MAGIC.to_vec();
        header.extend(chain_id.to_le_bytes());
        file.write_all(&header).map_err(io)?;
        Ok(Self {
            path,
            file,
            pending: Vec::new(),
            pending_records: 0,
            len: HEADER,
            dirty: true,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes waiting for [`flush`](Self::flush).
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn append(&mut self, record: &Record) {
        let start = self.pending.len();
        self.pending.extend([0; 8]);
        record.encode(&mut self.pending);
        let payload = &self.pending[start + 8..];
        let (len, sum) = (payload.len() as u32, checksum(payload));
        self.pending[start..start + 4].copy_from_slice(&len.to_le_bytes());
        self.pending[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
        self.pending_records += 1;
    }

    /// Hands what is pending to the operating system: it then outlives this process. On an error (a full disk) the file
    /// is cut back to its last whole record and the number of records lost is returned with the error.
    pub(crate) fn flush(&mut self) -> std::result::Result<(), (u64, std::io::Error)> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.pending);
        let lost = std::mem::take(&mut self.pending_records);
        let bytes = self.pending.len() as u64;
        self.pending.clear();
        if let Err(error) = written {
            let _ = self.file.set_len(self.len);
            let _ = self.file.seek(SeekFrom::Start(self.len));
            return Err((lost, error));
        }
        self.len += bytes;
        self.dirty = true;
        Ok(())
    }

    /// Puts what was flushed on the disk: it then outlives the machine.
    pub(crate) fn sync(&mut self) -> std::io::Result<()> {
        if std::mem::take(&mut self.dirty) {
            self.file.sync_data()
        } else {
            Ok(())
        }
    }
}

/// Reads a journal, finished, left behind or still being written.
pub(crate) struct JournalReader {
    file: BufReader<File>,
    pub(crate) chain_id: u64,
    /// Where the next record starts.
    position: u64,
}

/// What follows in a journal.
pub(crate) enum Next {
    Record(Record),
    /// A whole record that means nothing here: skipped, with a reason.
    Unreadable {
        at: u64,
        reason: String,
    },
    End,
    /// The rest, from this byte on, is no whole record: where a crash cut it off.
    Torn {
        at: u64,
    },
}

impl JournalReader {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let capture = |reason: &str| Error::Capture {
            path: path.into(),
            reason: reason.into(),
        };
        let file = File::open(path).map_err(|source| Error::Io {
            path: path.into(),
            source,
        })?;
        let mut file = BufReader::with_capacity(1 << 18, file);
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header)
            .map_err(|_| capture("a journal without a header: nothing was captured"))?;
        let (magic, chain_id) = header.split_at(8);
        if magic != MAGIC {
            return Err(capture("not a capture journal of this version"));
        }
        let chain_id = u64::from_le_bytes(chain_id.try_into().expect("8 bytes"));
        Ok(Self {
            file,
            chain_id,
            position: HEADER,
        })
    }

    /// Where the next record starts, in bytes.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn next(&mut self) -> std::io::Result<Next> {
        let at = self.position;
        let Some(payload) = self.payload()? else {
            return Ok(if self.file.get_ref().metadata()?.len() > at {
                Next::Torn { at }
            } else {
                Next::End
            });
        };
        Ok(match Record::decode(&payload) {
            Ok(record) => Next::Record(record),
            Err(reason) => Next::Unreadable { at, reason },
        })
    }

    /// `None` where no whole record follows.
    fn payload(&mut self) -> std::io::Result<Option<Bytes>> {
        let mut frame = [0; 8];
        if !read_whole(&mut self.file, &mut frame)? {
            return Ok(None);
        }
        let (len, sum) = frame.split_at(4);
        let len = u32::from_le_bytes(len.try_into().expect("4 bytes"));
        let left = self
            .file
            .get_ref()
            .metadata()?
            .len()
            .saturating_sub(self.position + 8);
        if len > MAX_RECORD || u64::from(len) > left {
            return Ok(None);
        }
        let mut payload = vec![0; len as usize];
        if !read_whole(&mut self.file, &mut payload)? || checksum(&payload).to_le_bytes() != sum {
            return Ok(None);
        }
        self.position += 8 + u64::from(len);
        Ok(Some(payload.into()))
    }
}

/// False where the file ends first.
fn read_whole(file: &mut impl Read, out: &mut [u8]) -> std::io::Result<bool> {
    match file.read_exact(out) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

fn checksum(payload: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(payload);
    crc.sum()
}

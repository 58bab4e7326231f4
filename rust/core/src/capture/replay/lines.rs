//! JSON lines: one transaction object a line, as `eth_getTransactionByHash` returns it, with an optional `timestamp_ms`.

use super::emit::{Emitter, Stopped, bad};
use crate::error::{Error, Result};
use crate::evidence::AnomalyKind;
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes read at once. Lines are slices of such a chunk, not copies.
const CHUNK: usize = 256 << 10;

fn open(path: &Path, gzip: bool) -> std::io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    Ok(if gzip {
        Box::new(MultiGzDecoder::new(std::io::BufReader::new(file)))
    } else {
        Box::new(file)
    })
}

/// Whether it starts like JSON lines.
pub(super) fn check(path: &Path, gzip: bool) -> Result<()> {
    let mut start = [0; 256];
    let mut file = open(path, gzip).map_err(|source| Error::Io {
        path: path.into(),
        source,
    })?;
    let len = file
        .read(&mut start)
        .map_err(|e| bad(path, &format!("cannot be read: {e}")))?;
    match start[..len].iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{') => Ok(()),
        Some(b'[') => Err(bad(
            path,
            "a JSON array; expected one transaction object a line",
        )),
        _ => Err(bad(path, "not JSON lines")),
    }
}

pub(super) fn replay(path: &Path, gzip: bool, emitter: &mut Emitter) -> Result<(), Stopped> {
    let mut file = match open(path, gzip) {
        Ok(file) => file,
        Err(e) => return emitter.bad_capture(path.display().to_string(), e.to_string()),
    };
    let mut lines = Lines {
        number: 0,
        skipping: false,
        path,
    };
    let mut buffer = BytesMut::new();
    loop {
        let start = buffer.len();
        buffer.resize(start + CHUNK, 0);
        match file.read(&mut buffer[start..]) {
            Ok(0) => {
                buffer.truncate(start);
                return if start > 0 {
                    lines.line(buffer.freeze(), emitter)
                } else {
                    Ok(())
                };
            }
            Ok(read) => buffer.truncate(start + read),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => buffer.truncate(start),
            Err(e) => {
                return emitter
                    .bad_capture(lines.origin(), format!("unreadable after this line: {e}"));
            }
        }
        let mut searched = start;
        while let Some(end) = memchr::memchr(b'\n', &buffer[searched..]) {
            lines.line(buffer.split_to(searched + end + 1).freeze(), emitter)?;
            searched = 0;
        }
        if buffer.len() > emitter.max_bytes {
            lines.oversized(emitter)?;
            buffer.clear();
        }
    }
}

struct Lines<'a> {
    /// Of the last line that was begun, from 1.
    number: u64,
    /// Inside a line that is too long.
    skipping: bool,
    path: &'a Path,
}

impl Lines<'_> {
    fn origin(&self) -> String {
        format!("{}: line {}", self.path.display(), self.number)
    }

    /// A whole line, or the end of one that is skipped.
    fn line(&mut self, line: Bytes, emitter: &mut Emitter) -> Result<(), Stopped> {
        if std::mem::take(&mut self.skipping) {
            return Ok(());
        }
        let text = line.trim_ascii();
        if text.len() > emitter.max_bytes {
            self.oversized(emitter)?;
            self.skipping = false;
            return Ok(());
        }
        self.number += 1;
        if text.is_empty() {
            return Ok(());
        }
        emitter.received(1);
        let (unix_ms, due_ms) = match recorded_ms(text) {
            // The parser reads it, and says what is wrong with it.
            Some(ms) => (0, ms),
            None => (self.number, self.number),
        };
        emitter.object(line.slice_ref(text), unix_ms, due_ms)
    }

    /// The beginning or middle of a line that is too long: told once.
    fn oversized(&mut self, emitter: &mut Emitter) -> Result<(), Stopped> {
        if std::mem::replace(&mut self.skipping, true) {
            return Ok(());
        }
        self.number += 1;
        emitter.received(1);
        let reason = format!("a line above {} bytes", emitter.max_bytes);
        emitter.anomaly(AnomalyKind::OversizedFrame, self.origin(), reason)
    }
}

/// The recorded time for pacing, 0 where it is no number; `None` where there is none.
fn recorded_ms(line: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"timestamp_ms\"";
    let after = memchr::memmem::rfind(line, KEY)? + KEY.len();
    let number = line[after..]
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start();
    let digits = number.iter().take_while(|b| b.is_ascii_digit()).count();
    Some(
        std::str::from_utf8(&number[..digits])
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0),
    )
}

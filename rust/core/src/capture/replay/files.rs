//! Which files a replay reads, in which order, and whether they are what they seem.

use super::emit::{Emitter, Stopped, bad};
use super::{lines, parquet};
use crate::capture::journal::{JournalReader, Next};
use crate::capture::segment::{is_context, is_journal};
use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Parquet,
    Journal,
    Lines { gzip: bool },
}

/// One file to replay.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    kind: Kind,
}

/// The files behind `paths`: each path in the given order, a folder's files by name.
pub(super) fn list(paths: &[PathBuf], chain_id: u64) -> Result<Vec<Input>> {
    if paths.is_empty() {
        return Err(Error::Config("replay needs at least one path".into()));
    }
    let mut inputs = Vec::new();
    for path in paths {
        if std::fs::metadata(path)
            .map_err(|source| Error::Io {
                path: path.clone(),
                source,
            })?
            .is_dir()
        {
            inputs.extend(list_folder(path, chain_id)?);
        } else {
            let kind = kind_of(path).ok_or_else(|| {
                bad(path, "not a capture: expected .parquet, .journal, .jsonl or .json (these also with .gz), or a folder")
            })?;
            let input = Input {
                path: path.clone(),
                kind,
            };
            input.require_chain(input.check()?, chain_id)?;
            inputs.push(input);
        }
    }
    Ok(inputs)
}

/// A folder with one damaged file is still worth replaying; a folder without a sound one, or with a capture of another
/// chain, is an error.
fn list_folder(dir: &Path, chain_id: u64) -> Result<Vec<Input>> {
    let io = |source| Error::Io {
        path: dir.into(),
        source,
    };
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if let Some(kind) = kind_of(&path).filter(|_| path.is_file()) {
            // While a segment's journal exists it alone counts.
            let superseded = kind == Kind::Parquet && path.with_extension("journal").exists();
            if !superseded {
                inputs.push(Input { path, kind });
            }
        }
    }
    inputs.sort_by(|a, b| a.path.cmp(&b.path));
    let (mut sound, mut first_error) = (false, None);
    for input in &inputs {
        match input.check() {
            Ok(recorded) => {
                input.require_chain(recorded, chain_id)?;
                sound = true;
            }
            Err(e) => first_error = first_error.or(Some(e)),
        }
    }
    if sound {
        return Ok(inputs);
    }
    Err(first_error.unwrap_or_else(|| {
        bad(
            dir,
            "a folder without captures (.parquet, .journal, .jsonl, .json, .gz)",
        )
    }))
}

fn kind_of(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    if name.starts_with('.') || is_context(path) {
        return None;
    }
    if is_journal(path) {
        return Some(Kind::Journal);
    }
    let (plain, gzip) = name
        .strip_suffix(".gz")
        .map_or((name, false), |plain| (plain, true));
    match plain.rsplit_once('.')?.1 {
        "parquet" if !gzip => Some(Kind::Parquet),
        "jsonl" | "json" => Some(Kind::Lines { gzip }),
        _ => None,
    }
}

impl Input {
    /// Whether the file can be replayed at all; answers the chain it says it was captured on.
    fn check(&self) -> Result<Option<u64>> {
        let path = &self.path;
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        if std::fs::metadata(path).map_err(io)?.len() == 0 {
            return Err(bad(path, "the file is empty"));
        }
        match self.kind {
            Kind::Parquet => catch_unwind(AssertUnwindSafe(|| parquet::check(path)))
                .unwrap_or_else(|_| Err(bad(path, "not a Parquet file that can be read"))),
            Kind::Journal => Ok(Some(JournalReader::open(path)?.chain_id)),
            Kind::Lines { gzip } => lines::check(path, gzip).map(|()| None),
        }
    }

    fn require_chain(&self, recorded: Option<u64>, chain_id: u64) -> Result<()> {
        match recorded {
            Some(id) if id != chain_id => Err(bad(
                &self.path,
                &format!(
                    "captured on chain {id}, but this sensor is configured for chain {chain_id}"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Sends everything in the file. Whatever is wrong with it becomes an anomaly.
    pub(super) fn replay(&self, emitter: &mut Emitter) -> Result<(), Stopped> {
        // The Parquet library is not proof against every damaged file.
        let sent = catch_unwind(AssertUnwindSafe(|| match self.kind {
            Kind::Parquet => parquet::replay(&self.path, emitter),
            Kind::Journal => replay_journal(&self.path, emitter),
            Kind::Lines { gzip } => lines::replay(&self.path, gzip, emitter),
        }));
        sent.unwrap_or_else(|_| {
            emitter.bad_capture(self.path.display().to_string(), "the rest cannot be read")
        })
    }
}

fn replay_journal(path: &Path, emitter: &mut Emitter) -> Result<(), Stopped> {
    let origin = |at: u64| format!("{}: byte {at}", path.display());
    let mut reader = match JournalReader::open(path) {
        Ok(reader) => reader,
        Err(e) => return emitter.bad_capture(path.display().to_string(), e.to_string()),
    };
    loop {
        let at = reader.position();
        match reader.next() {
            Ok(Next::Record(record)) => emitter.record(record, || origin(at))?,
            Ok(Next::Unreadable { at, reason }) => emitter.bad_capture(origin(at), reason)?,
            Ok(Next::Torn { at }) => {
                return emitter.bad_capture(origin(at), "cut off here, as by a crash");
            }
            Ok(Next::End) => return Ok(()),
            Err(e) => return emitter.bad_capture(origin(at), e.to_string()),
        }
    }
}

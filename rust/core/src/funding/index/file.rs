//! The index's file: opened, locked, checked, and put aside where it is damaged.

use super::tables;
use crate::config::FundingConfig;
use crate::error::{Error, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Why the index could not be used.
pub(super) enum Wrong {
    /// It has to begin anew.
    Damaged(String),
    /// It is somebody else's.
    Foreign(String),
    /// The disk, or who else uses it.
    Sql(rusqlite::Error),
    Io(io::Error),
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as Sql;
        let damaged = match &error {
            Sql::SqliteFailure(failure, _) => matches!(
                failure.code,
                // What only a table that is not ours can lead to, too: statements are fixed.
                ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::TypeMismatch
                    | ErrorCode::Unknown
            ),
            Sql::SqlInputError { .. } => true,
            Sql::FromSqlConversionFailure(..)
            | Sql::InvalidColumnType(..)
            | Sql::IntegralValueOutOfRange(..) => true,
            _ => false,
        };
        match damaged {
            true => Self::Damaged(error.to_string()),
            false => Self::Sql(error),
        }
    }
}

impl Wrong {
    pub(super) fn into_error(self, path: &Path) -> Error {
        let path = path.to_owned();
        let reason = match self {
            Self::Damaged(why) => format!(
                "the funding index is damaged ({why}): `mempool-ids funding backfill` begins it anew"
            ),
            Self::Foreign(why) => return Error::Config(format!("{}: {why}", path.display())),
            Self::Sql(error) => error.to_string(),
            Self::Io(source) => return Error::Io { path, source },
        };
        Error::Funding { path, reason }
    }
}

/// As long as it lives, no other process writes the index. The lock is a file of its own: the index may be put aside.
pub(super) fn lock(index: &Path) -> Result<File> {
    let path = beside(index, ".lock");
    let io = |source| Error::Io {
        path: path.clone(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(source)) => Err(io(source)),
        Err(TryLockError::WouldBlock) => Err(Error::Funding {
            path: index.to_owned(),
            reason: "another sensor or backfill writes this funding index".into(),
        }),
    }
}

/// Creates it where there is none.
pub(super) fn open(config: &FundingConfig) -> Result<Connection, Wrong> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut db = connect(config, flags)?;
    if tables::is_empty(&db)? {
        let transaction = db.transaction()?;
        tables::create(&transaction, config.chain_id)?;
        transaction.commit()?;
    }
    check(&db, config)?;
    if let Some(why) = tables::fault(&db)? {
        return Err(Wrong::Damaged(why));
    }
    tables::set_up_to_write(&db)?;
    Ok(db)
}

pub(super) fn open_to_read(config: &FundingConfig) -> Result<Connection, Wrong> {
    if !config.path.try_exists().map_err(Wrong::Io)? {
        let why = "there is no funding index yet: `mempool-ids funding backfill` makes one";
        return Err(Wrong::Foreign(why.into()));
    }
    let db = connect(config, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    check(&db, config)?;
    Ok(db)
}

/// Puts what is there aside. One such file is kept: the last.
pub(super) fn begin_anew(config: &FundingConfig) -> Result<Connection, Wrong> {
    let path = &config.path;
    let gone = |done: io::Result<()>| match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Wrong::Io(error)),
        _ => Ok(()),
    };
    gone(std::fs::rename(path, beside(path, ".damaged")))?;
    for ending in ["-wal", "-shm"] {
        gone(std::fs::remove_file(beside(path, ending)))?;
    }
    open(config)
}

fn connect(config: &FundingConfig, flags: OpenFlags) -> Result<Connection, Wrong> {
    // One thread at a time has it.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(&config.path, flags)?;
    tables::set_up(&db)?;
    Ok(db)
}

/// Whether it is an index, of this chain and version.
fn check(db: &Connection, config: &FundingConfig) -> Result<(), Wrong> {
    let (application, version) = tables::written_by(db)?;
    if application != tables::APPLICATION {
        return Err(Wrong::Foreign("a database, but no funding index".into()));
    }
    if version != tables::VERSION {
        return Err(Wrong::Damaged(format!(
            "of version {version}, not {}",
            tables::VERSION
        )));
    }
    let chain = tables::fact(db, tables::CHAIN)?;
    if chain != config.chain_id {
        let why = format!(
            "the funding index of chain {chain}, while chain.id is {}",
            config.chain_id
        );
        return Err(Wrong::Foreign(why));
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

//! Errors of the core. They answer the caller's question (whose fault, retry or not) and never log themselves.

use std::path::PathBuf;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong where the caller must act. Malformed input of the stream is not an error but an
/// [`Anomaly`](crate::evidence::Anomaly).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's configuration cannot be used as given.
    #[error("configuration: {0}")]
    Config(String),
    /// A rule file does not parse or lint.
    #[error("rules: {0}")]
    Rules(String),
    /// A model artifact is missing, altered, or of another schema or shape.
    #[error("model: {0}")]
    Model(String),
    /// An ABI file does not parse.
    #[error("ABI of {contract}: {reason}")]
    Abi { contract: String, reason: String },
    /// A capture cannot be read or written.
    #[error("{path}: {reason}", path = path.display())]
    Capture { path: PathBuf, reason: String },
    /// The funding index, or the list of known attackers, cannot be read or written.
    #[error("{path}: {reason}", path = path.display())]
    Funding { path: PathBuf, reason: String },
    /// A node did not answer, or answered with an error. URLs are redacted before they get here.
    #[error("{endpoint}: {reason}")]
    Node {
        endpoint: String,
        reason: String,
        transient: bool,
    },
    #[error("{path}: {source}", path = path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Error {
    /// Whether the same call may succeed later without a change by the user.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Error::Node {
                transient: true,
                ..
            }
        )
    }

    /// Whether the user's configuration or files must change first.
    pub fn is_config(&self) -> bool {
        matches!(
            self,
            Error::Config(_) | Error::Rules(_) | Error::Model(_) | Error::Abi { .. }
        )
    }
}

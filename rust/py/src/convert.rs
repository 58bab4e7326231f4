//! Conversions between Python's values and the core's.

use crate::error::{ConfigError, MempoolIdsError, to_py};
use mempool_ids_core::config::MonitoredContract;
use mempool_ids_core::error::Error;
use mempool_ids_core::tx::PendingTransaction;
use pyo3::prelude::*;
use serde::Serialize;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

pub fn json(value: &impl Serialize) -> PyResult<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| MempoolIdsError::new_err(e.to_string()))
}

pub fn contracts(text: &str) -> PyResult<Vec<MonitoredContract>> {
    serde_json::from_str(text).map_err(|e| ConfigError::new_err(format!("contracts: {e}")))
}

/// A transaction object as `eth_getTransactionByHash` returns it.
pub fn transaction(object: &[u8]) -> PyResult<PendingTransaction> {
    mempool_ids_core::wire::parse_object(object, 0)
        .map_err(|e| MempoolIdsError::new_err(format!("transaction: {}", e.reason)))
}

/// Native-endian float32, row-major (n, N).
pub fn rows<const N: usize>(bytes: &[u8]) -> PyResult<Vec<[f32; N]>> {
    let (values, rest) = bytes.as_chunks::<4>();
    let floats: Vec<f32> = values.iter().map(|b| f32::from_ne_bytes(*b)).collect();
    let (rows, partial) = floats.as_chunks::<N>();
    if rest.is_empty() && partial.is_empty() {
        return Ok(rows.to_vec());
    }
    Err(MempoolIdsError::new_err(format!(
        "{} bytes are no whole number of float32 rows of {N}",
        bytes.len()
    )))
}

pub fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_ne_bytes()).collect()
}

/// Between two looks for Ctrl-C.
pub const PATIENCE: Duration = Duration::from_millis(100);
/// Rows worked on between two of them.
const PIECE: usize = 512;

/// Runs `work` without the GIL and converts its error. For what is over in a moment: nothing interrupts it.
pub fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    py.detach(work).map_err(to_py)
}

/// The same for what may take long: Ctrl-C ends the waiting at once. What was begun comes to its end on a thread of its own,
/// and nobody hears of it.
pub fn interruptible<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    let (sender, mut receiver) = sync_channel(1);
    let thread = std::thread::Builder::new().name("ids-call".into());
    let run = move || sender.send(work()).unwrap_or_default();
    thread
        .spawn(run)
        .map_err(|error| MempoolIdsError::new_err(format!("no thread: {error}")))?;
    loop {
        // One thread at a time has it.
        let wait = move || {
            let received = receiver.recv_timeout(PATIENCE);
            (receiver, received)
        };
        let received;
        (receiver, received) = py.detach(wait);
        match received {
            Ok(done) => return done.map_err(to_py),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(MempoolIdsError::new_err("internal error: it panicked"));
            }
        }
    }
}

/// Runs `work` for each number below `count` without the GIL. Ctrl-C ends it between two of them.
pub fn each(
    py: Python<'_>,
    count: usize,
    mut work: impl FnMut(usize) -> Result<(), Error> + Send,
) -> PyResult<()> {
    for start in (0..count).step_by(PIECE) {
        let end = count.min(start + PIECE);
        detached(py, || (start..end).try_for_each(&mut work))?;
        py.check_signals()?;
    }
    Ok(())
}

/// As [`each`], for slices of rows: what `work` answers for each row.
pub fn pieces<R: Sync, T: Send>(
    py: Python<'_>,
    rows: &[R],
    mut work: impl FnMut(&[R], &mut Vec<T>) -> Result<(), Error> + Send,
) -> PyResult<Vec<T>> {
    let (mut all, mut piece) = (Vec::with_capacity(rows.len()), Vec::new());
    for rows in rows.chunks(PIECE) {
        detached(py, || work(rows, &mut piece))?;
        all.append(&mut piece);
        py.check_signals()?;
    }
    Ok(all)
}

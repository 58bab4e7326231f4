//! Questions of a survey, each waited for.

use super::method::Failed;
use crate::node::{Asked, Asker, RpcError};
use crate::wire::json;
use alloy_primitives::{Address, Bytes};
use std::time::{Duration, Instant};

/// A node that has not got the block yet, or another one than gave it, is asked again after these.
const RETRY: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];
/// Questions at once; the asker takes four times as many.
const AT_ONCE: usize = 256;

pub struct Questions(pub Asker);

impl Questions {
    /// One question, again where a node may know more in a moment.
    pub fn ask(
        &self,
        method: &'static str,
        params: String,
        deadline: Instant,
    ) -> Result<bytes::Bytes, RpcError> {
        let mut waits = RETRY.iter();
        loop {
            let asked = self.0.wait(vec![(method, params.clone())], deadline);
            let asked = asked.into_iter().next();
            let error = match asked.unwrap_or(Err(RpcError::Unconnected)) {
                Ok(raw) => return Ok(raw),
                Err(error) => error,
            };
            // What took too long, or was too large, does so again.
            let again = match error {
                RpcError::Refused { code, .. } => Failed::of(Some(code)) != Failed::NotThere,
                RpcError::Null | RpcError::Unconnected => true,
                RpcError::Timeout(_) | RpcError::Lost | RpcError::Transport(_) => false,
            };
            match waits.next() {
                Some(wait) if again && Instant::now() + *wait < deadline => {
                    std::thread::sleep(*wait);
                }
                _ => return Err(error),
            }
        }
    }

    /// One method for many parameters; an answer for each, in order.
    pub fn ask_each(
        &self,
        method: &'static str,
        params: impl IntoIterator<Item = String>,
        deadline: Instant,
    ) -> Vec<Asked> {
        self.all(params.into_iter().map(|params| (method, params)), deadline)
    }

    /// Any questions; an answer for each, in order.
    pub fn all(
        &self,
        questions: impl IntoIterator<Item = (&'static str, String)>,
        deadline: Instant,
    ) -> Vec<Asked> {
        let questions: Vec<_> = questions.into_iter().collect();
        let asked = questions.chunks(AT_ONCE);
        asked
            .flat_map(|questions| self.0.wait(questions.to_vec(), deadline))
            .collect()
    }

    /// What code accounts have; `at`: the JSON of a block parameter. Nothing where it cannot be had.
    pub fn codes(&self, accounts: &[Address], at: &str, deadline: Instant) -> Vec<Option<Bytes>> {
        let params = accounts
            .iter()
            .map(|account| format!(r#"["{account}",{at}]"#));
        let answers = self.ask_each("eth_getCode", params, deadline).into_iter();
        let code = |raw: bytes::Bytes| json::code(std::str::from_utf8(&raw).ok()?);
        answers.map(|answer| code(answer.ok()?)).collect()
    }
}

impl From<&RpcError> for Failed {
    fn from(error: &RpcError) -> Self {
        match error {
            RpcError::Refused { code, .. } => Self::of(Some(*code)),
            _ => Self::of(None),
        }
    }
}

//! JSON-RPC: how a question is written, and how whatever a node sends is read.

use super::aside::aside;
use super::redact::printable;
use super::transport::Arrival;
use crate::wire::json;
use crate::wire::json::Envelope;
use crate::wire::nesting::{MAX_NESTING, nests_within};
use bytes::Bytes;
use std::time::Duration;

/// How long a node may take to answer.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// Answers of one message that are read: far more than are ever asked for in one.
const MAX_ANSWERS: usize = 1_024;

/// Bytes of a quantity, with leading zeros as some nodes send them.
const MAX_QUANTITY: usize = 128;

/// A result: raw JSON, never `null` unless asked for.
#[derive(Debug, Clone)]
pub struct Answer {
    pub raw: Bytes,
    pub arrival: Arrival,
}

impl Answer {
    /// Takes its whole length to make: of a large answer not on a thread that others wait for, see [`read`](Self::read).
    pub fn text(&self) -> &str {
        // Checked when its message was read.
        std::str::from_utf8(&self.raw).unwrap_or_default()
    }

    /// Has `read` make something of the text; of a large one aside from this thread.
    pub async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        aside(self.raw.len(), move || read(&self)).await
    }

    /// The number it is.
    pub fn quantity(&self) -> Option<u64> {
        let text = (self.raw.len() <= MAX_QUANTITY).then(|| self.text())?;
        json::string(text).and_then(json::quantity)
    }

    pub fn is_null(&self) -> bool {
        &*self.raw == b"null"
    }
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The node's own error: code and message, bounded in length.
    #[error("refused: {message} ({code})")]
    Refused { code: i64, message: String },
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The connection ended first.
    #[error("connection lost")]
    Lost,
    /// No node has it.
    #[error("no node knows it")]
    Null,
    /// There is nobody to be asked, yet.
    #[error("no node is connected")]
    Unconnected,
    #[error("{0}")]
    Transport(String),
}

/// What became of one question.
pub type Answered = Result<Answer, RpcError>;

/// `params` is the JSON text of the parameter array.
pub fn request(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// What one frame says; all of it shares the frame's memory.
#[derive(Debug)]
pub enum Message {
    /// One answer, or those of a batch up to the first that cannot be read; that one says why.
    Answers(Vec<Result<Reply, String>>),
    /// Of a subscription; raw JSON, since servers may name it by any value.
    Notification { subscription: Bytes, result: Bytes },
}

/// One answer.
#[derive(Debug)]
pub struct Reply {
    pub to: ReplyTo,
    pub outcome: Answered,
}

/// Which question an answer is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyTo {
    Question(u64),
    /// No id: a batch refused as a whole is answered like this.
    Unnamed,
    /// An id that was never ours.
    Nothing,
}

/// Reads a message; what is large aside from this thread.
///
/// # Errors
/// In words: it nests deeper than `max_nesting`, or is no message of JSON-RPC.
pub async fn read(frame: Bytes, arrival: Arrival, max_nesting: usize) -> Result<Message, String> {
    aside(frame.len(), move || parse(&frame, arrival, max_nesting)).await
}

/// The same on this thread, however large it is.
pub fn parse(frame: &Bytes, arrival: Arrival, max_nesting: usize) -> Result<Message, String> {
    let text = std::str::from_utf8(frame).map_err(|_| "not UTF-8")?;
    if !nests_within(frame, max_nesting) {
        return Err(format!("nested deeper than {max_nesting}"));
    }
    if max_nesting > MAX_NESTING && !nests_within(frame, MAX_NESTING) {
        return deep(frame, text, arrival);
    }
    if text.trim_start().starts_with('[') {
        return Ok(Message::Answers(batch(frame, text, arrival)));
    }
    let envelope = Envelope::parse(text).ok_or("not a JSON-RPC message")?;
    match envelope.method {
        Some(_) => notification(frame, &envelope),
        None => Ok(Message::Answers(vec![reply(frame, &envelope, arrival)])),
    }
}

/// Of what is deeper than a stack can be relied on for: a single result.
fn deep(frame: &Bytes, text: &str, arrival: Arrival) -> Result<Message, String> {
    let envelope = Envelope::parse_deep(text).ok_or("not a JSON-RPC message")?;
    if envelope.method.is_some() || envelope.error.is_some() {
        return Err(format!("no result, and nested deeper than {MAX_NESTING}"));
    }
    Ok(Message::Answers(vec![reply(frame, &envelope, arrival)]))
}

fn batch(frame: &Bytes, text: &str, arrival: Arrival) -> Vec<Result<Reply, String>> {
    let mut replies = Vec::new();
    for element in json::elements(text) {
        let answer = match element.and_then(Envelope::parse) {
            Some(_) if replies.len() >= MAX_ANSWERS => {
                Err(format!("a batch of more than {MAX_ANSWERS}"))
            }
            Some(answer) => reply(frame, &answer, arrival),
            None => Err("a batch of something else than answers".into()),
        };
        let unreadable = answer.is_err();
        replies.push(answer);
        if unreadable {
            break;
        }
    }
    if replies.is_empty() {
        replies.push(Err("an empty batch".into()));
    }
    replies
}

fn reply(frame: &Bytes, answer: &Envelope<'_>, arrival: Arrival) -> Result<Reply, String> {
    let outcome = match (answer.result, answer.error) {
        (_, Some(error)) if error != "null" => Err(refusal(error)),
        (Some(result), _) => Ok(Answer {
            raw: json::share(frame, result),
            arrival,
        }),
        _ => return Err("neither result nor error".into()),
    };
    let to = match answer.id {
        None | Some("null") => ReplyTo::Unnamed,
        // Some nodes send it back as a string.
        Some(raw) => match raw.trim_matches('"').parse() {
            Ok(id) => ReplyTo::Question(id),
            Err(_) => ReplyTo::Nothing,
        },
    };
    Ok(Reply { to, outcome })
}

fn notification(frame: &Bytes, envelope: &Envelope<'_>) -> Result<Message, String> {
    let (mut name, mut result) = (None, None);
    for (member, value) in json::members(envelope.params.unwrap_or("{}")).map_while(|member| member)
    {
        match &*member {
            "subscription" => name = Some(value),
            "result" => result = Some(value),
            _ => {}
        }
    }
    match (envelope.method, name, result) {
        (Some("\"eth_subscription\""), Some(name), Some(result)) => Ok(Message::Notification {
            subscription: json::share(frame, name),
            result: json::share(frame, result),
        }),
        _ => Err("a notification of something else than a subscription".into()),
    }
}

/// A JSON-RPC error object, whatever its shape.
fn refusal(raw: &str) -> RpcError {
    let (mut code, mut message) = (0, String::new());
    for (name, value) in json::members(raw).map_while(|member| member) {
        match &*name {
            "code" => code = value.parse().unwrap_or(0),
            "message" => message = sonic_rs::from_str(value).unwrap_or_default(),
            _ => {}
        }
    }
    let message = if message.is_empty() { raw } else { &message };
    RpcError::Refused {
        code,
        message: printable(message, 200),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(text: &str) -> Vec<Result<Reply, String>> {
        let frame = Bytes::copy_from_slice(text.as_bytes());
        match parse(&frame, Arrival::now(), 8) {
            Ok(Message::Answers(replies)) => replies,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_batch_is_read_up_to_what_is_no_answer_and_no_further_than_any_is_asked() {
        let batch = answers(r#"[{"id":1,"result":2},{"id":2},{"id":3,"result":4}]"#);
        assert!(batch[0].is_ok() && batch[1].is_err() && batch.len() == 2);
        let long = answers(&format!(
            "[{}]",
            [r#"{"id":1,"result":2}"#; 5_000].join(",")
        ));
        assert_eq!(long.len(), MAX_ANSWERS + 1);
        assert!(long[MAX_ANSWERS].is_err());
    }

    #[test]
    fn a_result_is_read_in_a_small_stack_however_deep_it_is() {
        const LEVELS: usize = 100_000;
        let read = |message: &str| {
            let value = format!("{}{}", "[".repeat(LEVELS), "]".repeat(LEVELS));
            let frame = Bytes::from(message.replace('#', &value));
            parse(&frame, Arrival::now(), LEVELS + 2)
        };
        let Ok(Message::Answers(replies)) = read(r#"{"id":7,"result":#}"#) else {
            panic!("an answer")
        };
        let Ok(Reply { to, outcome }) = &replies[0] else {
            panic!("one that can be read")
        };
        assert_eq!(*to, ReplyTo::Question(7));
        assert_eq!(outcome.as_ref().unwrap().raw.len(), 2 * LEVELS);
        for other in [
            r#"{"id":7,"error":#}"#,
            r#"{"method":"eth_subscription","params":#}"#,
            r#"[{"id":7,"result":#}]"#,
            r#"{"id":7,"result":#"#,
        ] {
            assert!(read(other).is_err(), "{other}");
        }
    }

    #[test]
    fn an_id_may_be_a_string_and_an_error_of_null_is_none() {
        let answer = answers(r#"{"id":"7","result":null,"error":null}"#).remove(0);
        let Reply { to, outcome } = answer.unwrap();
        assert_eq!(to, ReplyTo::Question(7));
        assert!(outcome.unwrap().is_null());
        let stranger = answers(r#"{"id":"x","result":1}"#).remove(0).unwrap();
        assert_eq!(stranger.to, ReplyTo::Nothing);
    }
}

//! Questions to one RPC URL.

use super::health::Health;
use super::message::{Answer, Answered, Message, RpcError, read, request};
use super::redact::SecretUrl;
use super::report::Reporter;
use super::standing::{Standing, Unfit};
use super::transport::Arrival;
use bytes::BytesMut;

/// One RPC URL. Its chain is checked before its first answer is believed.
pub struct HttpNode {
    url: SecretUrl,
    client: reqwest::Client,
    /// Of one answer.
    max_bytes: usize,
    max_nesting: usize,
    standing: Standing,
    reporter: Reporter,
    pub health: Health,
}

impl HttpNode {
    pub fn new(
        url: SecretUrl,
        client: reqwest::Client,
        chain_id: u64,
        max_bytes: usize,
        max_nesting: usize,
        reporter: Reporter,
    ) -> Self {
        Self {
            url,
            client,
            max_bytes,
            max_nesting,
            standing: Standing::new(chain_id),
            reporter,
            health: Health::default(),
        }
    }

    /// `params` is the JSON text of the parameter array.
    pub async fn call(&self, method: &str, params: &str) -> Answered {
        let fit = match self.standing.known() {
            Some(fit) => fit,
            None => {
                let answer = self.post("eth_chainId", "[]").await?;
                self.standing.check(Ok(answer), &self.reporter)
            }
        };
        match fit {
            Ok(()) => self.post(method, params).await,
            Err(Unfit::Now(reason)) => Err(RpcError::Transport(reason)),
            Err(Unfit::Forever) => Err(self.failed("serves another chain")),
        }
    }

    async fn post(&self, method: &str, params: &str) -> Answered {
        let request = self
            .client
            .post(self.url.expose().clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(request(1, method, params));
        let sent = request.send().await;
        let mut response = sent.map_err(|error| self.broken(error))?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > self.max_bytes {
                return Err(self.failed(&format!("an answer above {} bytes", self.max_bytes)));
            }
            body.extend_from_slice(&chunk);
        }
        match self.answer(body).await {
            Some(Err(RpcError::Refused { code, message })) => {
                let message = self.url.scrub(&message);
                Err(RpcError::Refused { code, message })
            }
            Some(outcome) => outcome,
            None => {
                let status = response.status().as_u16();
                Err(self.failed(&format!("status {status}, no JSON-RPC answer")))
            }
        }
    }

    /// One question was sent: whatever the id, the answer is to it.
    async fn answer(&self, body: BytesMut) -> Option<Result<Answer, RpcError>> {
        let message = read(body.freeze(), Arrival::now(), self.max_nesting).await;
        match message {
            Ok(Message::Answers(mut replies)) if replies.len() == 1 => {
                Some(replies.pop()?.ok()?.outcome)
            }
            _ => None,
        }
    }

    /// The cause says more than the error itself ("error sending request"), and neither may show the URL.
    fn broken(&self, error: reqwest::Error) -> RpcError {
        let error = error.without_url();
        let cause = std::error::Error::source(&error)
            .map(ToString::to_string)
            .unwrap_or_default();
        self.failed(&self.url.scrub(&format!("{error} {cause}")))
    }

    fn failed(&self, what: &str) -> RpcError {
        RpcError::Transport(format!("{}: {what}", self.url))
    }
}

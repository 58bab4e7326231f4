//! Asking nodes: over HTTP where there are RPC URLs, else over a WebSocket; one after another until one answers.
//!
//! [`transport`] connects, [`connection`] reads what comes and [`message`] says what it is; [`rpc`] and [`http`] ask one
//! node, [`routes`] whoever answers. [`heads`], [`blocks`], [`code`] and [`fetch`] ask in the background, [`ask`] for
//! others.

pub(crate) mod aside;
pub mod ask;
pub(crate) mod backoff;
pub(crate) mod blocks;
pub(crate) mod canonical;
pub(crate) mod code;
pub(crate) mod connection;
pub(crate) mod fetch;
pub(crate) mod guard;
pub(crate) mod heads;
mod health;
pub(crate) mod http;
mod line;
pub(crate) mod message;
pub(crate) mod redact;
pub(crate) mod report;
pub(crate) mod routes;
pub(crate) mod rpc;
mod silence;
pub(crate) mod standing;
pub(crate) mod transport;

pub use ask::{Asked, Asker};
pub use message::RpcError;
pub(crate) use redact::printable;

use crate::error::{Error, Result};
use redact::SecretUrl;
use rustls::ClientConfig;

pub(crate) fn parse_urls(name: &str, urls: &[String], schemes: &[&str]) -> Result<Vec<SecretUrl>> {
    let parse = |(n, text): (usize, &String)| {
        SecretUrl::parse(text, schemes)
            .map_err(|reason| Error::Config(format!("chain.{name}[{n}]: {reason}")))
    };
    urls.iter().enumerate().map(parse).collect()
}

pub(crate) fn http_client(tls: &ClientConfig) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .connect_timeout(transport::CONNECT_TIMEOUT)
        .timeout(message::TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Error::Config(format!("no HTTP client: {}", error.without_url())))
}

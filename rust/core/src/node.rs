//! Asking nodes: over HTTP where there are RPC URLs, else over a WebSocket; one after another until one answers.

pub mod ask;
pub(crate) mod guard;
pub(crate) mod redact;
pub(crate) mod report;
pub(crate) mod routes;
pub(crate) mod rpc;
pub(crate) mod transport;

pub use ask::{Asked, Asker};
pub(crate) use redact::printable;
pub use rpc::RpcError;

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
        .timeout(rpc::TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Error::Config(format!("no HTTP client: {}", error.without_url())))
}

//! One WebSocket connection: TCP, TLS, handshake, and the moment of each read.

use super::redact::SecretUrl;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::task::{Context, Poll};
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use url::Url;

/// Name lookup, TCP, TLS and handshake together may take this long.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Each read clears this much first, which a quiet connection pays for every message; a fast one gains nothing above it.
const READ_BUFFER: usize = 32 << 10;

pub type Socket = WebSocketStream<MaybeTlsStream<Timed<TcpStream>>>;

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    pub at: Instant,
    /// Unix milliseconds.
    pub unix_ms: u64,
}

impl Arrival {
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            at: Instant::now(),
            unix_ms: since.as_millis() as u64,
        }
    }
}

/// Notes when the last read returned, and how much was read: a frame arrived when the read that completed it did, not
/// when its turn came.
#[derive(Debug)]
pub struct Timed<S> {
    inner: S,
    pub last: Arrival,
    /// Bytes read since the connection was made.
    pub total: u64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if polled.is_ready() {
            self.last = Arrival::now();
            self.total += (buf.filled().len() - before) as u64;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// When the last read returned, and the bytes read so far.
pub fn progress(socket: &Socket) -> (Arrival, u64) {
    let timed = match socket.get_ref() {
        MaybeTlsStream::Plain(timed) => timed,
        MaybeTlsStream::Rustls(tls) => tls.get_ref().0,
        _ => return (Arrival::now(), 0),
    };
    (timed.last, timed.total)
}

/// Connects and shakes hands. `message_bytes`: a longer message ends the connection.
///
/// The error is the reason in words, without the URL.
pub async fn connect(
    url: &SecretUrl,
    tls: Arc<ClientConfig>,
    message_bytes: usize,
) -> Result<Socket, String> {
    let attempt = async {
        let host = url
            .expose()
            .host_str()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_owned();
        let port = url.expose().port_or_known_default().unwrap_or(80);
        let tcp = TcpStream::connect((host, port))
            .await
            .map_err(|error| error.to_string())?;
        // The receive buffer is left to the kernel: its own tuning goes beyond what SO_RCVBUF may ask for.
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        let timed = Timed {
            inner: tcp,
            last: Arrival::now(),
            total: 0,
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(message_bytes))
            .max_frame_size(Some(message_bytes))
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0);
        let connector = Connector::Rustls(tls);
        let request = request(url.expose())?;
        let (socket, _) =
            client_async_tls_with_config(request, timed, Some(config), Some(connector))
                .await
                .map_err(|error| error.to_string())?;
        Ok(socket)
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
        Ok(outcome) => outcome.map_err(|reason: String| url.scrub(&reason)),
        Err(_) => Err(format!(
            "no connection within {} s",
            CONNECT_TIMEOUT.as_secs()
        )),
    }
}

type Request = tokio_tungstenite::tungstenite::handshake::client::Request;

/// The handshake's request; user and password travel as a header, as HTTP clients send them.
fn request(url: &Url) -> Result<Request, String> {
    let mut bare = url.clone();
    let unusable = || "its user part cannot be used".to_owned();
    bare.set_username("")
        .and_then(|()| bare.set_password(None))
        .map_err(|()| unusable())?;
    bare.set_fragment(None);
    let mut request = bare
        .as_str()
        .into_client_request()
        .map_err(|error| error.to_string())?;
    if !url.username().is_empty() || url.password().is_some() {
        let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
        pair.push(b':');
        pair.extend(percent_decode_str(url.password().unwrap_or_default()));
        let value = format!("Basic {}", BASE64.encode(&pair));
        let mut value = HeaderValue::from_str(&value).map_err(|_| unusable())?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    Ok(request)
}

/// TLS on ring, trusting the certificates of `SSL_CERT_FILE` where it is set, else Mozilla's.
///
/// # Errors
/// In words, where `SSL_CERT_FILE` holds no certificate that can be read.
pub fn tls_config() -> Result<Arc<ClientConfig>, String> {
    let file = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty());
    tls_config_of(file.as_deref().map(Path::new))
}

/// The same with the file given.
pub fn tls_config_of(file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    match file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            let failed = |error| format!("SSL_CERT_FILE {}: {error}", file.display());
            for certificate in
                CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))?
            {
                let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| failed(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(failed("no certificate in it".into()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_travel_as_a_header_and_leave_the_url() {
        let request =
            request(&Url::parse("ws://Aladdin:open%20sesame@host:1/k?q=1").unwrap()).unwrap();
        assert_eq!(
            request.headers()[AUTHORIZATION],
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert_eq!(request.uri().to_string(), "ws://host:1/k?q=1");
        assert!(!format!("{request:?}").contains("QWxh"));
    }

    #[test]
    fn base64_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(BASE64.encode(plain), coded);
        }
    }

    #[test]
    fn a_file_of_roots_without_certificates_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let said = tls_config_of(Some(file.path())).unwrap_err();
        assert!(said.contains(&*file.path().to_string_lossy()), "{said}");
        assert!(tls_config_of(None).is_ok());
    }
}

//! One WebSocket connection: questions go out and frames come in until it is lost.

use super::aside::BRIEF;
use super::message::{Message, parse, read};
use super::silence::{Silence, Verdict};
use super::transport::{Arrival, Socket, progress};
use crate::evidence::AnomalyKind;
use crate::inbox::queue::Closed;
use bytes::Bytes;
use futures_util::task::{Context, Poll};
use futures_util::{Sink, Stream};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error as WsError, Message as Frame};

/// Frames handled before other tasks get their turn.
const STRIDE: u32 = 128;

/// Whom a connection's frames are brought to.
pub trait Reader {
    /// Deeper messages are not read.
    const MAX_NESTING: usize;

    /// Every frame passes here. Gives it back where it takes reading to know what it is.
    async fn recognise(&self, frame: Bytes, arrival: Arrival) -> Result<Option<Bytes>, Closed>;

    /// What was not recognised, read. Of large frames this comes later than of what arrived meanwhile.
    async fn take(
        &self,
        frame: Bytes,
        message: Result<Message, String>,
        arrival: Arrival,
    ) -> Result<(), Closed>;

    /// Between some frames, before other tasks get their turn.
    fn pause(&self) {}
}

/// How a connection was lost.
#[derive(Debug)]
pub struct Lost {
    /// In words, of a library or the node: not scrubbed.
    pub reason: String,
    /// Where it is an anomaly of its own.
    pub kind: Option<AnomalyKind>,
}

impl Lost {
    fn closed(reason: String) -> Self {
        Self { reason, kind: None }
    }
}

impl From<WsError> for Lost {
    fn from(error: WsError) -> Self {
        let kind = match &error {
            WsError::Capacity(_) => Some(AnomalyKind::OversizedFrame),
            // A peer that breaks off violates nothing, though the crate files it there.
            WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
            WsError::Utf8(_) | WsError::Protocol(_) => Some(AnomalyKind::MalformedFrame),
            _ => None,
        };
        let reason = error.to_string();
        Self { reason, kind }
    }
}

struct Large {
    frame: Bytes,
    message: Result<Message, String>,
    arrival: Arrival,
}

async fn read_large<R: Reader>(frame: Bytes, arrival: Arrival) -> Large {
    let message = read(frame.clone(), arrival, R::MAX_NESTING).await;
    Large {
        frame,
        message,
        arrival,
    }
}

enum Wake {
    Frame(Option<Result<Frame, WsError>>),
    Read(Large),
    Quiet,
    Broken(WsError),
}

/// Sends what comes from `outgoing` and brings all frames to `reader`, until the connection is lost; silence for
/// `stall_timeout`, a ping unanswered, counts as that.
///
/// A large message is read aside, and what follows it does not wait; the next large one does.
pub async fn converse<R: Reader>(
    mut socket: Socket,
    mut outgoing: mpsc::Receiver<String>,
    stall_timeout: Duration,
    reader: &R,
) -> Result<Lost, Closed> {
    let mut silence = Silence::new(stall_timeout, progress(&socket));
    let mut timer = pin!(tokio::time::sleep(silence.wait()));
    let mut large: Option<Pin<Box<dyn Future<Output = Large>>>> = None;
    let mut unsent = false;
    let mut stride = 0;
    loop {
        let wake = poll_fn(|cx| {
            if let Err(error) = send(&mut socket, &mut outgoing, &mut unsent, cx) {
                return Poll::Ready(Wake::Broken(error));
            }
            if let Some(reading) = &mut large
                && let Poll::Ready(read) = reading.as_mut().poll(cx)
            {
                return Poll::Ready(Wake::Read(read));
            }
            if let Poll::Ready(frame) = Pin::new(&mut socket).poll_next(cx) {
                return Poll::Ready(Wake::Frame(frame));
            }
            timer.as_mut().poll(cx).map(|()| Wake::Quiet)
        });
        match wake.await {
            Wake::Frame(Some(Ok(frame))) => {
                let (arrival, total) = progress(&socket);
                silence.heard(arrival.at, total);
                let frame = match frame {
                    Frame::Text(text) => Bytes::from(text),
                    Frame::Binary(bytes) => bytes,
                    Frame::Close(Some(close)) => {
                        let said = format!("closed by the node: {} {}", close.code, close.reason);
                        return Ok(Lost::closed(said));
                    }
                    Frame::Close(None) => return Ok(Lost::closed("closed by the node".into())),
                    _ => continue,
                };
                match reader.recognise(frame, arrival).await? {
                    None => {}
                    Some(frame) if frame.len() <= BRIEF => {
                        let message = parse(&frame, arrival, R::MAX_NESTING);
                        reader.take(frame, message, arrival).await?;
                    }
                    Some(frame) => {
                        if let Some(former) = large.take() {
                            let read = former.await;
                            reader.take(read.frame, read.message, read.arrival).await?;
                        }
                        large = Some(Box::pin(read_large::<R>(frame, arrival)));
                    }
                }
                stride += 1;
                if stride >= STRIDE {
                    stride = 0;
                    reader.pause();
                    tokio::task::yield_now().await;
                }
            }
            Wake::Read(read) => {
                large = None;
                reader.take(read.frame, read.message, read.arrival).await?;
            }
            Wake::Frame(Some(Err(error))) | Wake::Broken(error) => return Ok(error.into()),
            Wake::Frame(None) => return Ok(Lost::closed("closed by the node".into())),
            Wake::Quiet => {
                match silence.judge(progress(&socket).1) {
                    Verdict::Fine => {}
                    Verdict::Ping => {
                        // Where the socket takes nothing, the node does not answer either.
                        let ping = Frame::Ping(Bytes::new());
                        if let Err(error) = Pin::new(&mut socket).start_send(ping) {
                            return Ok(error.into());
                        }
                        unsent = true;
                    }
                    Verdict::Lost => return Ok(Lost::closed(silence.reason())),
                }
                timer
                    .as_mut()
                    .reset(tokio::time::Instant::now() + silence.wait());
            }
        }
    }
}

/// Hands what waits to the socket as far as it takes it. Reading goes on meanwhile: a node that does not read must not
/// keep us from reading.
fn send(
    socket: &mut Socket,
    outgoing: &mut mpsc::Receiver<String>,
    unsent: &mut bool,
    cx: &mut Context<'_>,
) -> Result<(), WsError> {
    loop {
        if *unsent {
            match Pin::new(&mut *socket).poll_flush(cx) {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => return Ok(()),
            }
            *unsent = false;
        }
        match outgoing.poll_recv(cx) {
            Poll::Ready(Some(text)) => {
                Pin::new(&mut *socket).start_send(Frame::text(text))?;
                *unsent = true;
            }
            // Closed only together with the connection.
            Poll::Ready(None) | Poll::Pending => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;

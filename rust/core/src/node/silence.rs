//! When a connection counts as lost though nobody closed it.

use super::transport::Arrival;
use std::time::{Duration, Instant};

/// An unanswered ping is waited for this long, or for the stall timeout where that is shorter.
const GRACE: Duration = Duration::from_secs(5);
/// A message under way at this rate is slow, not stalled: a whole pool on a thin line. Below it, it is a drip.
const MIN_BYTES_PER_SECOND: u64 = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    Ping,
    Lost,
}

/// Watches for complete messages; bytes alone do not count.
pub struct Silence {
    timeout: Duration,
    /// Of the last complete message (pongs too).
    heard: Instant,
    /// Bytes read until then.
    total: u64,
    pinged: Option<Instant>,
}

impl Silence {
    pub fn new(timeout: Duration, (arrival, total): (Arrival, u64)) -> Self {
        Self {
            timeout: timeout.max(Duration::from_millis(1)),
            heard: arrival.at,
            total,
            pinged: None,
        }
    }

    #[inline]
    pub fn heard(&mut self, at: Instant, total: u64) {
        self.heard = at;
        self.total = total;
        self.pinged = None;
    }

    /// How long until it must be judged.
    pub fn wait(&self) -> Duration {
        match self.pinged {
            Some(pinged) => self.grace().saturating_sub(pinged.elapsed()),
            None => self.timeout.saturating_sub(self.heard.elapsed()),
        }
        .max(Duration::from_millis(1))
    }

    /// `total`: bytes read so far.
    pub fn judge(&mut self, total: u64) -> Verdict {
        let now = Instant::now();
        let quiet = now.duration_since(self.heard);
        if quiet < self.timeout {
            return Verdict::Fine;
        }
        match self.pinged {
            None => {
                self.pinged = Some(now);
                Verdict::Ping
            }
            Some(pinged) if now.duration_since(pinged) < self.grace() => Verdict::Fine,
            Some(_)
                if total.saturating_sub(self.total)
                    > MIN_BYTES_PER_SECOND * quiet.as_secs().max(1) =>
            {
                // Judged anew after another grace.
                self.pinged = Some(now);
                Verdict::Fine
            }
            Some(_) => Verdict::Lost,
        }
    }

    pub fn reason(&self) -> String {
        format!(
            "no complete message for {} ms and no answer to a ping",
            self.heard.elapsed().as_millis()
        )
    }

    fn grace(&self) -> Duration {
        GRACE.min(self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet_for(past: Duration) -> Silence {
        let mut silence = Silence::new(Duration::from_millis(100), (Arrival::now(), 0));
        silence.heard = Instant::now() - past;
        silence
    }

    #[test]
    fn a_ping_comes_first_and_any_message_is_an_answer() {
        let mut silence = quiet_for(Duration::from_millis(150));
        assert_eq!(silence.judge(0), Verdict::Ping);
        assert_eq!(silence.judge(0), Verdict::Fine, "within the grace");
        silence.pinged = Some(Instant::now() - Duration::from_millis(150));
        assert_eq!(silence.judge(0), Verdict::Lost);
        silence.heard(Instant::now(), 10);
        assert_eq!(silence.judge(10), Verdict::Fine);
    }

    #[test]
    fn a_drip_is_lost_and_a_slow_flow_is_not() {
        for (bytes, verdict) in [(3_000, Verdict::Lost), (1 << 20, Verdict::Fine)] {
            let mut silence = quiet_for(Duration::from_secs(30));
            assert_eq!(silence.judge(bytes), Verdict::Ping);
            silence.pinged = Some(Instant::now() - Duration::from_millis(150));
            assert_eq!(silence.judge(bytes), verdict);
        }
    }
}

//! State that a node told at once and that waits to be read: bounded in bytes over all jobs, and given back wherever a job ends.

use bytes::Bytes;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of answers that may wait.
const BYTES: usize = 64 << 20;

/// How many bytes wait now.
#[derive(Debug, Clone, Default)]
pub struct Fetched(Arc<AtomicUsize>);

/// An answer with its room, which it holds for as long as it lives.
#[derive(Debug)]
pub struct Answer {
    raw: Bytes,
    all: Fetched,
}

impl Fetched {
    /// Takes room for an answer; none for a single one of an eighth of it all.
    pub fn hold(&self, raw: Bytes) -> Option<Answer> {
        let bytes = raw.len();
        let more = |held: usize| Some(held + bytes).filter(|held| *held <= BYTES);
        let fits = bytes <= BYTES / 8 && self.0.fetch_update(Relaxed, Relaxed, more).is_ok();
        let all = self.clone();
        fits.then(|| Answer { raw, all })
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Deref for Answer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.raw
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.raw.len(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: usize) -> Bytes {
        vec![0; bytes].into()
    }

    #[test]
    fn there_is_room_until_it_is_taken_and_again_when_an_answer_is_gone() {
        let fetched = Fetched::default();
        let mut held: Vec<_> = (0..8)
            .map(|_| fetched.hold(answer(BYTES / 8)).expect("room"))
            .collect();
        assert!(fetched.hold(answer(1)).is_none());
        held.pop();
        assert!(fetched.hold(answer(1)).is_some());
        assert_eq!(fetched.bytes(), BYTES / 8 * 7);
    }

    #[test]
    fn one_answer_alone_does_not_take_it_all() {
        let fetched = Fetched::default();
        assert!(fetched.hold(answer(BYTES / 8 + 1)).is_none());
        assert_eq!(fetched.bytes(), 0);
    }
}

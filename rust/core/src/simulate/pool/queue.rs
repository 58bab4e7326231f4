//! What waits to be simulated: bounded, by priority, with a quota for each sender.

use super::job::Job;
use crate::evidence::FailureKind;
use alloy_primitives::Address;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Jobs from their offer to their end; those whose state is being fetched are counted, but not in a line.
#[derive(Default)]
pub struct Queue {
    waiting: Mutex<Lines>,
    filled: Condvar,
}

#[derive(Default)]
struct Lines {
    /// Their state has been fetched.
    ready: VecDeque<Job>,
    /// They touch a monitored contract.
    contact: VecDeque<Job>,
    others: VecDeque<Job>,
    /// Unfinished jobs of each sender.
    senders: HashMap<Address, usize>,
    unfinished: usize,
    closed: bool,
}

/// Bounds of the queue.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub jobs: usize,
    pub per_sender: usize,
}

impl Queue {
    /// Takes a job in. Where all room is taken, one that touches a monitored contract takes the place of the oldest other
    /// one, which is handed back.
    ///
    /// # Errors
    /// The job itself, and why there is no room for it.
    pub fn offer(&self, job: Job, room: Room) -> Result<Option<Job>, Box<(Job, FailureKind)>> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Box::new((job, FailureKind::NotReady)));
        }
        let sender = job.suspect.tx.from;
        if waiting.senders.get(&sender).copied().unwrap_or(0) >= room.per_sender {
            return Err(Box::new((job, FailureKind::Quota)));
        }
        let mut gave_way = None;
        if waiting.unfinished >= room.jobs {
            gave_way = match job.suspect.contact {
                true => waiting.others.pop_front(),
                false => None,
            };
            match &gave_way {
                Some(other) => waiting.end(&other.suspect.tx.from),
                None => return Err(Box::new((job, FailureKind::Queue))),
            }
        }
        *waiting.senders.entry(sender).or_default() += 1;
        waiting.unfinished += 1;
        match job.suspect.contact {
            true => waiting.contact.push_back(job),
            false => waiting.others.push_back(job),
        }
        drop(waiting);
        self.filled.notify_one();
        Ok(gave_way)
    }

    /// Puts one back whose state has been fetched.
    pub fn put_back(&self, job: Job) {
        self.lock().ready.push_back(job);
        self.filled.notify_one();
    }

    /// The next one to work on; `None` at the end.
    pub fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return None;
            }
            let Lines {
                ready,
                contact,
                others,
                ..
            } = &mut *waiting;
            let next = ready.pop_front().or_else(|| contact.pop_front());
            if let Some(job) = next.or_else(|| others.pop_front()) {
                return Some(job);
            }
            waiting = self
                .filled
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A job of this sender is over.
    pub fn end(&self, sender: &Address) {
        self.lock().end(sender);
    }

    /// Nothing is taken in any more, and nobody waits any longer.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn end(&mut self, sender: &Address) {
        self.unfinished = self.unfinished.saturating_sub(1);
        if let Some(count) = self.senders.get_mut(sender) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.senders.remove(sender);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::pool::suspect::Suspect;
    use crate::tx::PendingTransaction;
    use std::sync::Arc;
    use std::time::Instant;

    const ROOM: Room = Room {
        jobs: 3,
        per_sender: 2,
    };

    fn job(sender: u8, contact: bool) -> Job {
        let tx = PendingTransaction {
            from: Address::repeat_byte(sender),
            ..PendingTransaction::default()
        };
        let suspect = Suspect {
            tx: Arc::new(tx),
            fingerprint: 0,
            original: None,
            before: Vec::new(),
            among_others: false,
            taken: Vec::new(),
            contact,
            score: 0.0,
        };
        Job::new(suspect, Instant::now(), Instant::now())
    }

    fn senders(queue: &Queue, count: usize) -> Vec<u8> {
        let next = (0..count).map(|_| queue.next().expect("waits"));
        next.map(|job| job.suspect.tx.from[0]).collect()
    }

    #[test]
    fn what_touches_a_monitored_contract_comes_first_and_what_was_fetched_before_it() {
        let queue = Queue::default();
        for (sender, contact) in [(1, false), (2, true)] {
            assert!(queue.offer(job(sender, contact), ROOM).is_ok());
        }
        queue.put_back(job(3, false));
        assert_eq!(senders(&queue, 3), [3, 2, 1]);
    }

    #[test]
    fn a_sender_has_its_quota_until_its_jobs_end() {
        let queue = Queue::default();
        assert!(queue.offer(job(1, true), ROOM).is_ok());
        assert!(queue.offer(job(1, true), ROOM).is_ok());
        let refused = queue.offer(job(1, true), ROOM).err().expect("refused");
        assert_eq!(refused.1, FailureKind::Quota);
        queue.next();
        assert!(queue.offer(job(1, true), ROOM).is_err(), "unfinished still");
        queue.end(&Address::repeat_byte(1));
        assert!(queue.offer(job(1, true), ROOM).is_ok());
    }

    #[test]
    fn where_all_room_is_taken_others_give_way_to_contact_alone() {
        let queue = Queue::default();
        for sender in 1..=3 {
            assert!(queue.offer(job(sender, sender == 3), ROOM).is_ok());
        }
        let refused = queue.offer(job(4, false), ROOM).err().expect("refused");
        assert_eq!(refused.1, FailureKind::Queue);
        let gave_way = queue.offer(job(5, true), ROOM).ok().flatten();
        assert_eq!(gave_way.expect("one").suspect.tx.from[0], 1);
        assert_eq!(senders(&queue, 3), [3, 5, 2]);
    }

    #[test]
    fn a_closed_queue_lets_everyone_go() {
        let queue = Queue::default();
        assert!(queue.offer(job(1, true), ROOM).is_ok());
        queue.close();
        assert!(queue.next().is_none());
        assert!(queue.offer(job(1, true), ROOM).is_err());
    }
}

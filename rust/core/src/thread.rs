//! What a thread takes of the processor, and what is left of it when it fails.

use crate::evidence::Breakdown;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Runs what nothing works without.
///
/// # Errors
/// It panicked: which thread, and what it said.
pub fn critical(thread: &'static str, run: impl FnOnce()) -> Result<(), Breakdown> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| Breakdown {
        thread,
        reason: said(&*panic),
    })
}

/// What a panic said, bounded in length.
pub fn said(panic: &(dyn Any + Send)) -> String {
    const LENGTH: usize = 200;
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or(panic.downcast_ref::<&str>().copied());
    said.unwrap_or("unknown").chars().take(LENGTH).collect()
}

/// Makes the calling thread give way to those that read, decode and classify: a simulation takes milliseconds, and what
/// arrives meanwhile must not wait for it. It still gets a quarter of a core that both want. Without effect where threads
/// have no priorities of their own.
pub fn give_way() {
    /// Steps of niceness: each takes a fifth of the weight, five of them two thirds.
    #[cfg(target_os = "linux")]
    const STEPS: i32 = 5;
    // On Linux this is of the thread, not of the process.
    #[cfg(target_os = "linux")]
    rustix::process::nice(STEPS).ok();
}

/// Processor time that the calling thread has used: differences count.
#[cfg(target_os = "linux")]
pub fn busy() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

/// Time that has passed: differences count.
#[cfg(not(target_os = "linux"))]
pub fn busy() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;
    use std::time::Instant;

    #[test]
    fn only_the_thread_that_asks_gives_way() {
        let before = getpriority_process(None).unwrap();
        let other = std::thread::spawn(|| {
            give_way();
            getpriority_process(None).unwrap()
        });
        assert_eq!(other.join().unwrap(), (before + 5).min(19));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }

    #[test]
    fn a_thread_that_waits_is_not_busy() {
        let (begun, before) = (Instant::now(), busy());
        std::thread::sleep(Duration::from_millis(50));
        assert!(busy() - before < begun.elapsed() / 2);
    }
}

//! Work on large answers, aside from the thread that reads what nodes announce.

use std::panic::resume_unwind;

/// Bytes that are read where they arrive: some hundred microseconds at the most.
pub const BRIEF: usize = 256 << 10;
/// Threads at the most, of one runtime. Name lookups take them too, and may hang.
pub const THREADS: usize = 16;

/// Does `work` on `bytes` bytes: here where it is brief, else on another thread.
pub async fn aside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if bytes <= BRIEF {
        work()
    } else {
        elsewhere(work).await
    }
}

/// Does `work` on another thread, which goes on to its end where nobody waits for it any more.
pub async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends, and whoever waits with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::current;

    #[tokio::test]
    async fn only_what_is_large_leaves_the_thread() {
        let here = current().id();
        assert_eq!(aside(BRIEF, || current().id()).await, here);
        assert_ne!(aside(BRIEF + 1, || current().id()).await, here);
    }
}

//! Who goes first where cores are few.

/// Makes the calling thread give way to those that read, decode and classify: a simulation takes milliseconds, and what
/// arrives meanwhile must not wait for it. It still gets a third of a core that both want. Without effect where threads
/// have no priorities of their own.
pub fn give_way() {
    /// Steps of niceness: each is worth about a tenth of the share; five make three to one.
    #[cfg(target_os = "linux")]
    const STEPS: i32 = 5;
    // On Linux this is of the thread, not of the process.
    #[cfg(target_os = "linux")]
    rustix::process::nice(STEPS).ok();
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::give_way;
    use rustix::process::getpriority_process;

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
}

//! The `steadygate` command, and the allocator that it runs with.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "jemalloc")]
    allocator::start_giving_back();
    steadygate::cli::main()
}

/// jemalloc, and a thread that gives back what sessions that have ended have used (docs/decisions/0006-jemalloc.md).
#[cfg(feature = "jemalloc")]
mod allocator {
    use std::thread;
    use std::time::Duration;

    use tikv_jemalloc_ctl::{Access as _, AsName as _, arenas};
    use tikv_jemallocator::Jemalloc;

    #[global_allocator]
    static ALLOCATOR: Jemalloc = Jemalloc;

    /// Starts the thread. Where there can be no more threads, memory is given back later.
    pub(super) fn start_giving_back() {
        let _without = thread::Builder::new().name("memory".to_owned()).spawn(give_back);
    }

    /// Gives back each second what is free. jemalloc does so by itself where much is allocated, but not after that.
    fn give_back() {
        loop {
            thread::park_timeout(Duration::from_secs(1));
            for arena in 0..arenas::narenas::read().unwrap_or_default() {
                let name = format!("arena.{arena}.dirty_decay_ms\0");
                let name = name.as_bytes().name();
                // At once, and then as before. An arena that no thread has used yet is not there.
                let before: Result<isize, _> = name.update(0);
                let _not_there = before.and_then(|before| name.write(before));
            }
        }
    }
}

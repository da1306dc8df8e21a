//! The `steadygate` command, and the allocator that it runs with.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use tikv_jemalloc_ctl::{Access as _, AsName as _, arenas};
use tikv_jemallocator::Jemalloc;

/// Gives back what sessions that have ended have used (docs/decisions/0006-jemalloc.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    // Where there can be no more threads, memory is given back later.
    let _without = thread::Builder::new().name("memory".to_owned()).spawn(give_back);
    steadygate::cli::main()
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

//! Shortages of this machine: no descriptor, port or memory is left for a connection. They say nothing about the other side, so no
//! member is blamed for one.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// The shortest time between two lines of the log on one shortage.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What this machine has run out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// File descriptors, of the process or of the system.
    Descriptors,
    /// Local ports, or local addresses, for connections to one address.
    Ports,
    /// Memory of the kernel.
    Memory,
}

/// How often a shortage was met, and when it was last logged.
#[derive(Debug)]
struct Record {
    count: AtomicU64,
    logged: Mutex<Option<Instant>>,
}

impl Record {
    const fn new() -> Self {
        Self { count: AtomicU64::new(0), logged: Mutex::new(None) }
    }
}

/// A shortage is one of the process, whoever meets it.
static RECORDS: [Record; 3] = [Record::new(), Record::new(), Record::new()];

impl Shortage {
    /// Every shortage.
    pub const ALL: [Self; 3] = [Self::Descriptors, Self::Ports, Self::Memory];

    /// The shortage that an error is about. `None`: the error is another.
    pub fn of(error: &io::Error) -> Option<Self> {
        Some(match Errno::from_io_error(error)? {
            Errno::MFILE | Errno::NFILE => Self::Descriptors,
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => Self::Ports,
            Errno::NOBUFS | Errno::NOMEM => Self::Memory,
            _ => return None,
        })
    }

    /// The name in lower case, for metrics and the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Descriptors => "descriptors",
            Self::Ports => "ports",
            Self::Memory => "memory",
        }
    }

    /// What an operator can do.
    fn remedy(self) -> &'static str {
        match self {
            Self::Descriptors => "raise the limit of open files (ulimit -n, LimitNOFILE), or run more replicas",
            Self::Ports => {
                "widen net.ipv4.ip_local_port_range, set net.ipv4.tcp_tw_reuse=1, or run more replicas or members"
            }
            Self::Memory => "raise the memory limit, or net.ipv4.tcp_mem",
        }
    }

    /// How often it was met.
    pub fn count(self) -> u64 {
        self.record().count.load(Ordering::Relaxed)
    }

    /// Counts the shortage, and logs it once in a while.
    pub fn report(self, error: &io::Error) {
        let record = self.record();
        let count = record.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut logged = record.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_none_or(|last| last.elapsed() >= LOG_INTERVAL) {
            *logged = Some(Instant::now());
            let (what, remedy) = (self.name(), self.remedy());
            tracing::error!(shortage = what, %error, count, remedy, "the gateway's machine can open no connection");
        }
    }

    fn record(self) -> &'static Record {
        &RECORDS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_this_machine_are_shortages() {
        for (errno, expected) in [
            (Errno::MFILE, Some(Shortage::Descriptors)),
            (Errno::NFILE, Some(Shortage::Descriptors)),
            (Errno::ADDRNOTAVAIL, Some(Shortage::Ports)),
            (Errno::NOBUFS, Some(Shortage::Memory)),
            (Errno::NOMEM, Some(Shortage::Memory)),
            (Errno::CONNREFUSED, None),
            (Errno::HOSTUNREACH, None),
            (Errno::NETUNREACH, None),
            (Errno::TIMEDOUT, None),
        ] {
            assert_eq!(Shortage::of(&errno.into()), expected, "{errno}");
        }
        assert_eq!(Shortage::of(&io::Error::other("no number")), None);
    }
}

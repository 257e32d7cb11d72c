//! What the machine says: processor time and memory of a process, the cores, and what one loopback
//! send-and-receive costs at the moment.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The name of the server's thread that writes to the store.
const STORE: &str = "store";

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time of all its threads.
    pub(crate) processor: Duration,
    /// The part of it that the thread used that writes to the store.
    pub(crate) store: Duration,
    /// How often its threads went to sleep of their own accord.
    pub(crate) sleeps: u64,
}

impl Usage {
    /// What `pid` has used so far. Threads that have ended are forgotten: the servers here have none.
    pub(crate) fn of(pid: u32) -> io::Result<Usage> {
        let mut usage = Usage::default();
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            // The scheduler's own account, in nanoseconds; the ticks of `stat` are a hundredth of a second.
            let account = fs::read_to_string(task.join("schedstat"))?;
            let nanoseconds = account.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0);
            usage.processor += Duration::from_nanos(nanoseconds);
            if fs::read_to_string(task.join("comm"))?.trim() == STORE {
                usage.store += Duration::from_nanos(nanoseconds);
            }
            let status = fs::read_to_string(task.join("status"))?;
            usage.sleeps += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        }
        Ok(usage)
    }

    /// What was used since `earlier`.
    pub(crate) fn since(self, earlier: Usage) -> Usage {
        Usage {
            processor: self.processor.saturating_sub(earlier.processor),
            store: self.store.saturating_sub(earlier.store),
            sleeps: self.sleeps.saturating_sub(earlier.sleeps),
        }
    }
}

/// The resident memory of `pid`, in bytes.
pub(crate) fn resident(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kibibytes = field(&status, "VmRSS:").ok_or_else(|| io::Error::other("no VmRSS in /proc"))?;
    Ok(kibibytes * 1024)
}

fn field(status: &str, name: &str) -> Option<u64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
}

/// The cores this process may use.
pub(crate) fn cores() -> Vec<usize> {
    sched_getaffinity(None).map(|set| (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()).unwrap_or_default()
}

/// Keeps this thread, and those that it starts, on one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// What it costs, in wall time, to append a page to a file in `folder` and have it on the disk.
pub(crate) fn sync_cost(folder: &Path) -> io::Result<Duration> {
    const TIMES: u32 = 50;
    let mut file = tempfile::tempfile_in(folder)?;
    let began = Instant::now();
    for _ in 0..TIMES {
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
    }
    Ok(began.elapsed() / TIMES)
}

/// A pair of sockets that measures what one bare loopback send-and-receive of a message costs.
pub(crate) struct Loopback {
    near: TcpStream,
    far: TcpStream,
    next: Instant,
    samples: Vec<f64>,
}

impl Loopback {
    /// How often it measures.
    const EVERY: Duration = Duration::from_millis(20);
    /// How many round trips are one sample.
    const TIMES: u32 = 16;

    /// A pair that has been warmed up.
    pub(crate) fn new() -> io::Result<Loopback> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let near = TcpStream::connect(listener.local_addr()?)?;
        let (far, _) = listener.accept()?;
        near.set_nodelay(true)?;
        let mut pair = Loopback { near, far, next: Instant::now(), samples: Vec::new() };
        for _ in 0..8 {
            pair.measure()?;
        }
        pair.samples.clear();
        Ok(pair)
    }

    /// Measures if it is time to.
    pub(crate) fn tick(&mut self, now: Instant) -> io::Result<()> {
        if now >= self.next {
            self.measure()?;
            self.next = now + Loopback::EVERY;
        }
        Ok(())
    }

    fn measure(&mut self) -> io::Result<()> {
        let mut message = [b'x'; 128];
        let before = processor_time();
        for _ in 0..Loopback::TIMES {
            self.near.write_all(&message)?;
            self.far.read_exact(&mut message)?;
        }
        self.samples.push((processor_time() - before).as_nanos() as f64 / f64::from(Loopback::TIMES));
        Ok(())
    }

    /// The median since the last time it was asked, in nanoseconds.
    pub(crate) fn take(&mut self) -> f64 {
        super::table::median(&std::mem::take(&mut self.samples))
    }
}

/// What this thread has used of the processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

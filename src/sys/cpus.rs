//! How many processors this process may use: the affinity mask, cut by the cgroup's CPU quota. Called by `config`.
//!
//! Fixed buffers and libc calls only: `std::thread::available_parallelism` answers the same question, but allocates.

use super::thread::uncancelled;
use crate::sync::{native::AtomicUsize, MODEL};
use std::ffi::{c_char, CStr};
use std::sync::atomic::Ordering::Relaxed;

/// At least 1.
pub(crate) fn usable() -> usize {
    affinity().min(quota().unwrap_or(usize::MAX)).max(1)
}

/// How many processors the affinity mask allows, asked once per process: for decisions about spinning. A quota says how long the
/// process may run, not on how many processors at once, and to read it would cost the first wait some ten system calls.
pub(crate) fn cached() -> usize {
    if MODEL {
        // Where spinning would only bring more of the same states.
        return 1;
    }
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: every thread would find the same.
    match KNOWN.load(Relaxed) {
        0 => {
            let found = affinity().max(1);
            KNOWN.store(found, Relaxed);
            found
        }
        known => known,
    }
}

fn affinity() -> usize {
    // Up to 8,192 processors; the kernel refuses a buffer that is too small for its own mask.
    let mut mask = [0u64; 128];
    // SAFETY: the kernel writes at most the given number of bytes.
    let written = unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size_of_val(&mask), mask.as_mut_ptr()) };
    if written > 0 {
        return mask.iter().map(|word| word.count_ones() as usize).sum();
    }
    // SAFETY: no pointers.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.max(1) as usize
}

/// The tightest quota of this process's control group and its parents, in whole processors (at least 1).
fn quota() -> Option<usize> {
    let mut buffer = [0u8; 4096];
    let groups = read(c"/proc/self/cgroup", &mut buffer)?;
    let mut tightest = None;
    // Version 2 has one line "0::/path"; version 1 one per controller, "4:cpu,cpuacct:/path".
    for line in groups.split(|&b| b == b'\n') {
        let mut fields = line.splitn(3, |&b| b == b':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let found = if controllers.is_empty() {
            along(b"/sys/fs/cgroup", path, unified)
        } else if controllers.split(|&b| b == b',').any(|c| c == b"cpu") {
            along(b"/sys/fs/cgroup/cpu", path, classic)
        } else {
            None
        };
        tightest = tightest.min(found).or(tightest).or(found);
    }
    tightest
}

/// The smallest quota from the group `path` below `root` upwards. In a container the path may not exist as seen from
/// inside; then the root of the mount is the group itself, which the walk reaches.
fn along(root: &[u8], path: &[u8], limit: fn(&mut Path) -> Option<usize>) -> Option<usize> {
    let mut end = path.len();
    let mut tightest: Option<usize> = None;
    loop {
        let mut directory = Path::new();
        directory.push(root)?;
        directory.push(path[..end].strip_suffix(b"/").unwrap_or(&path[..end]))?;
        if let Some(found) = limit(&mut directory) {
            tightest = Some(tightest.map_or(found, |t| t.min(found)));
        }
        if end == 0 {
            return tightest;
        }
        end = path[..end].iter().rposition(|&b| b == b'/').unwrap_or(0);
    }
}

/// cgroup v2: "max 100000" or "200000 100000".
fn unified(directory: &mut Path) -> Option<usize> {
    let mut buffer = [0u8; 128];
    let text = directory.read(b"/cpu.max", &mut buffer)?;
    let mut fields = text.split(|b| b.is_ascii_whitespace());
    whole(number(fields.next()?)?, number(fields.next()?)?)
}

/// cgroup v1: two files, a quota of -1 means none.
fn classic(directory: &mut Path) -> Option<usize> {
    let (mut quota, mut period) = ([0u8; 128], [0u8; 128]);
    let quota = number(directory.read(b"/cpu.cfs_quota_us", &mut quota)?.trim_ascii())?;
    let period = number(directory.read(b"/cpu.cfs_period_us", &mut period)?.trim_ascii())?;
    whole(quota, period)
}

fn whole(quota: u64, period: u64) -> Option<usize> {
    Some(((quota.checked_div(period)?) as usize).max(1))
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A path under construction, with room for its terminator.
struct Path {
    bytes: [u8; 1024],
    len: usize,
}

impl Path {
    fn new() -> Path {
        Path { bytes: [0; 1024], len: 0 }
    }

    fn push(&mut self, part: &[u8]) -> Option<()> {
        let end = self.len + part.len();
        self.bytes.get_mut(self.len..end).filter(|_| end < 1023)?.copy_from_slice(part);
        self.len = end;
        self.bytes[end] = 0;
        Some(())
    }

    fn read<'a>(&mut self, file: &[u8], buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let directory = self.len;
        self.push(file)?;
        let text = CStr::from_bytes_until_nul(&self.bytes).ok().and_then(|path| read(path, buffer));
        self.len = directory;
        text
    }
}

/// The beginning of a file, as much as the buffer takes.
fn read<'a>(path: &CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: a C string, a buffer with its length, a descriptor that this function opens and closes.
    let n = uncancelled(|| unsafe {
        let fd = libc::open(path.as_ptr().cast::<c_char>(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return -1;
        }
        let n = libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len());
        libc::close(fd);
        n
    });
    buffer.get(..usize::try_from(n).ok()?)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn p01_usable_cpus_agree_with_std() {
        assert_eq!(usable(), std::thread::available_parallelism().unwrap().get());
    }

    #[test]
    fn p01_a_quota_counts_whole_processors_and_at_least_one() {
        assert_eq!(whole(250_000, 100_000), Some(2));
        assert_eq!(whole(50_000, 100_000), Some(1));
        assert_eq!(whole(1, 0), None);
        assert_eq!(number(b"max"), None);
        assert_eq!(number(b"-1"), None);
    }

    #[test]
    #[allow(clippy::disallowed_methods)] // A test's thread.
    fn p01_affinity_narrows_what_is_usable() {
        let counted = std::thread::spawn(|| {
            let mut one = [0u64; 128];
            // SAFETY: the mask is a local; it binds only this test's own thread.
            unsafe {
                libc::syscall(libc::SYS_sched_getaffinity, 0, size_of_val(&one), one.as_mut_ptr());
                let first = one.iter().position(|&w| w != 0).unwrap();
                let bit = one[first] & one[first].wrapping_neg();
                one = [0; 128];
                one[first] = bit;
                assert_eq!(libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(&one), one.as_ptr()), 0);
            }
            usable()
        });
        assert_eq!(counted.join().unwrap(), 1);
    }
}

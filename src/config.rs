//! Defaults, limits and validation of an executor's configuration. Called by `executor`.

use crate::alloc::try_zeroed_slice;
use crate::registry::Hooks;
use crate::scheduler::MAX_WORKERS;
use crate::status::{Error, Result, Status};
use crate::sys::{cpus, thread};
use crate::task::{DropFn, UnhandledFn};
use std::ffi::{c_char, c_int, c_void, CStr};
use std::io::Write;

pub type InitFn = unsafe extern "C-unwind" fn(*mut c_void) -> c_int;
pub type FinalFn = unsafe extern "C-unwind" fn(*mut c_void);

/// What a caller asks for. `Default` is every default.
#[derive(Clone, Copy)]
pub struct Config {
    /// 0: min(32, usable processors + 4).
    pub max_workers: usize,
    /// A C string, copied. `None`: "tpexec-<k>".
    pub thread_name_prefix: Option<*const c_char>,
    pub initializer: Option<InitFn>,
    pub finalizer: Option<FinalFn>,
    pub unhandled_error: Option<UnhandledFn>,
    /// For the three above.
    pub user_data: *mut c_void,
    pub drop_user_data: Option<DropFn>,
    /// Bytes; 0: the system's default.
    pub stack_size: usize,
    /// Nanoseconds; 0: workers stay until shutdown.
    pub idle_timeout_ns: i64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_workers: 0,
            thread_name_prefix: None,
            initializer: None,
            finalizer: None,
            unhandled_error: None,
            user_data: std::ptr::null_mut(),
            drop_user_data: None,
            stack_size: 0,
            idle_timeout_ns: 0,
        }
    }
}

/// What an executor keeps of it.
pub(crate) struct Settings {
    pub(crate) max_workers: usize,
    pub(crate) prefix: Box<[u8]>,
    pub(crate) initializer: Option<InitFn>,
    pub(crate) finalizer: Option<FinalFn>,
    pub(crate) user_data: *mut c_void,
    /// Failures have to be kept in mind until somebody has seen them.
    pub(crate) hooked: bool,
    pub(crate) stack_size: usize,
    pub(crate) idle_timeout: Option<u64>,
}

impl Config {
    pub(crate) fn check(&self) -> Result<()> {
        const fn invalid(why: &'static str) -> Result<()> {
            Err(Error::new(Status::InvalidArgument, why))
        }
        if self.max_workers > MAX_WORKERS {
            return invalid("max_workers is above TP_MAX_WORKERS (16383)");
        }
        if self.idle_timeout_ns < 0 {
            return invalid("idle_timeout_ns is negative");
        }
        if self.stack_size != 0 && self.stack_size < thread::smallest_stack() {
            return invalid("stack_size is below PTHREAD_STACK_MIN");
        }
        if self.stack_size > isize::MAX as usize {
            return invalid("stack_size is above PTRDIFF_MAX");
        }
        Ok(())
    }

    pub(crate) fn hooks(&self) -> Hooks {
        Hooks { unhandled_error: self.unhandled_error, user_data: self.user_data, drop_user_data: self.drop_user_data }
    }

    /// Copies what the executor needs; `number` counts executors.
    pub(crate) fn settings(&self, number: u64) -> Result<Settings> {
        let mut default = [0u8; 32];
        let given = match self.thread_name_prefix {
            // SAFETY: the caller vouches for a C string.
            Some(prefix) => unsafe { CStr::from_ptr(prefix) }.to_bytes(),
            None => {
                let mut rest = &mut default[..];
                let _ = write!(rest, "tpexec-{number}");
                let unused = rest.len();
                &default[..32 - unused]
            }
        };
        // SAFETY: zero is a valid byte.
        let mut prefix = unsafe { try_zeroed_slice::<u8>(given.len()) }?;
        prefix.copy_from_slice(given);
        Ok(Settings {
            max_workers: if self.max_workers == 0 { default_workers() } else { self.max_workers },
            prefix,
            initializer: self.initializer,
            finalizer: self.finalizer,
            user_data: self.user_data,
            hooked: self.hooks().matter(),
            stack_size: self.stack_size,
            idle_timeout: (self.idle_timeout_ns != 0).then_some(self.idle_timeout_ns as u64),
        })
    }
}

/// As in concurrent.futures: tasks often wait for something, hence a few more workers than processors; many more only
/// cost memory.
fn default_workers() -> usize {
    (cpus::usable() + 4).min(32)
}

impl Settings {
    /// A worker's name, whole, with its terminator.
    pub(crate) fn worker_name(&self, index: usize) -> Result<Box<[u8]>> {
        let mut digits = [0u8; 24];
        let index = suffix(index, &mut digits);
        // SAFETY: zero is a valid byte.
        let mut name = unsafe { try_zeroed_slice::<u8>(self.prefix.len() + index.len() + 1) }?;
        name[..self.prefix.len()].copy_from_slice(&self.prefix);
        name[self.prefix.len()..][..index.len()].copy_from_slice(index);
        Ok(name)
    }

    /// The name as the operating system takes it, 15 bytes and a terminator: the prefix is cut so that the index
    /// survives, at a character's border.
    pub(crate) fn os_name(&self, index: usize) -> [u8; 16] {
        let mut digits = [0u8; 24];
        let index = suffix(index, &mut digits);
        let mut keep = self.prefix.len().min(15 - index.len());
        while keep < self.prefix.len() && keep > 0 && self.prefix[keep] & 0xC0 == 0x80 {
            keep -= 1;
        }
        let mut name = [0u8; 16];
        name[..keep].copy_from_slice(&self.prefix[..keep]);
        name[keep..][..index.len()].copy_from_slice(index);
        name
    }
}

/// "_<index>"
fn suffix(index: usize, digits: &mut [u8; 24]) -> &[u8] {
    let mut rest = &mut digits[..];
    let _ = write!(rest, "_{index}");
    let unused = rest.len();
    &digits[..24 - unused]
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn settings(prefix: &CStr) -> Settings {
        Config { thread_name_prefix: Some(prefix.as_ptr()), ..Config::default() }.settings(0).unwrap()
    }

    #[test]
    fn p01_the_default_is_min_32_cpus_plus_4() {
        let cpus = std::thread::available_parallelism().unwrap().get();
        assert_eq!(Config::default().settings(0).unwrap().max_workers, 32.min(cpus + 4));
    }

    #[test]
    fn p05_the_os_name_is_cut_so_that_the_index_survives() {
        assert_eq!(&settings(c"io").os_name(3), b"io_3\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&settings(c"a-very-long-prefix-indeed").os_name(16382), b"a-very-lo_16382\0");
        // "é" is two bytes and not cut in half.
        assert_eq!(&settings(c"0123456789ab\u{e9}").os_name(7), b"0123456789ab_7\0\0");
        assert_eq!(
            &*settings(c"a-very-long-prefix-indeed").worker_name(12).unwrap(),
            b"a-very-long-prefix-indeed_12\0"
        );
        assert_eq!(&*settings(c"").worker_name(0).unwrap(), b"_0\0");
    }

    #[test]
    fn p05_default_prefixes_count_executors() {
        assert_eq!(&*Config::default().settings(41).unwrap().prefix, b"tpexec-41");
    }
}

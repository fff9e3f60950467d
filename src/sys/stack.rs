//! Where the calling thread's stack is. Called by `worker`, which lets awaited tasks run inline only where there is room.

/// The lowest address of the calling thread's stack that may be used, and the size of the stack from there in bytes. `asked`:
/// the size that `Thread::start` was given for this thread.
pub(crate) fn of_this_thread(asked: usize) -> (usize, usize) {
    told().unwrap_or_else(|| guessed(asked))
}

/// What the system tells. The C library allocates for the answer, so there may be none.
fn told() -> Option<(usize, usize)> {
    // SAFETY: the attribute object is filled by getattr_np before it is read, and destroyed after.
    unsafe {
        let mut attr = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
        if libc::pthread_getattr_np(libc::pthread_self(), attr.as_mut_ptr()) != 0 {
            return None;
        }
        let mut base = std::ptr::null_mut();
        let mut size = 0;
        let rc = libc::pthread_attr_getstack(attr.as_ptr(), &mut base, &mut size);
        libc::pthread_attr_destroy(attr.as_mut_ptr());
        (rc == 0).then_some((base as usize, size))
    }
}

/// For a thread that has just begun: half of its stack, from here down. The other half may hold the program's thread-local
/// variables.
fn guessed(asked: usize) -> (usize, usize) {
    let marker = 0u8;
    let half = if asked == 0 { default_size() } else { asked } / 2;
    (std::ptr::from_ref(&marker).addr().saturating_sub(half), half)
}

/// The size of a stack for which none was asked.
fn default_size() -> usize {
    let mut size = 0;
    // SAFETY: the attribute object is initialised before use and destroyed after. None of these calls allocates.
    unsafe {
        let mut attr = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
        if libc::pthread_attr_init(attr.as_mut_ptr()) == 0 {
            libc::pthread_attr_getstacksize(attr.as_ptr(), &mut size);
            libc::pthread_attr_destroy(attr.as_mut_ptr());
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // A test's threads.
    fn what_is_guessed_of_a_stack_lies_within_what_the_system_tells() {
        for asked in [0, 256 << 10, 8 << 20] {
            let builder = std::thread::Builder::new();
            let builder = if asked == 0 { builder.stack_size(default_size()) } else { builder.stack_size(asked) };
            let stacks = builder.spawn(move || (told().unwrap(), guessed(asked))).unwrap().join().unwrap();
            let ((told, size), (guessed, half)) = stacks;
            assert!(told < guessed && guessed + half < told + size, "{stacks:x?}");
            assert!(half > size / 3, "{stacks:x?}");
        }
    }
}

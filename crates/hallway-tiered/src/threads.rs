//! Whether this thread may still begin something of its own.

thread_local! {
    static HERE: Here = const { Here };
}

struct Here;

impl Drop for Here {
    // What is dropped is known to be gone.
    fn drop(&mut self) {}
}

/// Whether what this thread has for itself is being dropped: then it gets nothing more, for that would panic.
pub(crate) fn is_ending() -> bool {
    HERE.try_with(|_| ()).is_err()
}

/// To be called by whatever a thread gets for itself while it gets it: what is there before ends later, so that
/// [`is_ending`] is not too late.
pub(crate) fn enter() {
    let _ = is_ending();
}

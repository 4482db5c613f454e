//! What each thread has for itself. A thread that begins goes on with what one that has ended left behind.

use thread_local::ThreadLocal;

/// What this thread has, or else what is made for it. `None` if nothing is made, or if the thread is ending: then it gets
/// nothing more, for what tells threads apart may be gone already.
#[inline]
pub(crate) fn own<T: Send>(all: &ThreadLocal<T>, make: impl FnOnce() -> Option<T>) -> Option<&T> {
    all.get().or_else(|| first(all, make))
}

/// A thread without a number has it given here; another with that number may have left something.
#[cold]
fn first<T: Send>(all: &ThreadLocal<T>, make: impl FnOnce() -> Option<T>) -> Option<&T> {
    struct Here;
    impl Drop for Here {
        // What is dropped is known to be gone.
        fn drop(&mut self) {}
    }
    thread_local! {
        static HERE: Here = const { Here };
    }
    // It ends together with the number that is given next, or before: what is begun last ends first.
    HERE.try_with(|_| ()).ok()?;
    all.get_or_try(|| make().ok_or(())).ok()
}

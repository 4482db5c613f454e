//! Notes operations while they happen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallway_core::{Clock, SystemClock};

use super::{History, Input, Operation, Output};

/// Notes operations while they happen, from any number of tasks. A clone is another handle to the same history.
///
/// Every call and every return gets a moment of its own: on a clock that stands still they are a microsecond apart, in
/// the order in which they were noted.
///
/// ```
/// use hallway_testkit::history::{Input, Output, Recorder};
///
/// let recorder = Recorder::new();
/// let call = recorder.call(0, "a", Input::Write(1));
/// // ... the write is made ...
/// call.returned(Output::Done);
/// assert_eq!(recorder.history().operations.len(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    // Held for a few instructions; nothing awaits while holding it.
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    last: u64,
    operations: Vec<Operation>,
}

impl Recorder {
    /// On this machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// On another clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { clock, notes: Mutex::default() }))
    }

    /// Notes that an operation begins. To be called right before it, on the task that makes it.
    #[must_use = "dropped at once, its outcome counts as unknown"]
    pub fn call(&self, process: u32, key: impl Into<String>, input: Input) -> Call {
        let mut operation = Operation::unknown(process, key, 0, input);
        operation.call = self.0.moment(&mut self.0.lock());
        Call { recorder: self.clone(), operation: Some(operation) }
    }

    /// What was noted so far, in the order of the returns. Operations that are still going on are not in it.
    #[must_use]
    pub fn history(&self) -> History {
        History { operations: self.0.lock().operations.clone() }
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Notes> {
        // Every critical section leaves the notes whole, so a panic elsewhere does not spoil them.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self, notes: &mut Notes) -> u64 {
        notes.last = self.clock.now().max(notes.last + 1);
        notes.last
    }
}

/// An operation that is going on. Dropped, it is noted with an unknown outcome, as befits a cancelled call.
#[derive(Debug)]
#[must_use = "dropped, its outcome counts as unknown"]
pub struct Call {
    recorder: Recorder,
    operation: Option<Operation>,
}

impl Call {
    /// Its answer may come from a copy.
    pub fn cached(mut self) -> Self {
        self.operation = self.operation.take().map(Operation::cached);
        self
    }

    /// What it writes lives so long, in microseconds.
    pub fn with_ttl(mut self, micros: u64) -> Self {
        self.operation = self.operation.take().map(|operation| operation.with_ttl(micros));
        self
    }

    /// It was answered.
    pub fn returned(mut self, output: Output) {
        if let Some(operation) = self.operation.take() {
            self.note(operation, output);
        }
    }

    /// It definitely failed and had no effect: it is forgotten.
    pub fn failed(mut self) {
        self.operation = None;
    }

    /// Nobody knows whether it was done. The same as dropping it, said aloud.
    pub fn unknown(self) {
        drop(self);
    }

    fn note(&self, mut operation: Operation, output: Output) {
        let shared = &self.recorder.0;
        let mut notes = shared.lock();
        operation.output = output;
        operation.ret = (output != Output::Unknown).then(|| shared.moment(&mut notes));
        notes.operations.push(operation);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(operation) = self.operation.take() {
            self.note(operation, Output::Unknown);
        }
    }
}

//! A subscriber of `tracing` that remembers every span and event.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// One span, with what it was told while it was open.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SeenSpan {
    /// Its name.
    pub name: &'static str,
    /// The name of the span around it.
    pub parent: Option<&'static str>,
    /// What it said, by the names of the fields.
    pub fields: BTreeMap<&'static str, String>,
}

impl SeenSpan {
    /// A field, or nothing.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// One event.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SeenEvent {
    /// How bad it is.
    pub level: Level,
    /// What it said, by the names of the fields; its text is `message`.
    pub fields: BTreeMap<&'static str, String>,
}

/// Remembers what a program says to `tracing`, for tests of what is said and of what must not be. Clones share what is
/// remembered. For programs of one thread: a span that several threads are in is told apart by nothing.
///
/// ```
/// use hallway_testkit::Watching;
/// use tracing::Level;
///
/// let watching = Watching::from(Level::DEBUG);
/// tracing::subscriber::with_default(watching.clone(), || {
///     tracing::debug_span!("hallway.load", "db.namespace" = "user").in_scope(|| tracing::info!("loaded"));
/// });
/// assert_eq!(watching.take()[0].field("db.namespace"), "user");
/// assert!(!watching.text().contains("a password"));
/// ```
#[derive(Debug, Clone)]
pub struct Watching {
    level: Level,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    spans: Vec<SeenSpan>,
    /// So many were asked for. They stay, because ids are places.
    taken: usize,
    /// Those entered and not left. One thread runs all.
    stack: Vec<usize>,
    events: Vec<SeenEvent>,
}

/// Subscribers that are always there, and in no thread. With one alone, `tracing` asks the thread that comes to a span or an
/// event first whether anybody wants it, and remembers its answer for all threads: a thread that nobody watches would keep
/// it from those who do.
static OTHERS: LazyLock<[Dispatch; 2]> = LazyLock::new(|| [Dispatch::new(Undecided), Dispatch::new(Undecided)]);

/// Wants nothing, and may want everything later.
struct Undecided;

impl Subscriber for Undecided {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        id(0)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Watching {
    /// Remembers what is at least of this level.
    #[must_use]
    pub fn from(level: Level) -> Self {
        LazyLock::force(&OTHERS);
        Self { level, memory: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The spans of hallway since it was last asked, in the order in which they began.
    #[must_use]
    pub fn take(&self) -> Vec<SeenSpan> {
        let mut memory = self.lock();
        let end = memory.spans.len();
        let from = std::mem::replace(&mut memory.taken, end);
        let new = memory.spans[from..].iter().cloned();
        new.filter(|seen| seen.name.starts_with("hallway.")).collect()
    }

    /// All that it was told, as text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:?}", self.lock())
    }

    /// The events there were.
    #[must_use]
    pub fn events(&self) -> Vec<SeenEvent> {
        self.lock().events.clone()
    }
}

fn place(id: &Id) -> usize {
    id.into_u64() as usize - 1
}

fn id(place: usize) -> Id {
    Id::from_u64(place as u64 + 1)
}

impl Subscriber for Watching {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut memory = self.lock();
        let around = match attributes.parent() {
            Some(parent) => Some(place(parent)),
            None if attributes.is_contextual() => memory.stack.last().copied(),
            None => None,
        };
        let parent = around.map(|place| memory.spans[place].name);
        let mut seen = SeenSpan { name: attributes.metadata().name(), parent, fields: BTreeMap::new() };
        attributes.record(&mut Fields(&mut seen.fields));
        memory.spans.push(seen);
        id(memory.spans.len() - 1)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.lock().spans[place(span)].fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        self.lock().events.push(SeenEvent { level: *event.metadata().level(), fields });
    }

    fn enter(&self, span: &Id) {
        self.lock().stack.push(place(span));
    }

    fn exit(&self, span: &Id) {
        let mut memory = self.lock();
        if let Some(last) = memory.stack.iter().rposition(|open| *open == place(span)) {
            memory.stack.remove(last);
        }
    }
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say() {
        let _ = tracing::debug_span!("hallway.said").entered();
        tracing::debug!("said");
    }

    /// Both are said for the first time by a thread that nobody watches.
    #[test]
    fn what_a_thread_without_a_subscriber_says_first_is_seen_in_others() {
        let watching = Watching::from(Level::DEBUG);
        let _guard = tracing::subscriber::set_default(watching.clone());
        std::thread::spawn(say).join().unwrap();
        assert_eq!((watching.take().len(), watching.events().len()), (0, 0));
        say();
        assert_eq!((watching.take().len(), watching.events().len()), (1, 1));
    }
}

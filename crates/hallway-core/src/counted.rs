//! Counts, told to whoever publishes them.

/// One count, as it stands now. It only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count<'a> {
    /// What a metric of it is called: `hallway_redis_connections_total`.
    pub name: &'static str,
    /// What is counted, in a sentence.
    pub help: &'static str,
    /// Of which namespace, where each counts for itself.
    pub namespace: Option<&'a str>,
    /// How many.
    pub value: u64,
}

impl<'a> Count<'a> {
    /// A count of the whole.
    #[must_use]
    pub fn new(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, namespace: None, value }
    }

    /// The same, of one namespace.
    #[must_use]
    pub fn within(self, namespace: &'a str) -> Self {
        Self { namespace: Some(namespace), ..self }
    }
}

/// What counts and can be asked: a store, the sessions of an application.
///
/// A name, a sentence and the namespace are all that is told. There is no place for a key, so none can get out.
///
/// ```
/// use hallway_core::{Count, Counted};
///
/// struct Doors { opened: u64 }
///
/// impl Counted for Doors {
///     fn tell(&self, each: &mut dyn FnMut(Count<'_>)) {
///         each(Count::new("doors_opened_total", "Times that a door was opened.", self.opened));
///     }
/// }
///
/// let mut told = Vec::new();
/// Doors { opened: 3 }.tell(&mut |count| told.push((count.name, count.value)));
/// assert_eq!(told, [("doors_opened_total", 3)]);
/// ```
pub trait Counted: Send + Sync + 'static {
    /// Tells every count there is, also those that are 0 yet.
    fn tell(&self, each: &mut dyn FnMut(Count<'_>));
}

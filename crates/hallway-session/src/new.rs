//! What a session begins with.

use std::fmt;

/// A session to be made: its data, whose it is, and what to call it in a list of his devices.
///
/// ```
/// use hallway_session::NewSession;
///
/// let anonymous = NewSession::new("cart of 3");
/// let login = NewSession::new("cart of 3").subject("user 42").label("Firefox on Linux");
/// # let _ = (anonymous, login);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct NewSession<S> {
    pub(crate) data: S,
    pub(crate) subject: Option<String>,
    pub(crate) label: Option<String>,
}

impl<S> NewSession<S> {
    /// A session of nobody in particular.
    pub fn new(data: S) -> Self {
        Self { data, subject: None, label: None }
    }

    /// Whose session it is: any text of 1 to 1,024 bytes that does not change, such as the id of a user. All sessions of a
    /// subject can be listed and ended.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// What [`list`](crate::Sessions::list) calls it, such as the browser: at most 256 bytes, what is over is cut off.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}

impl<S> From<S> for NewSession<S> {
    fn from(data: S) -> Self {
        Self::new(data)
    }
}

/// Shows neither data nor subject.
impl<S> fmt::Debug for NewSession<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession").field("has_subject", &self.subject.is_some()).finish_non_exhaustive()
    }
}

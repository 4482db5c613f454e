//! One opaque error for every store.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::{Key, Namespace};

/// What a fallible hallway call returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed, for programs. [`Error`]'s `Display` is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Other writers kept winning until the retries of an optimistic update were used up.
    Conflict,
    /// Stored bytes are not what this operation needs: a foreign type, a damaged record or file.
    Corrupt,
    /// A write may or may not have happened.
    Indeterminate,
    /// The configuration cannot work; nothing was tried.
    InvalidConfig,
    /// An argument breaks the contract; nothing was sent.
    InvalidInput,
    /// The configuration asks for what was not compiled in. The message names the Cargo feature.
    MissingFeature,
    /// The backend has no room: memory limit reached or disk full. Nothing was written.
    OutOfMemory,
    /// A bound of this process was reached: queue, in-flight map, loader concurrency. Nothing was sent.
    Overloaded,
    /// A value is larger than the cap of the store.
    TooLarge,
    /// The server refused the credentials or the permission.
    Unauthorized,
    /// The backend did not answer in time or cannot be reached. A write that fails so did not happen.
    Unavailable,
    /// The backend cannot do this at all; see [`Capabilities`](crate::Capabilities).
    Unsupported,
}

impl ErrorKind {
    /// Its name in labels of metrics and in `error.type` of spans: `unavailable`, `invalid_input`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Corrupt => "corrupt",
            Self::Indeterminate => "indeterminate",
            Self::InvalidConfig => "invalid_config",
            Self::InvalidInput => "invalid_input",
            Self::MissingFeature => "missing_feature",
            Self::OutOfMemory => "out_of_memory",
            Self::Overloaded => "overloaded",
            Self::TooLarge => "too_large",
            Self::Unauthorized => "unauthorized",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
        }
    }

    fn retryable(self) -> bool {
        matches!(self, Self::Conflict | Self::Overloaded | Self::Unavailable)
    }
}

/// A failed call: kind, whether a retry can help, where it happened, and the driver's own error as source.
///
/// No message, `Debug` output or source shows a password or a whole key: backends put only redacted
/// text into [`Error::new`] and [`Error::with_source`].
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    retryable: bool,
    message: Cow<'static, str>,
    backend: Option<&'static str>,
    operation: Option<&'static str>,
    namespace: Option<Box<str>>,
    // Shared because one failed batch answers many callers.
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Makes an error of a kind with one short line for people, without secrets and without whole keys.
    ///
    /// It starts out as retryable where the kind usually is: `Conflict`, `Overloaded`, `Unavailable`.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            retryable: kind.retryable(),
            message: message.into(),
            backend: None,
            operation: None,
            namespace: None,
            source: None,
        }))
    }

    /// Shorthand for [`ErrorKind::InvalidInput`].
    pub fn invalid_input(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Shorthand for [`ErrorKind::InvalidConfig`].
    pub fn invalid_config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidConfig, message)
    }

    /// Shorthand for [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Says which backend and which operation failed. What is already set stays.
    #[must_use]
    pub fn at(mut self, backend: &'static str, operation: &'static str) -> Self {
        self.0.backend.get_or_insert(backend);
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Puts words before the message, such as the setting or the request that led here. No secrets, no keys.
    #[must_use]
    pub fn with_context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message).into();
        self
    }

    /// Says in which namespace the key lies. The id of the key is never kept.
    #[must_use]
    pub fn with_key(mut self, key: &Key) -> Self {
        if self.0.namespace.is_none() && !key.namespace_str().is_empty() {
            self.0.namespace = Some(key.namespace_str().into());
        }
        self
    }

    /// Says in which namespace it happened.
    #[must_use]
    pub fn with_namespace(mut self, namespace: &Namespace) -> Self {
        if self.0.namespace.is_none() && !namespace.is_root() {
            self.0.namespace = Some(namespace.as_str().into());
        }
        self
    }

    /// Keeps the driver's error as [`source`](std::error::Error::source). It must show no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// As [`with_source`](Self::with_source) for an error that others hold too, or whose type is not known.
    #[must_use]
    pub fn with_shared_source(mut self, source: Arc<dyn std::error::Error + Send + Sync>) -> Self {
        self.0.source = Some(source);
        self
    }

    /// Overrides whether trying again can help, where the backend knows better than the kind.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// The same failure under another kind, for example `Unavailable` turned `Indeterminate` once bytes were sent.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self.0.retryable = kind.retryable();
        self
    }

    /// Why the call failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later without any change.
    ///
    /// `false` for [`ErrorKind::Indeterminate`]: repeating a write that may have happened is the caller's decision.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The backend that failed, such as `redis`, if one was involved.
    #[must_use]
    pub fn backend(&self) -> Option<&'static str> {
        self.0.backend
    }

    /// The operation that failed, such as `get_many`.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The namespace of the key, such as `user:profile`.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.namespace.as_deref()
    }

    /// The one line for people, without backend, operation and namespace.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.backend, self.0.operation) {
            (Some(backend), Some(operation)) => write!(f, "{backend} {operation}: ")?,
            (Some(word), None) | (None, Some(word)) => write!(f, "{word}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.0.message)?;
        match &self.0.namespace {
            Some(namespace) => write!(f, " (namespace `{namespace}`)"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("retryable", &self.0.retryable)
            .field("backend", &self.0.backend)
            .field("operation", &self.0.operation)
            .field("namespace", &self.0.namespace)
            .field("message", &self.0.message)
            .field("source", &self.0.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn display_says_where_and_why_and_leaves_the_source_out() {
        let error = Error::new(ErrorKind::Unavailable, "no answer within 250 ms")
            .at("redis", "get")
            .with_namespace(&Namespace::new("user:profile").unwrap())
            .with_source(std::io::Error::other("reset"));
        assert_eq!(error.to_string(), "redis get: no answer within 250 ms (namespace `user:profile`)");
        assert_eq!(error.source().unwrap().to_string(), "reset");
        assert!(error.is_retryable());
    }

    #[test]
    fn context_goes_before_the_message_and_keeps_the_rest() {
        let error = Error::new(ErrorKind::Unavailable, "no answer")
            .at("redis", "ping")
            .with_source(std::io::Error::other("reset"))
            .with_context("shared store");
        assert_eq!(error.to_string(), "redis ping: shared store: no answer");
        assert!(error.is_retryable() && error.source().is_some());
    }

    #[test]
    fn the_first_place_named_stays() {
        let error = Error::invalid_input("x").at("redis", "get").at("outer", "load");
        assert_eq!(error.backend(), Some("redis"));
        assert_eq!(error.operation(), Some("get"));
    }

    #[test]
    fn an_unknown_outcome_is_never_retryable() {
        let error = Error::new(ErrorKind::Unavailable, "x").with_kind(ErrorKind::Indeterminate);
        assert!(!error.is_retryable());
    }

    #[test]
    fn the_error_is_one_pointer() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}

//! What can go wrong with a study.

/// Whatever went wrong; a measurement with a failure in it is void.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the parts of a study answer.
pub type Result<T> = std::result::Result<T, Failure>;

/// What whoever asked for a study can put right: a bad name, a folder that is taken.
pub(crate) fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    hallway::Error::new(hallway::ErrorKind::InvalidInput, message).into()
}

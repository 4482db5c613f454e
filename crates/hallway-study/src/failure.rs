//! What can go wrong with a study.

/// Whatever went wrong; a measurement with a failure in it is void.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the parts of a study answer.
pub type Result<T> = std::result::Result<T, Failure>;

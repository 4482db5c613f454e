//! Answers where there is nothing to go on with.

use std::fmt;

use axum_core::response::{IntoResponse, Response};
use hallway_core::{Error, ErrorKind};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};

/// A change of a session that could not be made.
///
/// As a response it is `503 Service Unavailable` with `Retry-After` when the store is to blame, and `500` when the
/// application is: data that cannot be written, a subject that is too long.
#[derive(Debug, Clone)]
pub struct Refusal(Error);

impl Refusal {
    pub(super) fn unavailable() -> Self {
        Self(
            Error::new(ErrorKind::Unavailable, "the session could not be loaded, so nothing is written")
                .at("sessions", "visit"),
        )
    }

    /// What went wrong.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0
    }

    /// Whether the store is to blame, and another try may help.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        use ErrorKind::{Conflict, Indeterminate, OutOfMemory, Overloaded, Unauthorized, Unavailable};
        matches!(self.0.kind(), Conflict | Indeterminate | OutOfMemory | Overloaded | Unauthorized | Unavailable)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.is_outage() {
            let said = match self.0.kind() {
                ErrorKind::Indeterminate => {
                    "Sessions did not answer in time, and it is not known whether this was done. Please look, and try again.\n"
                }
                ErrorKind::Conflict => {
                    "Too much happened to your session at once. Nothing was done; please try again.\n"
                }
                _ => "Sessions do not answer at the moment. Nothing was done; please try again.\n",
            };
            let mut response = (StatusCode::SERVICE_UNAVAILABLE, said).into_response();
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return response;
        }
        tracing::error!(error = %self.0, "a session could not be changed");
        (StatusCode::INTERNAL_SERVER_ERROR, "The session could not be changed.\n").into_response()
    }
}

/// A handler asked for a session, and there is no [`SessionLayer`](super::SessionLayer) of its type around it.
#[derive(Debug, Clone, Copy)]
pub struct MissingLayer;

impl fmt::Display for MissingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no SessionLayer with this type of session is around the route; add `.layer(SessionLayer::new(sessions))`",
        )
    }
}

impl std::error::Error for MissingLayer {}

impl IntoResponse for MissingLayer {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        (StatusCode::INTERNAL_SERVER_ERROR, "This route is not set up for sessions.\n").into_response()
    }
}

//! Logging out: here, or everywhere. The session is gone from the store before the answer is sent.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use hallway::session::axum::Visit;

use crate::away;
use crate::state::App;
use crate::user::User;

pub(crate) async fn here(State(app): State<App>, mut visit: Visit<User>) -> Response {
    match visit.logout().await {
        Ok(_) => Redirect::to("/login").into_response(),
        // It did not happen, and the page does not pretend that it did.
        Err(refusal) => away::refused(refusal, &app.panel(None), "/profile"),
    }
}

pub(crate) async fn everywhere(State(app): State<App>, mut visit: Visit<User>) -> Response {
    match visit.logout_everywhere().await {
        Ok(_) => Redirect::to("/login").into_response(),
        Err(refusal) => away::refused(refusal, &app.panel(None), "/devices"),
    }
}

//! Which page stands under which address.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use hallway::Error;
use hallway::session::axum::{CookieOptions, SessionLayer};

use crate::guard::Ours;
use crate::pages::{assets, devices, edit, login, logout, ops, people, profile};
use crate::state::App;
use crate::{away, guard};

/// No form here is longer.
const LONGEST_FORM: usize = 16 << 10;

/// The name of the cookie where browsers come by plain http, which `__Host-` and `Secure` would not let them.
const PLAIN_COOKIE: &str = "session";

/// # Errors
/// `InvalidConfig` for a cookie that browsers would not take.
pub(crate) fn router(app: App, ours: Ours) -> Result<Router, Error> {
    let cookie = if ours.is_https() { CookieOptions::default() } else { CookieOptions::without_tls(PLAIN_COOKIE)? };
    let sessions = SessionLayer::new(app.sessions.clone()).cookie(cookie);
    let pages = Router::new()
        .route("/", get(profile::home))
        .route("/login", get(login::form).post(login::enter))
        .route("/logout", post(logout::here))
        .route("/logout-everywhere", post(logout::everywhere))
        .route("/profile", get(profile::show).post(edit::save))
        .route("/profile/edit", get(edit::form))
        .route("/devices", get(devices::list))
        .route("/devices/remove", post(devices::remove))
        .route("/people", get(people::list))
        .route("/people/{id}", get(people::one))
        .layer(sessions);
    // What needs no session is asked of no store.
    let router = Router::new()
        .route("/app.css", get(assets::css))
        .route("/app.js", get(assets::js))
        .route("/mark.svg", get(assets::mark))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .merge(pages)
        .fallback(away::nowhere)
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .layer(from_fn_with_state(Arc::new(ours), guard::check))
        .with_state(app);
    Ok(router)
}

//! The same small application, once for each version of tower-sessions.

use std::time::Duration;

use axum::Router;
use hallway::session::tower::TowerStore;

/// How an application sets its sessions up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// `Expiry::OnInactivity`.
    pub(crate) idle: Option<Duration>,
    pub(crate) domain: Option<&'static str>,
}

pub(crate) type Make = fn(TowerStore, Setup) -> Router;

macro_rules! app {
    ($(#[$doc:meta])* $name:ident, $($version:ident)::+) => {
        $(#[$doc])*
        pub(crate) fn $name(store: TowerStore, setup: Setup) -> Router {
            use axum::Extension;
            use axum::http::StatusCode;
            use axum::routing::get;
            use $($version)::+::cookie::time::{Duration as Span, OffsetDateTime};
            use $($version)::+::{Expiry, Session, SessionManagerLayer};

            type Visit = Extension<Session>;
            let failed = |_| StatusCode::INTERNAL_SERVER_ERROR;
            let mut layer = SessionManagerLayer::new(store);
            if let Some(idle) = setup.idle {
                layer = layer.with_expiry(Expiry::OnInactivity(idle.try_into().unwrap()));
            }
            if let Some(domain) = setup.domain {
                layer = layer.with_domain(domain);
            }
            Router::new()
                .route("/untouched", get(|Extension(_): Visit| async {}))
                .route("/put", get(async move |Extension(session): Visit| session.insert("cart", 3).await.map_err(failed)))
                .route(
                    "/add",
                    get(async move |Extension(session): Visit| {
                        let cart: u32 = session.get("cart").await.map_err(failed)?.unwrap_or_default();
                        session.insert("cart", cart + 1).await.map_err(failed)
                    }),
                )
                .route(
                    "/look",
                    get(async move |Extension(session): Visit| {
                        let cart: Option<u32> = session.get("cart").await.map_err(failed)?;
                        Ok::<_, StatusCode>(format!("{cart:?}"))
                    }),
                )
                .route("/shrug", get(async |Extension(session): Visit| {
                    // As careless handlers do.
                    let cart: u32 = session.get("cart").await.ok().flatten().unwrap_or_default();
                    let kept = session.insert("cart", cart).await.is_ok();
                    kept.to_string()
                }))
                .route("/take", get(async move |Extension(session): Visit| {
                    session.remove_value("cart").await.map(|_| ()).map_err(failed)
                }))
                .route("/cycle", get(async move |Extension(session): Visit| session.cycle_id().await.map_err(failed)))
                .route("/flush", get(async move |Extension(session): Visit| session.flush().await.map_err(failed)))
                .route("/tomorrow", get(async |Extension(session): Visit| {
                    session.set_expiry(Some(Expiry::AtDateTime(OffsetDateTime::now_utc() + Span::days(1))));
                }))
                .route("/while-open", get(async |Extension(session): Visit| {
                    session.set_expiry(Some(Expiry::OnSessionEnd));
                }))
                .layer(layer)
        }
    };
}

app!(
    /// Of tower-sessions 0.15.
    app_0_15,
    tower_sessions
);
app!(
    /// Of tower-sessions 0.14.
    app_0_14,
    axum_login::tower_sessions
);

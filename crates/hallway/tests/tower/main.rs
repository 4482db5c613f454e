//! Applications of tower-sessions and axum-login on our store, on every backend.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod apps;
mod defects;
mod dump;
mod login;
mod outage;
mod routes;
mod stage;
mod visitor;

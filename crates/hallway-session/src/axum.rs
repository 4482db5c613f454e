//! Sessions in axum: a layer, an extractor, and a cookie that keeps to the rules.
//!
//! [`SessionLayer`] goes around the routes, [`Visit`] into the handlers. The session is loaded when a handler asks for it,
//! and not before. When the store does not answer, the visitor counts as logged out for this request: his cookie stays,
//! nothing is written, and no response becomes a 500 for it.
//!
//! ```
//! use axum::{Router, routing::{get, post}};
//! use hallway_session::axum::{CookieOptions, Refusal, SessionLayer, Visit};
//! use hallway_session::{NewSession, Sessions, SessionsExt};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct User { name: String }
//!
//! async fn home(visit: Visit<User>) -> String {
//!     match visit.session() {
//!         Some(session) => format!("Hello, {}", session.data().name),
//!         None if visit.is_unavailable() => "Sessions do not answer; you are not logged out. Try again.".into(),
//!         None => "Please log in".into(),
//!     }
//! }
//!
//! async fn login(mut visit: Visit<User>) -> Result<&'static str, Refusal> {
//!     // ... after the password was checked:
//!     visit.login(NewSession::new(User { name: "Ada".into() }).subject("user 42")).await?;
//!     Ok("welcome")
//! }
//!
//! async fn logout(mut visit: Visit<User>) -> Result<&'static str, Refusal> {
//!     visit.logout().await?;
//!     Ok("bye")
//! }
//!
//! # fn app(store: hallway_testkit::PlainStore) -> hallway_core::Result<Router> {
//! let sessions: Sessions<User> = store.sessions("session").build()?;
//! let app = Router::new()
//!     .route("/", get(home))
//!     .route("/login", post(login))
//!     .route("/logout", post(logout))
//!     .layer(SessionLayer::new(sessions));
//! # Ok(app)
//! # }
//! # app(hallway_testkit::PlainStore::new()).unwrap();
//! ```

mod cookie;
mod layer;
mod refusal;
mod slot;
mod visit;

pub use self::cookie::{CookieOptions, SameSite};
pub use self::layer::{SessionLayer, SessionService};
pub use self::refusal::{MissingLayer, Refusal};
pub use self::visit::Visit;

//! An application of axum-login, made as its documentation shows: only the line that makes the store is ours. Sessions have
//! the defaults of tower-sessions.

use std::collections::HashMap;
use std::convert::Infallible;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_login::tower_sessions::SessionManagerLayer;
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend, UserId, login_required};
use hallway::session::tower::TowerStore;
use tower_sessions::cookie::time::Duration;

use crate::stage::{Backend, Stage};
use crate::visitor::Visitor;

#[derive(Debug, Clone)]
struct User {
    number: u64,
    name: String,
    password: String,
}

impl AuthUser for User {
    type Id = u64;

    fn id(&self) -> u64 {
        self.number
    }

    /// Whoever changes his password is logged out everywhere.
    fn session_auth_hash(&self) -> &[u8] {
        self.password.as_bytes()
    }
}

#[derive(Debug, Clone)]
struct Users(HashMap<u64, User>);

impl Users {
    fn new(password: &str) -> Self {
        let ada = User { number: 42, name: "ada".into(), password: password.into() };
        let bob = User { number: 43, name: "bob".into(), password: "builder".into() };
        Self([ada, bob].map(|user| (user.number, user)).into())
    }
}

#[derive(Clone)]
struct Credentials {
    name: String,
    password: String,
}

impl AuthnBackend for Users {
    type User = User;
    type Credentials = Credentials;
    type Error = Infallible;

    async fn authenticate(&self, given: Credentials) -> Result<Option<User>, Infallible> {
        Ok(self.0.values().find(|user| user.name == given.name && user.password == given.password).cloned())
    }

    async fn get_user(&self, number: &UserId<Self>) -> Result<Option<User>, Infallible> {
        Ok(self.0.get(number).cloned())
    }
}

type AuthSession = axum_login::AuthSession<Users>;

async fn login(mut auth: AuthSession, Form(form): Form<HashMap<String, String>>) -> Response {
    let field = |name| form.get(name).cloned().unwrap_or_default();
    let given = Credentials { name: field("name"), password: field("password") };
    let user = match auth.authenticate(given).await {
        Ok(Some(user)) => user,
        Ok(None) => return StatusCode::UNAUTHORIZED.into_response(),
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    match auth.login(&user).await {
        Ok(()) => Redirect::to("/account").into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn account(auth: AuthSession) -> Response {
    match auth.user {
        Some(user) => format!("This is {}.", user.name).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn logout(mut auth: AuthSession) -> Response {
    match auth.logout().await {
        Ok(_) => Redirect::to("/login").into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The application.
pub(crate) fn application(sessions: TowerStore, password: &str) -> Router {
    let auth = AuthManagerLayerBuilder::new(Users::new(password), SessionManagerLayer::new(sessions)).build();
    Router::new()
        .route("/account", get(account))
        .route("/logout", post(logout))
        .route_layer(login_required!(Users, login_url = "/login"))
        .route("/login", post(login))
        .layer(auth)
}

async fn check(backend: Backend) {
    let stage = Stage::new(backend).await;
    let app = application(stage.sessions(), "lovelace");
    let mut ada = Visitor::default();
    let refused = ada.get(&app, "/account").await;
    assert_eq!(refused.location.as_deref(), Some("/login?next=%2Faccount"));

    let wrong = ada.post(&app, "/login", "name=ada&password=byron").await;
    assert_eq!((wrong.status, wrong.cookie), (StatusCode::UNAUTHORIZED, None));
    assert!(stage.entries().await.is_empty());

    let welcome = ada.post(&app, "/login", "name=ada&password=lovelace").await;
    assert_eq!(welcome.location.as_deref(), Some("/account"), "{welcome:?}");
    assert_eq!(welcome.set().max_age(), None);
    // On another instance, and nobody else.
    let other = application(stage.sessions(), "lovelace");
    assert_eq!(ada.get(&other, "/account").await.body, "This is ada.");
    let mut bob = Visitor::default();
    bob.post(&other, "/login", "name=bob&password=builder").await;
    assert_eq!(bob.get(&app, "/account").await.body, "This is bob.");
    assert_eq!(ada.get(&app, "/account").await.body, "This is ada.");

    let mut stolen = ada.clone();
    let bye = ada.post(&other, "/logout", "").await;
    assert_eq!((bye.set().value(), bye.set().max_age()), ("", Some(Duration::ZERO)));
    for app in [&app, &other] {
        assert!(stolen.clone().get(app, "/account").await.status.is_redirection());
    }
    assert!(stolen.get(&app, "/account").await.location.is_some_and(|to| to.starts_with("/login")));
    assert_eq!(bob.get(&app, "/account").await.body, "This is bob.");
    assert_eq!(stage.entries().await.len(), 1);
}

#[tokio::test]
async fn on_moka() {
    check(Backend::Moka).await;
}

#[tokio::test]
async fn on_redis() {
    check(Backend::Redis).await;
}

#[tokio::test]
async fn on_sqlite() {
    check(Backend::Sqlite).await;
}

#[tokio::test]
async fn on_postgres() {
    check(Backend::Postgres).await;
}

/// Login changes the id of a session that was there before, and the old one is dead.
#[tokio::test]
async fn nobody_is_logged_in_by_an_id_that_he_was_given() {
    let stage = Stage::new(Backend::Moka).await;
    let shop = crate::apps::app_0_14(stage.sessions(), crate::apps::Setup::default());
    let app = application(stage.sessions(), "lovelace");
    let mut mallory = Visitor::default();
    mallory.get(&shop, "/put").await;
    let mut ada = mallory.clone();
    ada.post(&app, "/login", "name=ada&password=lovelace").await;
    assert_eq!(ada.get(&app, "/account").await.body, "This is ada.");
    // What she had in her cart stays hers.
    assert_eq!(ada.get(&shop, "/look").await.body, "Some(3)");
    assert!(mallory.clone().get(&app, "/account").await.status.is_redirection());
    assert_eq!(mallory.get(&shop, "/look").await.body, "None");
}

/// axum-login compares what the password was; it ends the session itself.
#[tokio::test]
async fn a_changed_password_ends_the_session() {
    let stage = Stage::new(Backend::Moka).await;
    let mut ada = Visitor::default();
    ada.post(&application(stage.sessions(), "lovelace"), "/login", "name=ada&password=lovelace").await;
    assert_eq!(stage.entries().await.len(), 1);
    let changed = application(stage.sessions(), "countess");
    assert!(ada.get(&changed, "/account").await.status.is_redirection());
    assert_eq!(stage.entries().await.len(), 0);
}

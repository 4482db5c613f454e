//! What tower-sessions expects of a store, seen through the middleware: its own route tests, in our words and on four
//! backends. They also look at what is left in the store, and at what an old cookie still opens.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use tower_sessions::cookie::{Cookie, SameSite, time};

use crate::apps::{Make, Setup, app_0_14, app_0_15};
use crate::stage::{Backend, Stage};
use crate::visitor::Visitor;

const HOUR: Duration = Duration::from_secs(3600);

struct Scene {
    stage: Stage,
    make: Make,
}

impl Scene {
    /// An application whose sessions last an hour.
    fn app(&self) -> Router {
        self.with(Some(HOUR), None)
    }

    fn with(&self, idle: Option<Duration>, domain: Option<&'static str>) -> Router {
        (self.make)(self.stage.sessions(), Setup { idle, domain })
    }

    async fn records(&self) -> usize {
        self.stage.entries().await.len()
    }
}

/// The defaults of tower-sessions.
fn check_defaults(cookie: &Cookie<'_>) {
    assert_eq!(cookie.name(), "id");
    assert_eq!((cookie.http_only(), cookie.secure(), cookie.path()), (Some(true), Some(true), Some("/")));
    assert_eq!(cookie.same_site(), Some(SameSite::Strict));
}

/// A browser is told to drop the cookie.
fn check_removed(cookie: &Cookie<'_>) {
    assert_eq!((cookie.value(), cookie.max_age()), ("", Some(time::Duration::ZERO)));
    assert_eq!(cookie.path(), Some("/"));
}

#[track_caller]
fn check_age(cookie: &Cookie<'_>, expected: Duration) {
    let age = Duration::try_from(cookie.max_age().unwrap()).unwrap();
    assert!(age <= expected && age + Duration::from_secs(30) >= expected, "{age:?} is not {expected:?}");
}

async fn no_session_set(scene: Scene) {
    let reply = Visitor::default().get(&scene.app(), "/untouched").await;
    assert!(reply.status.is_success() && reply.cookie.is_none());
    assert_eq!(scene.records().await, 0);
}

async fn bogus_cookie(scene: Scene) {
    let bogus = "AAAAAAAAAAAAAAAAAAAAAA";
    let mut visitor = Visitor::with(bogus);
    let reply = visitor.get(&scene.app(), "/put").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_ne!(reply.set().value(), bogus);
    assert_eq!(scene.records().await, 1);
    assert_eq!(Visitor::with(bogus).get(&scene.app(), "/look").await.body, "None");
    assert_eq!(visitor.get(&scene.app(), "/look").await.body, "Some(3)");
}

async fn malformed_cookie(scene: Scene) {
    for malformed in ["malformed", "../../etc/passwd", "AAAAAAAAAAAAAAAAAAAAAAA", "%00", "*"] {
        let reply = Visitor::with(malformed).get(&scene.app(), "/untouched").await;
        assert_eq!(reply.status, StatusCode::OK);
        check_removed(reply.set());
    }
    assert_eq!(scene.records().await, 0);
}

async fn insert(scene: Scene) {
    let reply = Visitor::default().get(&scene.app(), "/put").await;
    check_defaults(reply.set());
    check_age(reply.set(), HOUR);
    assert_eq!(scene.records().await, 1);
}

async fn max_age_on_expiry(scene: Scene) {
    let reply = Visitor::default().get(&scene.with(None, None), "/put").await;
    check_defaults(reply.set());
    assert_eq!(reply.set().max_age(), None);
}

async fn get(scene: Scene) {
    let mut visitor = Visitor::default();
    visitor.get(&scene.app(), "/put").await;
    // As another instance does.
    let reply = visitor.get(&scene.app(), "/look").await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "Some(3)"));
    assert!(reply.cookie.is_none());
}

async fn no_value(scene: Scene) {
    let reply = Visitor::default().get(&scene.app(), "/look").await;
    assert_eq!((reply.body.as_str(), reply.cookie), ("None", None));
}

async fn remove_last_value(scene: Scene) {
    let app = scene.app();
    let mut visitor = Visitor::default();
    visitor.get(&app, "/put").await;
    let id = visitor.id.clone();
    visitor.get(&app, "/take").await;
    assert_eq!(visitor.get(&app, "/look").await.body, "None");
    // Empty, but the same session.
    assert_eq!((visitor.id, scene.records().await), (id, 1));
}

async fn cycle_id(scene: Scene) {
    let app = scene.app();
    let mut visitor = Visitor::default();
    visitor.get(&app, "/put").await;
    let mut thief = visitor.clone();
    let reply = visitor.get(&app, "/cycle").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_ne!(visitor.id, thief.id);
    assert_eq!(visitor.get(&app, "/look").await.body, "Some(3)");
    assert_eq!(thief.get(&app, "/look").await.body, "None");
    assert_eq!(scene.records().await, 1);
}

async fn flush(scene: Scene) {
    let app = scene.app();
    let mut visitor = Visitor::default();
    visitor.get(&app, "/put").await;
    let mut thief = visitor.clone();
    check_removed(visitor.get(&app, "/flush").await.set());
    assert_eq!(thief.get(&app, "/look").await.body, "None");
    assert_eq!(scene.records().await, 0);
}

async fn flush_with_domain(scene: Scene) {
    let app = scene.with(Some(HOUR), Some("localhost"));
    let mut visitor = Visitor::default();
    visitor.get(&app, "/put").await;
    let reply = visitor.get(&app, "/flush").await;
    check_removed(reply.set());
    assert_eq!(reply.set().domain(), Some("localhost"));
    assert_eq!(scene.records().await, 0);
}

async fn set_expiry(scene: Scene) {
    let app = scene.app();
    let mut visitor = Visitor::default();
    check_age(visitor.get(&app, "/put").await.set(), HOUR);
    check_age(visitor.get(&app, "/tomorrow").await.set(), HOUR * 24);
    check_life(&scene, HOUR * 24).await;
}

async fn change_expiry(scene: Scene) {
    let app = scene.with(None, None);
    let mut visitor = Visitor::default();
    assert_eq!(visitor.get(&app, "/put").await.set().max_age(), None);
    check_life(&scene, HOUR * 24 * 14).await;
    check_age(visitor.get(&app, "/tomorrow").await.set(), HOUR * 24);
    check_life(&scene, HOUR * 24).await;
    assert_eq!(visitor.get(&app, "/while-open").await.set().max_age(), None);
    check_life(&scene, HOUR * 24 * 14).await;
    assert_eq!(visitor.get(&app, "/look").await.body, "Some(3)");
}

/// The only record lives that long.
async fn check_life(scene: &Scene, expected: Duration) {
    let key = hallway::Key::from_physical(&scene.stage.entries().await[0].0).unwrap();
    let left = scene.stage.store.get_entry(&key).await.unwrap().unwrap().remaining.duration().unwrap();
    assert!(left <= expected && left + Duration::from_secs(30) >= expected, "{left:?} is not {expected:?}");
}

macro_rules! on {
    ($name:ident, $backend:ident, $make:ident) => {
        mod $name {
            on!(cases $backend, $make: no_session_set, bogus_cookie, malformed_cookie, insert, max_age_on_expiry, get);
            on!(cases $backend, $make: no_value, remove_last_value, cycle_id, flush, flush_with_domain, set_expiry);
            on!(cases $backend, $make: change_expiry);
        }
    };
    (cases $backend:ident, $make:ident: $($case:ident),+) => {
        $(#[tokio::test]
        async fn $case() {
            let stage = super::Stage::new(super::Backend::$backend).await;
            super::$case(super::Scene { stage, make: super::$make }).await;
        })+
    };
}

on!(moka_0_15, Moka, app_0_15);
on!(redis_0_15, Redis, app_0_15);
on!(sqlite_0_15, Sqlite, app_0_15);
on!(postgres_0_15, Postgres, app_0_15);
on!(moka_0_14, Moka, app_0_14);
on!(redis_0_14, Redis, app_0_14);
on!(sqlite_0_14, Sqlite, app_0_14);
on!(postgres_0_14, Postgres, app_0_14);

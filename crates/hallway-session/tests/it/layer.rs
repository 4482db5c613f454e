//! The layer and the extractor, through a router.

use axum::Router;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, COOKIE, RETRY_AFTER, SET_COOKIE};
use axum::http::{Method, Request, Response, StatusCode};
use axum::routing::{get, post};
use hallway_core::ErrorKind;
use hallway_session::axum::{CookieOptions, Refusal, SessionLayer, Visit};
use hallway_session::{Handle, NewSession, SessionId, Sessions};
use hallway_testkit::Fault;
use tower::ServiceExt;

use crate::support::{MINUTE, Stage, User, ada, is_alive};

async fn home(visit: Visit<User>) -> String {
    match visit.data() {
        Some(user) => format!("{} {}", user.name, user.visits),
        None if visit.is_unavailable() => "unavailable".into(),
        None if visit.is_incompatible() => "incompatible".into(),
        None => "nobody".into(),
    }
}

async fn login(mut visit: Visit<User>) -> Result<String, Refusal> {
    visit.login(NewSession::new(ada()).subject("42").label("test")).await?;
    Ok(home(visit).await)
}

async fn count(mut visit: Visit<User>) -> Result<String, Refusal> {
    let done = visit.update(|user| user.visits += 1).await?;
    Ok(format!("{done} {}", home(visit).await))
}

async fn rotate(mut visit: Visit<User>) -> Result<String, Refusal> {
    let done = visit.rotate().await?;
    Ok(format!("{done} {}", home(visit).await))
}

async fn logout(mut visit: Visit<User>) -> Result<String, Refusal> {
    Ok(format!("{} {}", visit.logout().await?, home(visit).await))
}

async fn logout_everywhere(mut visit: Visit<User>) -> Result<String, Refusal> {
    Ok(visit.logout_everywhere().await?.to_string())
}

async fn devices(visit: Visit<User>) -> Result<String, Refusal> {
    Ok(visit.devices().await?.iter().map(|listed| listed.handle.text()).collect::<Vec<_>>().join(" "))
}

async fn end_device(mut visit: Visit<User>, handle: String) -> Result<String, Refusal> {
    Ok(visit.logout_device(&Handle::parse(&handle)?).await?.to_string())
}

/// Two extractors in one request.
async fn twice(one: Visit<User>, two: Visit<User>) -> String {
    format!("{} {}", home(one).await, home(two).await)
}

async fn too_large(mut visit: Visit<User>) -> Result<String, Refusal> {
    visit.update(|user| user.name = "x".repeat(2 << 20)).await?;
    Ok("kept".into())
}

struct App {
    stage: Stage,
    sessions: Sessions<User>,
    router: Router,
}

impl App {
    fn new() -> Self {
        let stage = Stage::new();
        let sessions = stage.sessions();
        let router = Router::new()
            .route("/", get(home))
            .route("/static", get(|| async { "no session needed" }))
            .route("/login", post(login))
            .route("/count", post(count))
            .route("/rotate", post(rotate))
            .route("/logout", post(logout))
            .route("/logout-everywhere", post(logout_everywhere))
            .route("/devices", get(devices).post(end_device))
            .route("/twice", get(twice))
            .route("/cached", get(|_: Visit<User>| async { ([(CACHE_CONTROL, "private")], "mine") }))
            .route("/too-large", post(too_large))
            .layer(SessionLayer::new(sessions.clone()));
        Self { stage, sessions, router }
    }

    async fn call(&self, method: Method, path: &str, cookie: Option<&str>, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, format!("theme=dark; __Host-session={cookie}"));
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.call(Method::GET, path, Some(cookie), "").await
    }

    async fn post(&self, path: &str, cookie: &str) -> Answer {
        self.call(Method::POST, path, Some(cookie), "").await
    }

    async fn login(&self) -> String {
        self.call(Method::POST, "/login", None, "").await.cookie.expect("a login sets the cookie")
    }
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    /// The value that was set; empty if the cookie was removed.
    cookie: Option<String>,
    cache: Option<String>,
    retry: Option<String>,
    text: String,
}

impl Answer {
    async fn of(response: Response<Body>) -> Self {
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert!(cookies.len() <= 1);
        let cookie = header(SET_COOKIE).map(|set| {
            let (pair, rest) = set.split_once("; ").unwrap();
            assert!(rest.starts_with("HttpOnly; SameSite=Lax; Secure; Path=/"));
            let value = pair.strip_prefix("__Host-session=").unwrap().to_owned();
            assert_eq!(value.is_empty(), rest.ends_with("Max-Age=0"));
            value
        });
        let (status, cache, retry) = (response.status(), header(CACHE_CONTROL), header(RETRY_AFTER));
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Self { status, cookie, cache, retry, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn is(&self, text: &str) -> bool {
        self.status == StatusCode::OK && self.text == text
    }
}

#[tokio::test]
async fn a_visitor_logs_in_is_known_changes_something_and_logs_out() {
    let app = App::new();
    let first = app.call(Method::GET, "/", None, "").await;
    assert!(first.is("nobody") && first.cookie.is_none());
    // It is not for the next visitor, who may be somebody.
    assert_eq!(first.cache.as_deref(), Some("no-store"));
    let cookie = app.login().await;
    assert_eq!(cookie.len(), 43);
    let home = app.get("/", &cookie).await;
    assert!(home.is("Ada 0") && home.cookie.is_none());
    assert_eq!(home.cache.as_deref(), Some("no-store"));
    assert!(app.post("/count", &cookie).await.is("true Ada 1"));
    assert!(app.get("/twice", &cookie).await.is("Ada 1 Ada 1"));
    let bye = app.post("/logout", &cookie).await;
    assert!(bye.is("true nobody"));
    assert_eq!(bye.cookie.as_deref(), Some(""));
    let after = app.get("/", &cookie).await;
    assert!(after.is("nobody") && after.cookie.is_none());
    assert!(app.post("/count", &cookie).await.is("false nobody"));
}

#[tokio::test]
async fn two_extractors_load_once_and_a_page_without_one_never() {
    let app = App::new();
    let cookie = app.login().await;
    let before = app.stage.faults.calls().reads;
    assert!(app.get("/twice", &cookie).await.is("Ada 0 Ada 0"));
    assert_eq!(app.stage.faults.calls().reads - before, 1);
    let page = app.get("/static", &cookie).await;
    assert!(page.is("no session needed") && page.cache.is_none());
    assert_eq!(app.stage.faults.calls().reads - before, 1);
    assert_eq!(app.get("/cached", &cookie).await.cache.as_deref(), Some("private"));
}

#[tokio::test]
async fn an_id_from_before_the_login_is_worth_nothing_after() {
    let app = App::new();
    let planted = app.sessions.create(User { name: "Eve".into(), visits: 0 }).await.unwrap();
    let login = app.post("/login", &planted.reveal()).await;
    let cookie = login.cookie.unwrap();
    assert_ne!(cookie, planted.reveal());
    assert!(!is_alive(&app.sessions, &planted).await);
    assert!(app.get("/", &cookie).await.is("Ada 0"));
    // Neither is one that no session ever had.
    let made_up = SessionId::generate().unwrap().reveal();
    assert_ne!(app.post("/login", &made_up).await.cookie.unwrap(), made_up);
    assert!(app.get("/", &made_up).await.is("nobody"));
}

#[tokio::test]
async fn what_is_no_id_is_nobody_and_costs_the_store_nothing() {
    let app = App::new();
    let before = app.stage.faults.calls();
    for bogus in ["admin", "' OR 1=1 --", "AAAA", "../../etc/passwd"] {
        let answer = app.get("/", bogus).await;
        assert!(answer.is("nobody") && answer.cookie.is_none());
    }
    assert_eq!(app.stage.faults.calls(), before);
}

#[tokio::test]
async fn a_rotation_moves_the_visitor_to_a_new_id() {
    let app = App::new();
    let old = app.login().await;
    let rotated = app.post("/rotate", &old).await;
    assert!(rotated.is("true Ada 0"));
    let new = rotated.cookie.unwrap();
    assert!(app.get("/", &new).await.is("Ada 0"));
    assert!(app.get("/", &old).await.is("nobody"));
    assert!(app.post("/rotate", &old).await.is("false nobody"));
}

#[tokio::test]
async fn devices_are_listed_and_ended_by_their_owner() {
    let app = App::new();
    let (phone, laptop) = (app.login().await, app.login().await);
    let eve = app.sessions.create(NewSession::new(ada()).subject("43")).await.unwrap();
    let handles = app.get("/devices", &laptop).await.text;
    let handles: Vec<&str> = handles.split(' ').collect();
    assert_eq!(handles.len(), 2);
    let theirs = app.sessions.handle(&eve).text();
    assert!(app.call(Method::POST, "/devices", Some(&laptop), &theirs).await.is("false"));
    assert!(is_alive(&app.sessions, &eve).await);
    assert!(app.call(Method::POST, "/devices", Some(&laptop), handles[0]).await.is("true"));
    assert!(app.get("/", &phone).await.is("nobody"));
    let own = app.call(Method::POST, "/devices", Some(&laptop), handles[1]).await;
    assert!(own.is("true") && own.cookie.as_deref() == Some(""));

    let (one, two) = (app.login().await, app.login().await);
    assert!(app.post("/logout-everywhere", &one).await.is("2"));
    assert!(app.get("/", &two).await.is("nobody"));
    assert!(is_alive(&app.sessions, &eve).await);
}

#[tokio::test]
async fn an_outage_is_no_500_and_changes_nothing() {
    let app = App::new();
    let cookie = app.login().await;
    for kind in [ErrorKind::Unavailable, ErrorKind::Unauthorized, ErrorKind::Overloaded] {
        app.stage.faults.inject(Fault::error(kind));
        let writes = app.stage.faults.calls().writes;
        let page = app.get("/", &cookie).await;
        assert!(page.is("unavailable") && page.cookie.is_none(), "{page:?}");
        for path in ["/login", "/count", "/rotate", "/logout", "/logout-everywhere"] {
            let answer = app.post(path, &cookie).await;
            assert_eq!((answer.status, answer.cookie), (StatusCode::SERVICE_UNAVAILABLE, None), "{path}");
            assert_eq!(answer.retry.as_deref(), Some("1"));
        }
        assert_eq!(app.stage.faults.calls().writes, writes, "a failed load is followed by no write");
        app.stage.faults.heal();
        assert!(app.get("/", &cookie).await.is("Ada 0"));
    }
}

#[tokio::test]
async fn a_logout_that_failed_says_so_and_keeps_the_cookie() {
    let app = App::new();
    let cookie = app.login().await;
    app.stage.faults.inject(Fault::error(ErrorKind::Unavailable).on_writes());
    let answer = app.post("/logout", &cookie).await;
    assert_eq!((answer.status, answer.cookie), (StatusCode::SERVICE_UNAVAILABLE, None));
    app.stage.faults.heal();
    assert!(app.post("/logout", &cookie).await.is("true nobody"));
}

#[tokio::test]
async fn a_login_that_failed_keeps_the_cookie() {
    let app = App::new();
    app.stage.faults.inject(Fault::error(ErrorKind::Unavailable).on_writes());
    let answer = app.call(Method::POST, "/login", None, "").await;
    assert_eq!((answer.status, answer.cookie), (StatusCode::SERVICE_UNAVAILABLE, None));
}

#[tokio::test]
async fn a_session_of_another_shape_is_nobody_and_a_login_replaces_it() {
    let app = App::new();
    let other: Sessions<Vec<u8>> = app.stage.builder().build().unwrap();
    let id = other.create(NewSession::new(vec![1]).subject("42")).await.unwrap();
    let page = app.get("/", &id.reveal()).await;
    assert!(page.is("incompatible") && page.cookie.is_none());
    let cookie = app.post("/login", &id.reveal()).await.cookie.unwrap();
    assert!(app.get("/", &cookie).await.is("Ada 0"));
    assert!(other.peek(&id).await.unwrap().live().is_none());
    assert_eq!(app.sessions.list("42").await.unwrap().len(), 1);
}

#[tokio::test]
async fn looking_at_pages_keeps_a_visitor_logged_in() {
    let app = App::new();
    let cookie = app.login().await;
    for _ in 0..5 {
        app.stage.clock.advance(25 * MINUTE);
        assert!(app.get("/", &cookie).await.is("Ada 0"));
    }
    app.stage.clock.advance(31 * MINUTE);
    let late = app.get("/", &cookie).await;
    assert!(late.is("nobody") && late.cookie.is_none());
}

#[tokio::test]
async fn a_mistake_of_the_application_is_a_500() {
    let app = App::new();
    let cookie = app.login().await;
    let answer = app.post("/too-large", &cookie).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(app.get("/", &cookie).await.is("Ada 0"));
    let bare = Router::new().route("/", get(home));
    let request = Request::builder().uri("/").body(Body::empty()).unwrap();
    assert_eq!(bare.oneshot(request).await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
}

/// A page sends two requests with the old cookie; the one that finds it dead is answered last.
#[tokio::test]
async fn a_request_that_a_login_overtook_takes_no_cookie_away() {
    let app = App::new();
    let old = app.login().await;
    let new = app.post("/login", &old).await.cookie.unwrap();
    for (path, said) in [("/count", "false nobody"), ("/rotate", "false nobody"), ("/logout-everywhere", "0")] {
        let late = app.post(path, &old).await;
        assert!(late.is(said) && late.cookie.is_none(), "{path}: {late:?}");
    }
    assert!(app.get("/", &new).await.is("Ada 0"));
}

#[tokio::test]
async fn two_kinds_of_sessions_live_beside_each_other() {
    #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
    struct Admin(String);

    async fn both(user: Visit<User>, admin: Visit<Admin>) -> String {
        format!("{:?} {:?}", user.data().map(|user| &user.name), admin.data().map(|admin| &admin.0))
    }
    async fn enter(
        mut admin: Visit<Admin>,
    ) -> Result<([(axum::http::HeaderName, &'static str); 1], &'static str), Refusal> {
        admin.login(Admin("root".into())).await?;
        Ok(([(SET_COOKIE, "theme=dark")], "hello"))
    }
    let stage = Stage::new();
    let users = stage.sessions();
    let admins: Sessions<Admin> = stage.builder().build().unwrap();
    let router = Router::new()
        .route("/", get(both))
        .route("/enter", post(enter))
        .layer(SessionLayer::new(users.clone()))
        .layer(SessionLayer::new(admins).cookie(CookieOptions::default().named("__Host-admin").unwrap()));
    let request = Request::builder().method(Method::POST).uri("/enter").body(Body::empty()).unwrap();
    let entered = router.clone().oneshot(request).await.unwrap();
    let set: Vec<_> = entered.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
    // Also the handler's own.
    assert!(set.len() == 2 && set[0] == "theme=dark" && set[1].starts_with("__Host-admin="), "{set:?}");
    let admin = set[1].split(';').next().unwrap();
    let user = users.create(ada()).await.unwrap().reveal();
    let request = Request::builder().uri("/").header(COOKIE, format!("{admin}; __Host-session={user}"));
    let page = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let page = axum::body::to_bytes(page.into_body(), 1 << 10).await.unwrap();
    assert_eq!(page, r#"Some("Ada") Some("root")"#);
}

#[tokio::test]
async fn a_refusal_says_what_is_known() {
    let app = App::new();
    let cookie = app.login().await;
    app.stage.faults.inject(Fault::error(ErrorKind::Unavailable).on_writes());
    assert!(app.post("/count", &cookie).await.text.contains("Nothing was done"));
    app.stage.faults.heal();
    app.stage.faults.inject(Fault::lost_reply().on_writes());
    let unknown = app.post("/count", &cookie).await;
    assert!(unknown.status == StatusCode::SERVICE_UNAVAILABLE && unknown.text.contains("not known"), "{unknown:?}");
    app.stage.faults.heal();
    // The session at hand is over, the others may not be.
    app.stage.faults.inject(Fault::error(ErrorKind::Unavailable).after(2));
    let half = app.post("/logout-everywhere", &cookie).await;
    assert!(half.text.contains("not known") && half.cookie.as_deref() == Some(""), "{half:?}");
    app.stage.faults.heal();
    assert!(app.get("/", &cookie).await.is("nobody"));
}

#[tokio::test]
async fn two_cookies_of_the_name_are_none() {
    let app = App::new();
    let cookie = app.login().await;
    let request = Request::builder()
        .uri("/")
        .header(COOKIE, format!("__Host-session={cookie}; __Host-session={}", SessionId::generate().unwrap().reveal()))
        .body(Body::empty())
        .unwrap();
    let answer = Answer::of(app.router.clone().oneshot(request).await.unwrap()).await;
    assert!(answer.is("nobody"));
}

#[tokio::test]
async fn without_tls_the_cookie_has_another_name() {
    let stage = Stage::new();
    let layer = SessionLayer::new(stage.sessions()).cookie(CookieOptions::without_tls("session").unwrap());
    let router = Router::new().route("/login", post(login)).layer(layer);
    let request = Request::builder().method(Method::POST).uri("/login").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let set = response.headers()[SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("session=") && set.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{set}");
    assert!(response.headers()[SET_COOKIE].is_sensitive());
}

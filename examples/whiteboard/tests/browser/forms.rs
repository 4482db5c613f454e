//! What no browser sends, and what every answer says: asked of one instance on its defaults.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hallway_testkit::browser::Message;

use crate::http::{get, is_logged_in, login, post};
use crate::instance::Instance;

fn origin(addr: SocketAddr) -> String {
    format!("http://{addr}")
}

#[tokio::test]
async fn forms_from_elsewhere_do_nothing() {
    let instance = Instance::start("alone", None, None);
    let at = instance.addr;
    let cookie = login(at, "ada").await;
    for from in [None, Some("null"), Some("http://evil.example"), Some("http://127.0.0.1:1")] {
        let answer = post(at, "/logout", from, Some(&cookie), "").await;
        assert_eq!(answer.status(), 403, "{from:?}");
    }
    assert!(is_logged_in(at, &cookie).await, "nobody was logged out");
    assert_eq!(post(at, "/logout", Some(&origin(at)), Some(&cookie), "").await.status(), 303);
    assert!(!is_logged_in(at, &cookie).await);
}

#[tokio::test]
async fn pages_allow_nothing_but_our_own_files() {
    let instance = Instance::start("alone", None, None);
    for path in ["/login", "/people/ada", "/people/nobody", "/nowhere", "/app.css", "/metrics"] {
        let answer = get(instance.addr, path, None).await;
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{path} has no policy"));
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let text = answer.text();
        for inline in [" style=", "<style", " onclick=", "javascript:", "<script>", "https://"] {
            assert!(!text.contains(inline), "{path} has `{inline}`");
        }
    }
    assert_eq!(get(instance.addr, "/people/nobody", None).await.status(), 404);
    assert_eq!(get(instance.addr, "/login", None).await.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn only_the_word_opens_and_the_cookie_is_a_careful_one() {
    let instance = Instance::start("alone", None, None);
    let at = instance.addr;
    for form in ["user=ada&password=guess", "user=eve&password=marker", "user=ada", ""] {
        let answer = post(at, "/login", Some(&origin(at)), None, form).await;
        assert_eq!((answer.status(), answer.header("set-cookie")), (422, None), "{form}");
    }
    // Whatever id a visitor brings is not adopted.
    let brought = format!("session={}", "A".repeat(43));
    let answer = post(at, "/login", Some(&origin(at)), Some(&brought), "user=ada&password=marker").await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains(&brought), "{cookie}");
    assert!(!is_logged_in(at, &brought).await);
}

#[tokio::test]
async fn what_somebody_writes_is_shown_as_text_or_not_taken() {
    let instance = Instance::start("alone", None, None);
    let at = instance.addr;
    let cookie = login(at, "grace").await;
    let save = async |form: &str| post(at, "/profile", Some(&origin(at)), Some(&cookie), form).await.status();
    let note = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    assert_eq!(save(&format!("name=Grace&role=&pen=rose&note={note}&revision=1")).await, 303);
    let page = get(at, "/people/grace", None).await.text();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script>alert"), "{page}");
    // The revision that was seen is over; a name is wanted; a form is a form.
    assert_eq!(save("name=Late&role=&pen=blue&note=&revision=1").await, 409);
    assert_eq!(save("name=&role=&pen=blue&note=&revision=2").await, 422);
    assert_eq!(save("%%%").await, 422);
    assert!(get(at, "/people/grace", None).await.text().contains("<h1 id=\"name\">Grace</h1>"));
    // Without a login there is nothing to change.
    let answer = post(at, "/profile", Some(&origin(at)), None, "name=Eve&pen=blue&revision=2").await;
    assert_eq!((answer.status(), answer.header("location")), (303, Some("/login")));
}

#[tokio::test]
async fn machines_are_answered_too_and_the_end_is_in_good_order() {
    let instance = Instance::start("alone", None, None);
    let at = instance.addr;
    assert_eq!(get(at, "/healthz", None).await.text(), "ok\n");
    let ready = get(at, "/readyz", None).await;
    assert_eq!(ready.status(), 200);
    assert!(ready.text().contains("shared Absent"), "{}", ready.text());
    for _ in 0..3 {
        get(at, "/people/katherine", None).await;
    }
    let cookie = login(at, "katherine").await;
    let metrics = get(at, "/metrics", None).await.text();
    let value = |name: &str, label: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name) && line.contains(label));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .unwrap_or_else(|| panic!("{name}: {metrics}"))
    };
    assert_eq!(value("hallway_cache_loads_total", "user:profile"), 1.0);
    assert_eq!(value("hallway_cache_reads_total", "outcome=\"local\""), 2.0);
    assert_eq!(value("hallway_tier_ready", "local"), 1.0);
    assert_eq!(value("hallway_load_duration_seconds_count", "user:profile"), 1.0);
    assert_eq!(value("hallway_session_created_total", "session"), 1.0);
    for secret in ["katherine", cookie.split('=').nth(1).unwrap()] {
        assert!(!metrics.contains(secret), "no key and no id: {metrics}");
    }
    instance.terminate();
}

#[tokio::test]
async fn behind_a_proxy_that_rewrites_the_host_forms_come_from_the_origin_that_is_set() {
    let instance = Instance::start_with("alone", |command| {
        command.args(["--https", "--origin", "https://Board.example/"]);
    });
    let enter = async |from: &str| {
        let answer = post(instance.addr, "/login", Some(from), None, "user=ada&password=marker").await;
        (answer.status(), answer.header("set-cookie").is_some_and(|cookie| cookie.starts_with("__Host-")))
    };
    assert_eq!(enter("https://board.example").await, (303, true));
    for from in ["http://board.example", "https://board.example:8443", &origin(instance.addr), "null"] {
        assert_eq!(enter(from).await, (403, false), "{from}");
    }
}

#[tokio::test]
async fn a_request_that_hangs_keeps_nobody_from_ending() {
    let instance = Instance::start_with("alone", |command| {
        command.env("WHITEBOARD_DELAY", "10m");
    });
    let at = instance.addr;
    let hung =
        tokio::spawn(async move { Message::request("GET", "/people/ada", &[("Host", "a")], "").exchange(at).await });
    // It has arrived when the query has begun.
    let until = Instant::now() + Duration::from_secs(20);
    while !get(at, "/metrics", None).await.text().contains("hallway_cache_loads_total{namespace=\"user:profile\"} 1") {
        assert!(Instant::now() < until, "the query has not begun");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let began = Instant::now();
    tokio::task::spawn_blocking(move || instance.terminate()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(4), "it was given time: {:?}", began.elapsed());
    assert!(hung.await.unwrap().is_err(), "and then no answer");
}

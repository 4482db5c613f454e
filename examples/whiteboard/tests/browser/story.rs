//! The story: log in, read, edit on one instance and see it on the other, lose Redis and get it back, log out for good.

use std::path::Path;
use std::time::{Duration, Instant};

use hallway_testkit::browser::{Browser, CONTRAST, Form, Shots};
use hallway_testkit::servers::{RedisOptions, RedisServer};
use serde_json::json;

use crate::checks::LOOK;
use crate::http::{get, is_logged_in, login};
use crate::instance::Instance;
use crate::proxy::Proxy;

/// How long it may take until something is so that has no event of its own.
const PATIENCE: Duration = Duration::from_secs(20);

/// What readers are promised: H of the default configuration.
const BOUND: Duration = Duration::from_secs(1);

struct Stage {
    redis: RedisServer,
    instances: [Instance; 2],
    proxy: Proxy,
    browser: Browser,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        // What Redis has acknowledged is on disk, so that sessions outlive it.
        let options = RedisOptions::default().with_config("appendonly", "yes").with_config("appendfsync", "always");
        let redis = RedisServer::start(options).unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("whiteboard.db");
        let instances = ["one", "two"].map(|name| Instance::start(name, Some(&redis.url()), Some(&database)));
        let proxy = Proxy::start(instances.iter().map(|instance| instance.addr).collect()).await;
        Self { redis, instances, proxy, browser: Browser::start().await, _folder: folder }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.proxy.addr)
    }

    async fn goto(&self, path: &str) {
        self.browser.goto(&self.url(path)).await;
    }

    /// Reads a page until it comes from this instance, and until what it shows is as wanted.
    async fn read(&self, path: &str, instance: usize, wanted: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            self.goto(path).await;
            let is_from = self.proxy.last("GET", path).instance == instance;
            if is_from && self.browser.value(&format!("Boolean({wanted})")).await == json!(true) {
                return;
            }
            assert!(Instant::now() < until, "{path} of instance {instance} is not so within {PATIENCE:?}: {wanted}");
        }
    }

    /// Whether each instance, asked itself, knows who has this cookie.
    async fn logged_in(&self, cookie: &str) -> [bool; 2] {
        [is_logged_in(self.instances[0].addr, cookie).await, is_logged_in(self.instances[1].addr, cookie).await]
    }

    /// The cookie of the browser, as it sends it.
    async fn cookie(&self) -> Option<String> {
        let cookies = self.browser.cookies().await;
        let cookie = cookies.iter().find(|cookie| cookie["name"] == "session")?;
        assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Lax")), "{cookie}");
        Some(format!("session={}", cookie["value"].as_str()?))
    }

    async fn log_in(&self) {
        self.goto("/login").await;
        self.browser.fill("#password", "marker").await;
        self.browser.click("#enter").await;
        self.browser.wait("location.pathname === '/profile' && document.querySelector('#verdict')").await;
    }

    /// Gives the card another name, through the form; says which instance wrote it.
    async fn rename(&self, name: &str) -> usize {
        self.goto("/profile/edit").await;
        self.browser.fill("#name", name).await;
        self.browser.click("#save").await;
        self.browser.wait(&format!("location.search === '?saved=1' && {}", is_named(name))).await;
        let written = self.proxy.last("POST", "/profile");
        assert_eq!(written.status, 303);
        written.instance
    }
}

fn is_named(name: &str) -> String {
    format!("document.querySelector('#name')?.textContent === {}", json!(name))
}

fn answered(tier: &str) -> String {
    format!("document.querySelector('#verdict')?.dataset.tier === {}", json!(tier))
}

const IS_AWAY: &str = "document.querySelector('h1')?.textContent === 'You are not logged out'";

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_before_two_instances_and_a_redis_that_dies() {
    let stage = Stage::set().await;
    let browser = &stage.browser;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("whiteboard-screenshots");
    let mut shots = Shots::begin(folder, &Form::desk_and_phone(375), &[LOOK, CONTRAST]);

    // Nobody is logged in.
    stage.goto("/").await;
    browser.wait("location.pathname === '/login'").await;
    assert!(browser.text("#hint").await.unwrap().contains("demonstration"));
    shots.take(browser, "login").await;

    // The first read is the slow query, on whichever instance; the other finds the copy in Redis, and both keep one.
    stage.log_in().await;
    assert!(browser.value(&answered("database")).await == json!(true), "{:?}", browser.text("#verdict").await);
    shots.take(browser, "first-read").await;
    let cookie = stage.cookie().await.expect("a login sets the cookie");
    assert_eq!(stage.logged_in(&cookie).await, [true, true], "the login is everywhere");
    for instance in [0, 1] {
        stage.read("/profile", instance, &answered("local")).await;
    }
    shots.take(browser, "local-copy").await;
    let loads: f64 = metric(&stage, "hallway_cache_loads_total").await;
    assert_eq!(loads, 1.0, "one query for both instances");

    // The numbers go on without asking anybody.
    let left = "Number.parseInt(document.querySelector('#left').textContent)";
    let before = browser.value(left).await.as_f64().expect("a number");
    browser.wait(&format!("{left} <= {}", before - 2.0)).await;

    // Written on one instance, seen on the other within the bound, and by nobody as it was before from then on.
    stage.goto("/profile/edit").await;
    browser.wait("document.querySelector('#edit-form')").await;
    shots.take(browser, "edit").await;
    let writer = stage.rename("Countess Ada").await;
    let written = Instant::now();
    shots.take(browser, "saved").await;
    stage.read("/profile", 1 - writer, &is_named("Countess Ada")).await;
    tokio::time::sleep(BOUND.saturating_sub(written.elapsed())).await;
    for _ in 0..6 {
        stage.goto("/profile").await;
        assert!(browser.value(&is_named("Countess Ada")).await == json!(true), "an old copy came back");
    }
    stage.read("/profile", 1 - writer, &answered("local")).await;
    shots.take(browser, "seen-on-the-other").await;

    // Another device, ended from this one.
    let other = login(stage.instances[1].addr, "ada").await;
    assert_eq!(stage.logged_in(&other).await, [true, true]);
    stage.goto("/devices").await;
    browser.wait("document.querySelectorAll('#devices li').length === 2").await;
    assert!(browser.text("#devices").await.unwrap().contains("Firefox on Linux"));
    shots.take(browser, "devices").await;
    browser.click("#devices button").await;
    browser.wait("document.querySelectorAll('#devices li').length === 1").await;
    assert_eq!((stage.logged_in(&other).await, stage.logged_in(&cookie).await), ([false; 2], [true; 2]));

    // Redis dies while somebody is editing.
    stage.goto("/profile/edit").await;
    browser.fill("#name", "Nobody").await;
    stage.redis.kill9();
    browser.click("#save").await;
    browser.wait(IS_AWAY).await;
    shots.take(browser, "redis-killed").await;
    for instance in [0, 1] {
        stage.read("/profile", instance, IS_AWAY).await;
        // What needs no login comes from the database, and says so; nothing of the form was written.
        let from_database = format!("{} && {}", answered("database"), is_named("Countess Ada"));
        stage.read("/people/ada", instance, &from_database).await;
        browser.wait("document.querySelector('.alert') && document.querySelector('.tier.is-down')").await;
        assert_eq!(get(stage.instances[instance].addr, "/readyz", None).await.status(), 503);
        assert_eq!(get(stage.instances[instance].addr, "/healthz", None).await.status(), 200);
    }
    shots.take(browser, "card-from-the-database").await;
    assert_eq!(stage.cookie().await.as_ref(), Some(&cookie), "the cookie stays");

    // Redis is back, and so is the login: nobody had to do anything.
    stage.redis.restart().unwrap_or_else(|error| panic!("{error}"));
    for instance in [0, 1] {
        let is_up = "!document.querySelector('.tier.is-down')";
        stage.read("/profile", instance, &format!("{} && {is_up}", is_named("Countess Ada"))).await;
    }
    assert_eq!(stage.cookie().await.as_ref(), Some(&cookie), "the same cookie");
    shots.take(browser, "redis-back").await;
    let writer = stage.rename("Ada again").await;
    stage.read("/profile", 1 - writer, &is_named("Ada again")).await;

    // Logged out, and the old cookie is dead on both.
    browser.click("#logout").await;
    browser.wait("location.pathname === '/login'").await;
    assert_eq!(stage.cookie().await, None);
    assert_eq!(stage.logged_in(&cookie).await, [false, false]);
    shots.take(browser, "logged-out").await;

    // And everywhere at once.
    stage.log_in().await;
    let (here, there) = (stage.cookie().await.expect("logged in"), login(stage.instances[0].addr, "ada").await);
    assert_ne!(here, cookie, "every login has an id of its own");
    stage.goto("/devices").await;
    browser.click("#everywhere").await;
    browser.wait("location.pathname === '/login'").await;
    assert_eq!((stage.logged_in(&here).await, stage.logged_in(&there).await), ([false; 2], [false; 2]));
    shots.end();

    // Through all of it: no error of a server, no complaint of the browser.
    let failures: Vec<_> = stage.proxy.log().into_iter().filter(|exchange| exchange.status >= 400).collect();
    assert_eq!(failures, []);
    let complaints: Vec<_> = browser.console().await.into_iter().filter(|(level, _)| level == "SEVERE").collect();
    assert_eq!(complaints, [] as [(String, String); 0]);
    let Stage { instances, .. } = stage;
    instances.into_iter().for_each(Instance::terminate);
}

/// The sum of a metric over both instances.
async fn metric(stage: &Stage, name: &str) -> f64 {
    let mut sum = 0.0;
    for instance in &stage.instances {
        let text = get(instance.addr, "/metrics", None).await.text();
        let values = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next());
        sum += values.map(|value| value.parse::<f64>().unwrap()).sum::<f64>();
    }
    sum
}

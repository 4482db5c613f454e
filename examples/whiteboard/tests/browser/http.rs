//! Requests to an instance, as a browser would send them or as none would.

use std::net::SocketAddr;

use hallway_testkit::browser::Message;

/// Asks for a page, with the cookie of a session if there is one.
pub(crate) async fn get(to: SocketAddr, path: &str, cookie: Option<&str>) -> Message {
    let host = to.to_string();
    let mut request = Message::request("GET", path, &[("Host", &host)], "");
    if let Some(cookie) = cookie {
        request.set("Cookie", cookie);
    }
    request.exchange(to).await.unwrap_or_else(|error| panic!("GET {path} from {to}: {error}"))
}

/// Sends a form as a browser on a page of `origin` would.
pub(crate) async fn post(
    to: SocketAddr,
    path: &str,
    origin: Option<&str>,
    cookie: Option<&str>,
    form: &str,
) -> Message {
    let host = to.to_string();
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let kind = "application/x-www-form-urlencoded";
    let headers = [("Host", host.as_str()), ("User-Agent", agent), ("Content-Type", kind)];
    let mut request = Message::request("POST", path, &headers, form);
    if let Some(origin) = origin {
        request.set("Origin", origin);
    }
    if let Some(cookie) = cookie {
        request.set("Cookie", cookie);
    }
    request.exchange(to).await.unwrap_or_else(|error| panic!("POST {path} to {to}: {error}"))
}

/// Logs in at an instance and gives the cookie.
pub(crate) async fn login(to: SocketAddr, user: &str) -> String {
    let origin = format!("http://{to}");
    let answer = post(to, "/login", Some(&origin), None, &format!("user={user}&password=marker")).await;
    assert_eq!(answer.status(), 303, "{}", answer.text());
    let cookie = answer.header("set-cookie").expect("a login sets a cookie");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// Whether an instance knows who comes with this cookie.
pub(crate) async fn is_logged_in(at: SocketAddr, cookie: &str) -> bool {
    let answer = get(at, "/profile", Some(cookie)).await;
    match (answer.status(), answer.header("location")) {
        (200, None) => {
            assert!(answer.text().contains("<h1 id=\"name\">"), "neither a profile nor a login: {}", answer.text());
            true
        }
        (303, Some("/login")) => false,
        other => panic!("{other:?}"),
    }
}

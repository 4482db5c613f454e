//! What every request passes: where a form may come from, and what browsers are told about every page.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::html::Page;
use crate::options::Options;

/// Nothing but our own files, and nothing within a page: no script, no style, no frame, no form to elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Not `no-referrer`: with it browsers send forms with `Origin: null`.
const HEADERS: [(header::HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Refuses what would change something and was not sent by a page of ours, and adds the headers.
pub(crate) async fn check(State(ours): State<Arc<Ours>>, request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response =
        if is_safe || ours.sent(request.headers()) { next.run(request).await } else { refusal().into_response() };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Pages show who is logged in: no copy of them outlives that.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Where our pages are, as browsers see it.
#[derive(Debug, Clone)]
pub(crate) struct Ours {
    origin: Option<String>,
    https: bool,
}

impl Ours {
    pub(crate) fn of(options: &Options) -> Self {
        Self { origin: options.origin().map(str::to_owned), https: options.is_https() }
    }

    /// Whether browsers come by https.
    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// Whether the page that sent the request is ours. The cookie is `SameSite=Lax`; this is the second lock, and it also
    /// tells apart ports and names of one site. Browsers name the origin with every form that is posted.
    ///
    /// Who knows the origin compares all of it. Else the request has to say where it went, and a proxy that rewrites `Host`
    /// has made that untrue.
    fn sent(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let Some(origin) = text(header::ORIGIN) else { return false };
        if let Some(ours) = &self.origin {
            return origin == ours;
        }
        match (origin.split_once("://"), text(header::HOST)) {
            (Some((scheme, origin)), Some(host)) => {
                origin.eq_ignore_ascii_case(host) && (!self.https || scheme == "https")
            }
            _ => false,
        }
    }
}

fn refusal() -> Page {
    let body = "<section class=\"card narrow\"><h1>That came from elsewhere</h1>\
                <p>The request was not sent by a page of this application, so nothing was done.</p>\
                <p><a class=\"button\" href=\"/\">To the whiteboard</a></p></section>";
    Page::new("Refused", body).with_status(StatusCode::FORBIDDEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_from(ours: &Ours, origin: Option<&'static str>, host: &'static str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        assert_eq!(ours.sent(&headers), expected, "{ours:?}: {origin:?} to {host}");
    }

    #[test]
    fn only_pages_of_the_same_host_and_port_send_forms() {
        let ours = Ours { origin: None, https: false };
        check_from(&ours, Some("http://127.0.0.1:3000"), "127.0.0.1:3000", true);
        check_from(&ours, Some("https://board.example"), "Board.example", true);
        check_from(&ours, Some("http://127.0.0.1:3001"), "127.0.0.1:3000", false);
        check_from(&ours, Some("https://board.example.evil"), "board.example", false);
        check_from(&ours, Some("null"), "board.example", false);
        check_from(&ours, None, "board.example", false);
    }

    #[test]
    fn with_https_the_scheme_counts_too() {
        let ours = Ours { origin: None, https: true };
        check_from(&ours, Some("https://board.example"), "board.example", true);
        check_from(&ours, Some("http://board.example"), "board.example", false);
    }

    #[test]
    fn an_origin_that_is_known_counts_whatever_the_host_is_said_to_be() {
        let ours = Ours { origin: Some("https://board.example".into()), https: true };
        check_from(&ours, Some("https://board.example"), "10.0.0.7:3000", true);
        for other in ["http://board.example", "https://board.example:8443", "https://board.example.evil", "null"] {
            check_from(&ours, Some(other), "board.example", false);
        }
        check_from(&ours, Some("https://10.0.0.7:3000"), "10.0.0.7:3000", false);
        check_from(&ours, None, "board.example", false);
    }
}

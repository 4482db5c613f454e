//! What every request passes: where a form may come from, and what browsers are told about every page.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::html::Page;

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
pub(crate) async fn check(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response =
        if is_safe || is_ours(request.headers()) { next.run(request).await } else { refusal().into_response() };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Pages show who is logged in: no copy of them outlives that.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether the page that sent the request came from here. The cookie is `SameSite=Lax`; this is the second lock, and it
/// also tells apart ports and names of one site. Browsers name the origin with every form that is posted.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::ORIGIN).and_then(|origin| origin.split_once("://")), text(header::HOST)) {
        (Some((_, origin)), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
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

    fn check_pair(origin: Option<&'static str>, host: &'static str, ours: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        assert_eq!(is_ours(&headers), ours, "{origin:?} to {host}");
    }

    #[test]
    fn only_pages_of_the_same_host_and_port_send_forms() {
        check_pair(Some("http://127.0.0.1:3000"), "127.0.0.1:3000", true);
        check_pair(Some("https://board.example"), "Board.example", true);
        check_pair(Some("http://127.0.0.1:3001"), "127.0.0.1:3000", false);
        check_pair(Some("https://board.example.evil"), "board.example", false);
        check_pair(Some("null"), "board.example", false);
        check_pair(None, "board.example", false);
    }
}

//! Somebody with a browser.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use tower::ServiceExt;
use tower_sessions::cookie::Cookie;

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// The session cookie, if one was set.
    pub(crate) cookie: Option<Cookie<'static>>,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

impl Reply {
    /// The session cookie that must have been set.
    pub(crate) fn set(&self) -> &Cookie<'static> {
        self.cookie.as_ref().unwrap_or_else(|| panic!("no cookie was set: {self:?}"))
    }
}

/// Keeps the session cookie as a browser does, its time apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visitor {
    pub(crate) id: Option<String>,
}

impl Visitor {
    /// One who sends this cookie.
    pub(crate) fn with(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()) }
    }

    pub(crate) async fn get(&mut self, app: &Router, path: &str) -> Reply {
        self.send(app, Request::get(path), Body::empty()).await
    }

    pub(crate) async fn post(&mut self, app: &Router, path: &str, form: &str) -> Reply {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(app, request, Body::from(form.to_owned())).await
    }

    async fn send(&mut self, app: &Router, request: axum::http::request::Builder, body: Body) -> Reply {
        let request = match &self.id {
            Some(id) => request.header(header::COOKIE, Cookie::new("id", id.as_str()).encoded().to_string()),
            None => request,
        };
        let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = |name| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let cookie = text(header::SET_COOKIE).map(|text| Cookie::parse_encoded(text).unwrap().into_owned());
        let location = text(header::LOCATION);
        if let Some(cookie) = &cookie {
            assert_eq!(cookie.name(), "id");
            self.id = Some(cookie.value().to_owned()).filter(|id| !id.is_empty());
        }
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Reply { status: parts.status, cookie, location, body: String::from_utf8(body.to_vec()).unwrap() }
    }
}

//! The layer around the routes.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CACHE_CONTROL, HeaderValue, SET_COOKIE};
use http::{HeaderMap, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::sessions::Sessions;

use super::cookie::CookieOptions;
use super::slot::{CookieChange, Slot};

/// Gives the routes inside it the sessions, and the visitor his cookie.
///
/// It reads the cookie and sets it on the response. The store is asked only by a handler that takes a
/// [`Visit`](super::Visit), so pages without one work without the store. Their responses, and no others, say
/// `Cache-Control: no-store`, unless the handler says something else.
///
/// The cookie is set by a login and a rotation, and taken away by a logout. One whose session is over by other ways is left
/// to the browser: a response that takes it away could overtake the one that sets its successor.
///
/// Two kinds of sessions in one application need two layers with two names of cookies. Of two layers with the same type of
/// session the inner one is the one that handlers see. What a handler does with a [`Visit`](super::Visit) after its response
/// has begun, such as in a task that goes on, changes no cookie any more; neither does what it does before it fails with an
/// error of the service itself, which an axum handler does not.
pub struct SessionLayer<S, C = hallway_core::Json> {
    sessions: Sessions<S, C>,
    cookie: Arc<CookieOptions>,
}

impl<S, C> SessionLayer<S, C> {
    /// With the cookie of [`CookieOptions::default`].
    pub fn new(sessions: Sessions<S, C>) -> Self {
        Self { sessions, cookie: Arc::new(CookieOptions::default()) }
    }

    /// With another cookie.
    #[must_use]
    pub fn cookie(mut self, cookie: CookieOptions) -> Self {
        self.cookie = Arc::new(cookie);
        self
    }
}

impl<S, C, I> Layer<I> for SessionLayer<S, C> {
    type Service = SessionService<S, C, I>;

    fn layer(&self, inner: I) -> Self::Service {
        SessionService { layer: self.clone(), inner }
    }
}

/// What [`SessionLayer`] makes of a service.
pub struct SessionService<S, C, I> {
    layer: SessionLayer<S, C>,
    inner: I,
}

impl<S, C, I, B, R> Service<Request<B>> for SessionService<S, C, I>
where
    S: Send + Sync + 'static,
    C: Send + Sync + 'static,
    I: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    I::Future: Send + 'static,
    B: Send + 'static,
    R: 'static,
{
    type Response = I::Response;
    type Error = I::Error;
    // One box for a request that goes to a store anyway.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let options = Arc::clone(&self.layer.cookie);
        let slot = Arc::new(Slot::new(self.layer.sessions.clone(), options.read(request.headers())));
        request.extensions_mut().insert(Arc::clone(&slot));
        // The service that was polled ready is the one to call.
        let next = self.inner.clone();
        let answer = std::mem::replace(&mut self.inner, next).call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            write_cookie(&options, &slot, response.headers_mut());
            Ok(response)
        })
    }
}

fn write_cookie<S, C>(options: &CookieOptions, slot: &Slot<S, C>, headers: &mut HeaderMap) {
    let state = slot.state();
    let cookies = match &state.cookie {
        CookieChange::Keep => Vec::new(),
        CookieChange::Remove => options.set(None),
        CookieChange::Set(id) => options.set(Some(id)),
    };
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    // What one visitor sees, and his cookie above all, is not for a cache on the way to hand to the next.
    if state.is_asked && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

impl<S, C> Clone for SessionLayer<S, C> {
    fn clone(&self) -> Self {
        Self { sessions: self.sessions.clone(), cookie: Arc::clone(&self.cookie) }
    }
}

impl<S, C, I: Clone> Clone for SessionService<S, C, I> {
    fn clone(&self) -> Self {
        Self { layer: self.layer.clone(), inner: self.inner.clone() }
    }
}

impl<S, C> fmt::Debug for SessionLayer<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").field("sessions", &self.sessions).field("cookie", &self.cookie).finish()
    }
}

impl<S, C, I> fmt::Debug for SessionService<S, C, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").field("layer", &self.layer).finish_non_exhaustive()
    }
}

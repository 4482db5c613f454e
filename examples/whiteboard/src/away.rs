//! The pages for when something does not answer. No outage is a 500, and no page claims that anybody was logged out.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hallway::Error;
use hallway::session::axum::Refusal;

use crate::html::{Page, Text};
use crate::panel::Panel;
use crate::user::NAMES;

/// The session store does not answer: who asks counts as logged out for this request, and his cookie and his session stay
/// as they are.
///
/// The status is 200: the application works, and a load balancer that took out all instances for want of a session store
/// would take away what can still be read.
pub(crate) fn sessions(panel: &Panel, back: &str) -> Page {
    let people: String =
        NAMES.iter().map(|name| format!("<li><a href=\"/people/{name}\">The card of {name}</a></li>")).collect();
    let body = format!(
        r#"<div class="columns">
<section class="card" aria-labelledby="away-title">
<p class="eyebrow">One moment</p>
<h1 id="away-title">You are not logged out</h1>
<p>The session store does not answer just now, so this page cannot tell who you are. Nothing was changed: your login is
where it was, and this device keeps its cookie.</p>
<p><a class="button" href="{back}">Try again</a></p>
<h2>What works meanwhile</h2>
<p>What everybody may see comes from the database.</p>
<ul>{people}</ul>
</section>
{panel}
</div>"#,
        back = Text(back),
        panel = panel.html(),
    );
    Page::new("One moment", body).with_nobody_known()
}

/// What was to change a session was refused: by its store, which does not answer, or because of a fault of ours.
pub(crate) fn refused(refusal: Refusal, panel: &Panel, back: &str) -> Response {
    if refusal.is_outage() { sessions(panel, back).into_response() } else { refusal.into_response() }
}

/// The application's own database does not answer, and no copy may.
#[derive(Debug)]
pub(crate) struct Trouble(pub(crate) Error);

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let body = format!(
            "<section class=\"card narrow\"><h1>The database does not answer</h1>\
             <p>This page could not be made: {}.</p><p><a class=\"button\" href=\"/\">Try again</a></p></section>",
            Text(&self.0)
        );
        Page::new("No answer", body).with_status(StatusCode::SERVICE_UNAVAILABLE).into_response()
    }
}

/// There is nothing under this address.
pub(crate) async fn nowhere() -> Page {
    let body = "<section class=\"card narrow\"><h1>Nothing here</h1><p>No page has this address.</p>\
                <p><a class=\"button\" href=\"/\">To the whiteboard</a></p></section>";
    Page::new("Nothing here", body).with_status(StatusCode::NOT_FOUND)
}

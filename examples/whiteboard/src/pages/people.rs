//! What everybody may see: the list of people and their cards. Needs no session, so it works without a session store.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hallway::session::axum::Visit;

use crate::away::{Trouble, nowhere};
use crate::html::{Page, Text};
use crate::pages::card;
use crate::state::App;
use crate::user::{NAMES, User};

pub(crate) async fn list(visit: Visit<User>) -> Page {
    let people: String = NAMES
        .iter()
        .map(|name| format!("<li><a href=\"/people/{name}\"><span class=\"handle\">@{name}</span></a></li>"))
        .collect();
    let body = format!(
        "<section class=\"card narrow\"><h1>People at this board</h1>\
         <p>Their cards are public. Each is read from the nearest tier that has it.</p><ul class=\"people\">{people}</ul></section>"
    );
    Page::new("People", body).with_visit(&visit).with_here("/people")
}

pub(crate) async fn one(
    State(app): State<App>,
    Path(id): Path<String>,
    visit: Visit<User>,
) -> Result<Response, Trouble> {
    // Only names that there are become keys.
    if !NAMES.contains(&id.as_str()) {
        return Ok(nowhere().await.with_visit(&visit).into_response());
    }
    let (profile, panel) = app.profile(&id).await?;
    let Some(profile) = profile else {
        return Ok(nowhere().await.with_visit(&visit).with_status(StatusCode::NOT_FOUND).into_response());
    };
    let body = format!(
        "<div class=\"columns\"><section class=\"card profile\">{card}\
         <p class=\"actions\"><a class=\"button\" href=\"/people/{id}\">Read again</a></p></section>{panel}</div>",
        card = card::html(&id, &profile),
        id = Text(&id),
        panel = panel.html(),
    );
    Ok(Page::new(&profile.name, body).with_visit(&visit).with_here("/people").into_response())
}

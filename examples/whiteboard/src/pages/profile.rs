//! The profile of who is logged in, through the cache, with the panel beside it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use hallway::session::axum::Visit;
use serde::Deserialize;

use crate::away::{self, Trouble};
use crate::html::Page;
use crate::pages::card;
use crate::state::App;
use crate::user::User;

/// What the address may say of what was just done.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct News {
    saved: Option<String>,
}

/// The front door.
pub(crate) async fn home(State(app): State<App>, visit: Visit<User>) -> Response {
    match visit.data() {
        _ if visit.is_unavailable() => away::sessions(&app.panel(None), "/").into_response(),
        Some(_) => Redirect::to("/profile").into_response(),
        None => Redirect::to("/login").into_response(),
    }
}

pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit<User>,
    news: Result<Query<News>, QueryRejection>,
) -> Result<Response, Trouble> {
    if visit.is_unavailable() {
        return Ok(away::sessions(&app.panel(None), "/profile").into_response());
    }
    let Some(user) = visit.data() else { return Ok(Redirect::to("/login").into_response()) };
    let (profile, panel) = app.profile(&user.id).await?;
    let news = match news.ok().and_then(|Query(news)| news.saved) {
        Some(_) => {
            "<p class=\"news\" role=\"status\">Saved. The other instances give up their copies of the old card.</p>"
        }
        None => "",
    };
    let card = match &profile {
        Some(profile) => card::html(&user.id, profile),
        None => "<h1>No card</h1><p>The database has no profile of yours.</p>".to_owned(),
    };
    let body = format!(
        "{news}<div class=\"columns\"><section class=\"card profile\">{card}\
         <p class=\"actions\"><a class=\"button\" id=\"edit\" href=\"/profile/edit\">Edit</a>\
         <a class=\"button plain\" id=\"again\" href=\"/profile\">Read again</a></p></section>{panel}</div>",
        panel = panel.html(),
    );
    Ok(Page::new("Your profile", body).with_visit(&visit).with_here("/profile").into_response())
}

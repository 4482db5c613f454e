//! Logging in.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use hallway::session::NewSession;
use hallway::session::axum::Visit;
use serde::Deserialize;

use crate::html::{Page, Text};
use crate::state::App;
use crate::user::{NAMES, PASSWORD, User};
use crate::{agent, away};

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    user: String,
    password: String,
}

pub(crate) async fn form(State(app): State<App>, visit: Visit<User>) -> Response {
    match visit.data() {
        _ if visit.is_unavailable() => away::sessions(&app.panel(None), "/login").into_response(),
        Some(_) => Redirect::to("/profile").into_response(),
        None => page(NAMES[0], false).into_response(),
    }
}

pub(crate) async fn enter(
    State(app): State<App>,
    mut visit: Visit<User>,
    headers: HeaderMap,
    form: Result<Form<Credentials>, FormRejection>,
) -> Response {
    let Ok(Form(credentials)) = form else {
        return page(NAMES[0], true).with_status(StatusCode::UNPROCESSABLE_ENTITY).into_response();
    };
    let Some(user) = User::check(&credentials.user, &credentials.password) else {
        return page(&credentials.user, true).with_status(StatusCode::UNPROCESSABLE_ENTITY).into_response();
    };
    let subject = user.id.clone();
    // A new id whatever came with the request, and the old one is dead.
    match visit.login(NewSession::new(user).subject(subject).label(agent::label(&headers))).await {
        Ok(()) => Redirect::to("/profile").into_response(),
        Err(refusal) => away::refused(refusal, &app.panel(None), "/login"),
    }
}

fn page(chosen: &str, refused: bool) -> Page {
    let options: String = NAMES
        .iter()
        .map(|name| {
            let selected = if *name == chosen { " selected" } else { "" };
            format!("<option{selected}>{name}</option>")
        })
        .collect();
    let (state, words) = match refused {
        true => (
            " aria-invalid=\"true\" aria-describedby=\"password-trouble\"",
            "<span class=\"trouble\" id=\"password-trouble\">That is not the word.</span>",
        ),
        false => ("", ""),
    };
    let body = format!(
        r#"<section class="card narrow"><h1>Log in to the board</h1>
<p class="hint" id="hint">This is a demonstration: there are three people, and the password of each is <kbd>{PASSWORD}</kbd>.</p>
<form method="post" action="/login">
<p class="field"><label for="user">Person</label><select id="user" name="user" autocomplete="username">{options}</select></p>
<p class="field"><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{state}>{words}</p>
<p class="actions"><button class="button" id="enter">Log in</button></p>
</form></section>"#,
        PASSWORD = Text(PASSWORD),
    );
    Page::new("Log in", body).with_here("/login")
}

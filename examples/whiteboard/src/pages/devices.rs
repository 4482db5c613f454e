//! Where somebody is logged in, and ending any of it.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use hallway::Timestamp;
use hallway::session::axum::{Refusal, Visit};
use hallway::session::{Handle, Listed};
use serde::Deserialize;

use crate::away;
use crate::html::{Page, Text};
use crate::state::App;
use crate::user::User;

/// Which device is to go.
#[derive(Deserialize)]
pub(crate) struct Chosen {
    handle: String,
}

pub(crate) async fn list(State(app): State<App>, visit: Visit<User>) -> Response {
    if visit.is_unavailable() {
        return away::sessions(&app.panel(None), "/devices").into_response();
    }
    let Some(session) = visit.session() else { return Redirect::to("/login").into_response() };
    let now = async { app.sessions.now().await.map_err(Refusal::from) };
    let (listed, now) = match tokio::try_join!(visit.devices(), now) {
        Ok(both) => both,
        Err(refusal) => return away::refused(refusal, &app.panel(None), "/devices"),
    };
    let devices: String = listed.iter().map(|device| row(device, device.handle == *session.handle(), now)).collect();
    let body = format!(
        r#"<section class="card"><h1>Your devices</h1>
<p>Every login is a record of its own. Ending one ends it on every instance at once.</p>
<ul class="devices" id="devices">{devices}</ul>
<form method="post" action="/logout-everywhere" class="actions"><button class="button danger" id="everywhere">Log out everywhere</button></form>
</section>"#
    );
    Page::new("Your devices", body).with_visit(&visit).with_here("/devices").into_response()
}

pub(crate) async fn remove(
    State(app): State<App>,
    mut visit: Visit<User>,
    chosen: Result<Form<Chosen>, FormRejection>,
) -> Response {
    // What is no handle names no device. Another person's names none either: the session store sees to that.
    if let Some(handle) = chosen.ok().and_then(|Form(chosen)| Handle::parse(&chosen.handle).ok())
        && let Err(refusal) = visit.logout_device(&handle).await
    {
        return away::refused(refusal, &app.panel(None), "/devices");
    }
    Redirect::to("/devices").into_response()
}

fn row(device: &Listed, is_this: bool, now: Timestamp) -> String {
    let ago = |then: Timestamp| match now.saturating_since(then).as_secs() {
        0..60 => "just now".to_owned(),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3_600),
    };
    let seen = match device.idle_for.as_secs() {
        0..120 => "active now".to_owned(),
        seconds => format!("active {} min ago", seconds / 60),
    };
    let hours = device.ends.saturating_since(now).as_secs().div_ceil(3_600);
    let end = match is_this {
        true => "<span class=\"badge\">this device</span>".to_owned(),
        false => format!(
            "<form method=\"post\" action=\"/devices/remove\"><input type=\"hidden\" name=\"handle\" value=\"{}\">\
             <button class=\"button plain\" aria-label=\"Log out {}\">Log out</button></form>",
            Text(device.handle.text()),
            Text(device.label.as_deref().unwrap_or("this one")),
        ),
    };
    format!(
        "<li><div><strong>{}</strong><small>{seen}, logged in {}, ends within {hours} h</small></div>{end}</li>",
        Text(device.label.as_deref().unwrap_or("A device")),
        ago(device.made),
    )
}

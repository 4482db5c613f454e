//! Changing a profile: the database is written while nobody can read or keep a copy of what was there.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use hallway::session::axum::Visit;
use hallway::{Error, ErrorKind};

use crate::away::{self, Trouble};
use crate::database::Saved;
use crate::html::{Page, Text};
use crate::profile::{Complaint, Draft, NAME, NOTE, Pen, ROLE};
use crate::state::App;
use crate::user::User;

pub(crate) async fn form(State(app): State<App>, visit: Visit<User>) -> Result<Response, Trouble> {
    if visit.is_unavailable() {
        return Ok(away::sessions(&app.panel(None), "/profile/edit").into_response());
    }
    let Some(user) = visit.data() else { return Ok(Redirect::to("/login").into_response()) };
    // From the database itself, slow or not: whoever edits wants to edit what is there.
    let Some(profile) = app.database.profile(&user.id).await? else { return Ok(away::nowhere().await.into_response()) };
    Ok(page(&visit, &Draft::of(&profile), &[], "").into_response())
}

pub(crate) async fn save(
    State(app): State<App>,
    visit: Visit<User>,
    draft: Result<Form<Draft>, FormRejection>,
) -> Response {
    if visit.is_unavailable() {
        return away::sessions(&app.panel(None), "/profile/edit").into_response();
    }
    let Some(user) = visit.data() else { return Redirect::to("/login").into_response() };
    let draft = draft.map(|Form(draft)| draft).unwrap_or_default();
    let profile = match draft.check() {
        Ok(profile) => profile,
        Err(complaints) => {
            let news = "<p class=\"alert\" role=\"alert\">Not saved yet: see below.</p>";
            let page = page(&visit, &draft, &complaints, news).with_status(StatusCode::UNPROCESSABLE_ENTITY);
            return page.into_response();
        }
    };
    let (database, id) = (app.database.clone(), user.id.clone());
    let saved = app.profiles.write(&user.id, move || async move { database.save(&id, &profile).await }).await;
    match saved {
        Ok(Saved::Written) => Redirect::to("/profile?saved=1").into_response(),
        Ok(Saved::Outdated) => {
            let news = "<p class=\"alert\" role=\"alert\">Not saved: the card was changed from another device meanwhile. \
                        <a href=\"/profile/edit\">Begin again with the new one</a>.</p>";
            page(&visit, &draft, &[], news).with_status(StatusCode::CONFLICT).into_response()
        }
        Err(error) => {
            page(&visit, &draft, &[], &failed(&error)).with_status(StatusCode::SERVICE_UNAVAILABLE).into_response()
        }
    }
}

/// What became of a change that ended with an error. The revision makes it safe to send the form again in any case.
fn failed(error: &Error) -> String {
    let (what, next) = match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Overloaded => ("Not saved", "Save again in a moment"),
        _ => ("Nobody knows whether this was saved", "Save again to find out"),
    };
    format!("<p class=\"alert\" role=\"alert\">{what}: {}. {next}.</p>", Text(error))
}

fn page(visit: &Visit<User>, draft: &Draft, complaints: &[Complaint], news: &str) -> Page {
    let complaint = |field: &str| complaints.iter().find(|(name, _)| *name == field).map(|(_, words)| words.as_str());
    let line = |field: &str, label: &str, value: &str, most: usize, required: &str| {
        let (state, words) = trouble(field, complaint(field));
        format!(
            "<p class=\"field\"><label for=\"{field}\">{label}</label>\
             <input id=\"{field}\" name=\"{field}\" value=\"{}\" maxlength=\"{most}\"{required}{state}>{words}</p>",
            Text(value)
        )
    };
    let pens: String = Pen::ALL
        .iter()
        .map(|pen| {
            let (word, checked) = (pen.word(), if pen.word() == draft.pen { " checked" } else { "" });
            format!(
                "<label class=\"pen\"><input type=\"radio\" name=\"pen\" value=\"{word}\"{checked}>\
                 <span class=\"dot pen-{word}\" aria-hidden=\"true\"></span>{word}</label>"
            )
        })
        .collect();
    let (note_state, note_words) = trouble("note", complaint("note"));
    let (_, pen_words) = trouble("pen", complaint("pen"));
    let body = format!(
        r#"<section class="card narrow"><h1>Edit your card</h1>{news}
<form method="post" action="/profile" id="edit-form">
<input type="hidden" name="revision" value="{revision}">
{name}{role}
<fieldset class="field"><legend>Pen</legend><div class="pens">{pens}</div>{pen_words}</fieldset>
<p class="field"><label for="note">Note on the board</label>
<textarea id="note" name="note" rows="3" maxlength="{NOTE}"{note_state}>{note}</textarea>{note_words}</p>
<p class="actions"><button class="button" id="save">Save</button><a class="button plain" href="/profile">Leave it</a></p>
</form></section>"#,
        revision = draft.revision,
        name = line("name", "Name", &draft.name, NAME, " required autocomplete=\"name\""),
        role = line("role", "What you do", &draft.role, ROLE, " autocomplete=\"organization-title\""),
        note = Text(&draft.note),
    );
    Page::new("Edit your card", body).with_visit(visit).with_here("/profile")
}

/// The attributes and the words of a field with something wrong.
fn trouble(field: &str, complaint: Option<&str>) -> (String, String) {
    match complaint {
        None => Default::default(),
        Some(words) => (
            format!(" aria-invalid=\"true\" aria-describedby=\"{field}-trouble\""),
            format!("<span class=\"trouble\" id=\"{field}-trouble\">{}</span>", Text(words)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_unknown_is_said_to_be() {
        for (kind, words) in [
            (ErrorKind::Unavailable, "Not saved: "),
            (ErrorKind::Overloaded, "Not saved: "),
            (ErrorKind::Indeterminate, "Nobody knows whether this was saved: "),
            (ErrorKind::Corrupt, "Nobody knows whether this was saved: "),
        ] {
            let news = failed(&Error::new(kind, "no <answer>"));
            assert!(news.contains(words) && news.contains("no &lt;answer&gt;"), "{kind:?}: {news}");
        }
    }
}

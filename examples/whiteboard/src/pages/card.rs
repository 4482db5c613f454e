//! A profile as the others at the whiteboard see it.

use crate::html::Text;
use crate::profile::Profile;

/// The pointer of somebody who draws: a shape, coloured by its class.
const POINTER: &str = r#"<svg viewBox="0 0 24 24" width="26" height="26" aria-hidden="true"><path d="M4 2.5 20 11l-7.2 1.9L9.4 20z"/></svg>"#;

pub(crate) fn html(id: &str, profile: &Profile) -> String {
    let note = match profile.note.is_empty() {
        true => "<p class=\"sticky is-empty\">No note yet.</p>".to_owned(),
        false => format!("<p class=\"sticky\" id=\"note\">{}</p>", Text(&profile.note)),
    };
    let role = match profile.role.is_empty() {
        true => String::new(),
        false => format!("<p class=\"role\" id=\"role\">{}</p>", Text(&profile.role)),
    };
    format!(
        r#"<div class="board">
{note}
<div class="pointer pen-{pen}">{POINTER}<span class="tag">{name}</span></div>
<svg class="stroke pen-{pen}" viewBox="0 0 220 60" aria-hidden="true"><path d="M6 44C30 8 52 8 60 30s22 26 40 2 30-24 40-4 24 26 74-14"/></svg>
</div>
<div class="who">
<h1 id="name">{name}</h1>
{role}
<p class="meta"><span class="handle">@{id}</span> <span class="dot pen-{pen}" aria-hidden="true"></span>{pen} pen</p>
</div>
"#,
        pen = profile.pen.word(),
        name = Text(&profile.name),
        id = Text(id),
    )
}

//! Pages as text: what stands around every one of them, and escaping.

use std::fmt::{self, Display, Write as _};

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use hallway::session::axum::Visit;

use crate::user::User;

/// Something shown as the text it is, whatever characters are in it: in elements and in quoted attributes.
pub(crate) struct Text<T>(pub(crate) T);

impl<T: Display> Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escape(f), "{}", self.0)
    }
}

struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A page to answer with.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    status: StatusCode,
    user: Option<User>,
    /// The session store did not answer, so there may be a user.
    unknown: bool,
    here: &'static str,
    body: String,
}

impl Page {
    pub(crate) fn new(title: impl Into<String>, body: impl Into<String>) -> Self {
        Self { title: title.into(), status: StatusCode::OK, user: None, unknown: false, here: "", body: body.into() }
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// For whom it is: the menu follows.
    pub(crate) fn with_visit(mut self, visit: &Visit<User>) -> Self {
        self.user = visit.data().cloned();
        self.unknown = visit.is_unavailable();
        self
    }

    /// Nobody knows for whom it is.
    pub(crate) fn with_nobody_known(mut self) -> Self {
        self.unknown = true;
        self
    }

    /// The entry of the menu that it belongs to.
    pub(crate) fn with_here(mut self, here: &'static str) -> Self {
        self.here = here;
        self
    }

    fn menu(&self) -> String {
        let entries: &[(&str, &str)] = match self.user {
            Some(_) => &[("/profile", "Profile"), ("/devices", "Devices"), ("/people", "People")],
            None if self.unknown => &[("/profile", "Profile"), ("/people", "People")],
            None => &[("/people", "People"), ("/login", "Log in")],
        };
        let mut menu = String::new();
        for (path, name) in entries {
            let current = if *path == self.here { " aria-current=\"page\"" } else { "" };
            menu.push_str(&format!("<a href=\"{path}\"{current}>{name}</a>"));
        }
        menu
    }

    fn logout(&self) -> String {
        let Some(user) = &self.user else { return String::new() };
        format!(
            "<form method=\"post\" action=\"/logout\"><button class=\"quiet\" id=\"logout\">Log out \
             <span class=\"handle\">@{}</span></button></form>",
            Text(&user.id)
        )
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let html = format!(
            r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Whiteboard</title>
<link rel="icon" href="/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="/app.css">
<script src="/app.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the page</a>
<header class="top">
<a class="mark" href="/"><img src="/mark.svg" alt="" width="28" height="28">Whiteboard</a>
<nav aria-label="Main">{menu}</nav>
{logout}
</header>
<main id="main">
{body}
</main>
<footer>A demonstration of <strong>hallway</strong>: logins and profiles kept in this process, in Redis or in SQL, as the deployment says.</footer>
</body>
</html>
"##,
            title = Text(&self.title),
            menu = self.menu(),
            logout = self.logout(),
            body = self.body,
        );
        (self.status, Html(html)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let shown = Text("<b>\"A\" & 'B'</b>").to_string();
        assert_eq!(shown, "&lt;b&gt;&quot;A&quot; &amp; &#39;B&#39;&lt;/b&gt;");
        assert_eq!(Text(format_args!("{}<", 7)).to_string(), "7&lt;");
    }
}

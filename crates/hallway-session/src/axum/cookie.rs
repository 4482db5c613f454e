//! The cookie that holds the id.

use std::time::Duration;

use ::cookie::Cookie;
use hallway_core::{Error, Result};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

use crate::id::SessionId;

/// Whether the browser sends the cookie with requests that another site has caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Only when the visitor follows a link here. Forms on other sites send nothing.
    Lax,
    /// Never: who follows a link from elsewhere looks logged out.
    Strict,
}

/// How the cookie is set. The default is what OWASP's session guide asks for: `__Host-session`, so that no other host and
/// no page without TLS can set it; `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`, and gone when the browser is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieOptions {
    name: String,
    secure: bool,
    same_site: SameSite,
    domain: Option<String>,
    lifetime: Option<Duration>,
}

impl Default for CookieOptions {
    fn default() -> Self {
        Self { name: "__Host-session".to_owned(), secure: true, same_site: SameSite::Lax, domain: None, lifetime: None }
    }
}

impl CookieOptions {
    /// A cookie that is also sent without TLS: for development, and for tests without it. Whoever listens on the network has
    /// the session.
    ///
    /// # Errors
    /// As for [`named`](Self::named).
    pub fn without_tls(name: &str) -> Result<Self> {
        Self { secure: false, ..Self::default() }.named(name)
    }

    /// Gives the cookie another name. Two applications on one host need two names.
    ///
    /// # Errors
    /// `InvalidConfig` if the name is empty, has characters that no cookie name may have, or promises by `__Host-` or
    /// `__Secure-` what the other options break.
    pub fn named(mut self, name: &str) -> Result<Self> {
        self.name = name.to_owned();
        self.checked()
    }

    /// Default: [`SameSite::Lax`].
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Lets all hosts below a domain have the cookie. Each of them can then end and replace the sessions of all, and plant a
    /// second cookie, which makes a visitor nobody until it is gone.
    ///
    /// Whenever the cookie is set or taken away, one of this host alone is taken away too, as it was set before there was a
    /// domain.
    ///
    /// # Errors
    /// `InvalidConfig` unless the domain has letters, digits, `-` and `.` alone, and with a name that begins with `__Host-`,
    /// which says the contrary.
    pub fn shared_with(mut self, domain: &str) -> Result<Self> {
        self.domain = Some(domain.to_owned());
        self.checked()
    }

    /// Lets the browser keep the cookie that long, though it be closed, counted from the login: looking at pages does not
    /// set it again. So give it the absolute timeout. The session may end earlier. Default: until the browser is closed.
    #[must_use]
    pub fn kept_for(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    fn checked(self) -> Result<Self> {
        // RFC 6265, 4.1.1: a token of RFC 2616.
        let token = |byte: u8| byte.is_ascii_graphic() && !br#"()<>@,;:\"/[]?={}"#.contains(&byte);
        if self.name.is_empty() || !self.name.bytes().all(token) {
            return Err(Error::invalid_config(
                "a cookie's name has letters, digits and a few signs such as `-` and `_`",
            ));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if self.domain.as_ref().is_some_and(|domain| domain.is_empty() || !domain.bytes().all(plain)) {
            return Err(Error::invalid_config(
                "a cookie's domain has letters, digits, `-` and `.`, such as example.com",
            ));
        }
        // Browsers do not mind the case.
        let starts =
            |prefix: &str| self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        let is_host = starts("__Host-");
        if (is_host || starts("__Secure-")) && !self.secure {
            return Err(Error::invalid_config(
                "a browser takes `__Host-` and `__Secure-` cookies by TLS alone; give it another name for plain HTTP",
            ));
        }
        if is_host && self.domain.is_some() {
            return Err(Error::invalid_config(
                "a browser takes no `__Host-` cookie with a domain; name it `__Secure-session` to share it",
            ));
        }
        Ok(self)
    }

    /// What the visitor sent. Two cookies of the name are none: one of them may have been planted by another host, and
    /// which comes first is the planter's choice.
    pub(super) fn read(&self, headers: &HeaderMap) -> Presented {
        let ours =
            |pair: &&[u8]| pair.strip_prefix(self.name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='));
        // As bytes: other cookies may hold anything.
        let pairs = headers.get_all(COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
        let mut pairs = pairs.map(<[u8]>::trim_ascii).filter(ours);
        match (pairs.next(), pairs.next()) {
            (None, _) => Presented::Nothing,
            (Some(only), None) => std::str::from_utf8(&only[self.name.len() + 1..])
                .ok()
                .and_then(|text| SessionId::parse(text).ok())
                .map_or(Presented::Bogus, Presented::Id),
            (Some(_), Some(_)) => Presented::Bogus,
        }
    }

    /// The headers that give the visitor this id, or take away what he has.
    pub(super) fn set(&self, id: Option<&SessionId>) -> Vec<HeaderValue> {
        let mut headers = Vec::with_capacity(2);
        if let Some(domain) = &self.domain {
            headers.push(self.header("", None, Some(Duration::ZERO)));
            headers.push(match id {
                Some(id) => self.header(&id.reveal(), Some(domain), self.lifetime),
                None => self.header("", Some(domain), Some(Duration::ZERO)),
            });
        } else {
            headers.push(match id {
                Some(id) => self.header(&id.reveal(), None, self.lifetime),
                None => self.header("", None, Some(Duration::ZERO)),
            });
        }
        headers
    }

    fn header(&self, value: &str, domain: Option<&str>, lifetime: Option<Duration>) -> HeaderValue {
        let mut cookie = Cookie::build((self.name.as_str(), value)).path("/").http_only(true).secure(self.secure);
        cookie = cookie.same_site(match self.same_site {
            SameSite::Lax => ::cookie::SameSite::Lax,
            SameSite::Strict => ::cookie::SameSite::Strict,
        });
        if let Some(domain) = domain {
            cookie = cookie.domain(domain);
        }
        let mut text = cookie.build().to_string();
        if let Some(lifetime) = lifetime {
            text.push_str(&format!("; Max-Age={}", lifetime.as_secs()));
        }
        let mut header = HeaderValue::from_str(&text).expect("name and domain were checked, and the rest is ours");
        header.set_sensitive(true);
        header
    }
}

/// What a request brought.
#[derive(Debug)]
pub(super) enum Presented {
    /// A cookie of the name that holds no id, or two of them.
    Bogus,
    Id(SessionId),
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> SessionId {
        SessionId::parse("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE").unwrap()
    }

    fn set(options: &CookieOptions) -> String {
        options.set(Some(&id())).pop().unwrap().to_str().unwrap().to_owned()
    }

    fn read(cookies: &[&str]) -> Presented {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
        }
        CookieOptions::default().read(&headers)
    }

    #[test]
    fn the_default_is_what_the_checklist_asks_for() {
        let options = CookieOptions::default();
        assert_eq!(
            set(&options),
            "__Host-session=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE; HttpOnly; SameSite=Lax; Secure; Path=/"
        );
        assert_eq!(options.set(None), ["__Host-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"]);
    }

    #[test]
    fn other_cookies_are_what_was_asked_for() {
        let plain = CookieOptions::without_tls("session").unwrap().same_site(SameSite::Strict);
        assert!(set(&plain).ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{}", set(&plain));
        let shared = CookieOptions::default().named("__Secure-session").unwrap().shared_with("example.com").unwrap();
        let shared = shared.kept_for(Duration::from_secs(60));
        assert!(set(&shared).ends_with("; Domain=example.com; Max-Age=60"));
        // The one from before there was a domain goes.
        let both = shared.set(Some(&id()));
        assert_eq!(both[0], "__Secure-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
        assert_eq!((both.len(), shared.set(None).len()), (2, 2));
        assert!(both.iter().all(HeaderValue::is_sensitive));
    }

    #[test]
    fn names_that_promise_too_much_are_refused() {
        assert!(CookieOptions::without_tls("__Host-session").is_err());
        assert!(CookieOptions::without_tls("__Secure-session").is_err());
        assert!(CookieOptions::without_tls("__host-session").is_err());
        assert!(CookieOptions::default().shared_with("example.com").is_err());
        let secure = || CookieOptions::default().named("__Secure-session").unwrap();
        for domain in ["", "example.com\n", "example.com; SameSite=None", "caf\u{e9}.example"] {
            assert!(secure().shared_with(domain).is_err(), "{domain:?}");
        }
        for name in ["", "a b", "a;b", "a=b", "caf\u{e9}", "a\n"] {
            assert!(CookieOptions::default().named(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_id_is_found_among_other_cookies() {
        let ours = format!("__Host-session={}", id().reveal());
        assert!(matches!(read(&[&format!("a=b; {ours}; c=d")]), Presented::Id(found) if found == id()));
        assert!(matches!(read(&["a=b", &ours]), Presented::Id(_)));
        // Whatever others write into theirs.
        assert!(matches!(read(&[&format!("name=Jos\u{e9}; {ours}")]), Presented::Id(_)));
        assert!(matches!(read(&["session=x", "__Host-sessions=y", "junk"]), Presented::Nothing));
        assert!(matches!(read(&[]), Presented::Nothing));
    }

    #[test]
    fn what_is_no_id_or_stands_there_twice_is_no_session() {
        let ours = format!("__Host-session={}", id().reveal());
        assert!(matches!(read(&["__Host-session=admin"]), Presented::Bogus));
        assert!(matches!(read(&["__Host-session="]), Presented::Bogus));
        assert!(matches!(read(&[&format!("{ours}; {ours}")]), Presented::Bogus));
        assert!(matches!(read(&[&ours, "__Host-session=planted"]), Presented::Bogus));
    }
}

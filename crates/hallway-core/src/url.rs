//! Store URLs: what they name, which options they carry, and never their secrets.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use crate::{Error, Result};

/// A parsed store URL whose options are taken out one by one, so that a leftover one is an error.
///
/// `Debug` and `Display` show neither user name nor password nor options; where an unescaped character has made a part
/// of a password look like host or path, they show the scheme alone.
#[derive(Clone)]
pub struct StoreUrl {
    url: Url,
    options: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl StoreUrl {
    /// Parses a URL such as `moka:?max=64MiB`, `sqlite:app.db` or `redis://:secret@host/0`.
    ///
    /// # Errors
    /// `InvalidConfig`, without quoting the text: it may hold a password.
    pub fn parse(text: &str) -> Result<Self> {
        let url = Url::parse(text).map_err(|error| {
            Error::invalid_config(format!(
                "not a store URL ({error}); expected something like `moka:?max=64MiB`, `sqlite:app.db`, `redis://host/0` or `postgres://host/db`"
            ))
        })?;
        if url.fragment().is_some() {
            return Err(Error::invalid_config("a store URL has no `#fragment`; write `#` in a password as %23"));
        }
        let mut options: Vec<(String, String)> = Vec::new();
        for (name, value) in url.query_pairs() {
            if options.iter().any(|(seen, _)| *seen == name) {
                return Err(Error::invalid_config(format!("{} is given twice", showable(&name, &value))));
            }
            options.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self { url, options, known: Vec::new() })
    }

    /// The scheme, such as `redis+unix`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// The parsed URL, for backends. It holds the secrets.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.url
    }

    /// The decoded user name, if there is one.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        (!self.url.username().is_empty()).then(|| decode(self.url.username()))
    }

    /// The decoded password, if there is one.
    #[must_use]
    pub fn password(&self) -> Option<String> {
        self.url.password().map(decode)
    }

    /// The decoded path: everything between scheme or host and `?`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(decode(self.url.path()))
    }

    /// Takes an option out as text.
    pub fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let at = self.options.iter().position(|(option, _)| option == name)?;
        Some(self.options.swap_remove(at).1)
    }

    /// Takes an option out and parses it.
    ///
    /// # Errors
    /// `InvalidConfig` naming the option and what was expected, for example `a whole number`.
    pub fn take_parsed<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Result<Option<T>> {
        self.take(name)
            .map(|text| text.parse().map_err(|_| Error::invalid_config(format!("option `{name}` needs {expected}"))))
            .transpose()
    }

    /// Takes a duration out, such as `250ms` or `5s`. Zero is refused.
    ///
    /// # Errors
    /// `InvalidConfig`.
    pub fn take_duration(&mut self, name: &'static str) -> Result<Option<Duration>> {
        let duration: Option<humantime::Duration> =
            self.take_parsed(name, "a duration with a unit, such as 250ms or 5s")?;
        match duration.map(Into::into) {
            Some(Duration::ZERO) => Err(Error::invalid_config(format!("option `{name}` must be longer than 0"))),
            duration => Ok(duration),
        }
    }

    /// Takes a size in bytes out, such as `64MiB` or `1000`. Zero is refused.
    ///
    /// # Errors
    /// `InvalidConfig`.
    pub fn take_size(&mut self, name: &'static str) -> Result<Option<u64>> {
        let size: Option<bytesize::ByteSize> = self.take_parsed(name, "a size, such as 64MiB or 1000")?;
        match size.map(|size| size.as_u64()) {
            Some(0) => Err(Error::invalid_config(format!("option `{name}` must be more than 0"))),
            size => Ok(size),
        }
    }

    /// Takes a switch out: `true` or `false`.
    ///
    /// # Errors
    /// `InvalidConfig`.
    pub fn take_bool(&mut self, name: &'static str) -> Result<Option<bool>> {
        self.take_parsed(name, "true or false")
    }

    /// Ends the taking: whatever is left is an option that nobody knows.
    ///
    /// # Errors
    /// `InvalidConfig` naming it and the options there are.
    pub fn finish(mut self) -> Result<()> {
        let Some((unknown, value)) = self.options.first() else { return Ok(()) };
        self.known.sort_unstable();
        self.known.dedup();
        Err(Error::invalid_config(format!(
            "unknown {} for `{}`; known options: {}",
            showable(unknown, value),
            self.url.scheme(),
            self.known.join(", ")
        )))
    }
}

/// The option as messages name it. A password with an unescaped `&` or `?` ends up as the name of an option, so only
/// what looks like one is quoted.
fn showable(name: &str, value: &str) -> String {
    let plain = name.len() <= 24 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if plain && !name.is_empty() && !value.is_empty() {
        format!("option `{name}`")
    } else {
        "option (not quoted: it may be part of a password; write `&` as %26 and `?` as %3F there)".to_owned()
    }
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.url.scheme())?;
        // An `@` behind the host: what stands before it was meant as user and password, and parsed as host and path.
        if self.url.path().contains('@') || self.url.query().is_some_and(|query| query.contains('@')) {
            return f.write_str("…");
        }
        if let Some(host) = self.url.host_str() {
            write!(f, "//{host}")?;
            if let Some(port) = self.url.port() {
                write!(f, ":{port}")?;
            }
        }
        f.write_str(self.url.path())
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

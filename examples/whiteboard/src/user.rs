//! Who may log in. A demonstration has no accounts to protect: one word opens them all, and the page says so.

use serde::{Deserialize, Serialize};

/// The password of everybody.
pub(crate) const PASSWORD: &str = "marker";

/// The names that can log in; the database has a profile for each.
pub(crate) const NAMES: [&str; 3] = ["ada", "grace", "katherine"];

/// What a session holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
}

impl User {
    /// The user of these credentials.
    pub(crate) fn check(name: &str, password: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        (NAMES.contains(&name.as_str()) && password == PASSWORD).then_some(Self { id: name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_there_and_knows_the_word() {
        assert_eq!(User::check(" Ada ", PASSWORD).unwrap().id, "ada");
        assert!(User::check("ada", "Marker").is_none());
        assert!(User::check("eve", PASSWORD).is_none());
    }
}

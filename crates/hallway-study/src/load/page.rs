//! What the caches hold that hold types: a record with a text in it.

use bytes::Bytes;
use serde::de::Visitor;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A record. A clone shares the text, so that a cache which clones what it returns is not slowed down by our type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page {
    text: Text,
}

impl Page {
    /// A record of a text in UTF-8; it cannot be encoded if it is none.
    #[must_use]
    pub fn new(text: Bytes) -> Self {
        Self { text: Text(text) }
    }
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        &self.text.0
    }
}

#[derive(Debug, Clone)]
struct Text(Bytes);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.0).map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText;
        impl Visitor<'_> for OfText {
            type Value = Text;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(Bytes::copy_from_slice(text.as_bytes())))
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Text, E> {
                Ok(Text(text.into()))
            }
        }
        deserializer.deserialize_string(OfText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_readable_json_and_comes_back() {
        let json = serde_json::to_string(&Page::new(Bytes::from_static(b"once \"upon\""))).unwrap();
        assert_eq!(json, r#"{"text":"once \"upon\""}"#);
        let page: Page = serde_json::from_str(&json).unwrap();
        assert_eq!(page.as_ref(), b"once \"upon\"");
        serde_json::to_string(&Page::new(Bytes::from_static(b"\xff"))).unwrap_err();
    }
}

//! JSON arrays of keys, written without a serialiser.

/// An array of texts without control characters, which no key has.
pub(crate) fn array<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> String {
    let mut json = String::with_capacity(2 + texts.clone().map(|text| text.len() + 3).sum::<usize>());
    json.push('[');
    for (at, text) in texts.enumerate() {
        if at > 0 {
            json.push(',');
        }
        push_text(&mut json, text);
    }
    json.push(']');
    json
}

/// A key has no control characters, so two escapes are all that JSON needs.
pub(crate) fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for (at, part) in text.split(['"', '\\']).enumerate() {
        if at > 0 {
            json.push('\\');
            json.push(char::from(text.as_bytes()[part.as_ptr().addr() - text.as_ptr().addr() - 1]));
        }
        json.push_str(part);
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_json_text() {
        let check = |text: &str, expected: &str| {
            let mut json = String::new();
            push_text(&mut json, text);
            assert_eq!(json, expected);
        };
        check("plain", r#""plain""#);
        check(r#"a"b\c""#, r#""a\"b\\c\"""#);
        check("\"", r#""\"""#);
        check("é:☃", r#""é:☃""#);
    }

    #[test]
    fn arrays_may_be_empty() {
        assert_eq!(array([].into_iter()), "[]");
        assert_eq!(array(["a", "\"", "b"].into_iter()), r#"["a","\"","b"]"#);
    }
}

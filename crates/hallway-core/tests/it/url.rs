//! Store URLs: options taken out, secrets kept in.

use std::time::Duration;

use hallway_core::{ErrorKind, StoreUrl};
use proptest::prelude::*;

const CANARY: &str = "c4n4ryS3cr3t";

fn parse(text: &str) -> StoreUrl {
    StoreUrl::parse(text).unwrap()
}

#[test]
fn parts_are_decoded() {
    let url = parse("redis://us%40er:pa%2Fss@host:6380/3?a=1");
    assert_eq!(url.scheme(), "redis");
    assert_eq!(url.user().as_deref(), Some("us@er"));
    assert_eq!(url.password().as_deref(), Some("pa/ss"));
    assert_eq!(parse("sqlite:data/my%20app.db").path().to_str(), Some("data/my app.db"));
    assert_eq!(parse("sqlite::memory:").path().to_str(), Some(":memory:"));
    assert_eq!(parse("redis+unix:///run/redis.sock?db=1").path().to_str(), Some("/run/redis.sock"));
    assert_eq!(parse("moka:").path().to_str(), Some(""));
}

#[test]
fn options_are_taken_out_by_kind() {
    let mut url = parse("moka:?max=64MiB&deadline=250ms&flag=true&n=7&plain=1000");
    assert_eq!(url.take_size("max").unwrap(), Some(64 << 20));
    assert_eq!(url.take_duration("deadline").unwrap(), Some(Duration::from_millis(250)));
    assert_eq!(url.take_bool("flag").unwrap(), Some(true));
    assert_eq!(url.take_parsed::<u32>("n", "a whole number").unwrap(), Some(7));
    assert_eq!(url.take_size("plain").unwrap(), Some(1_000));
    assert_eq!(url.take_size("absent").unwrap(), None);
    url.finish().unwrap();
}

#[test]
fn bad_options_name_themselves_and_the_remedy() {
    fn check<T: std::fmt::Debug>(text: &str, take: fn(&mut StoreUrl) -> hallway_core::Result<T>, remedy: &str) {
        let error = take(&mut parse(text)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("`x`") && error.to_string().contains(remedy), "{error}");
        assert!(!error.to_string().contains(CANARY), "{error}");
    }
    for text in ["moka:?x=c4n4ryS3cr3t", "moka:?x=", "moka:?x=-1", "moka:?x=10"] {
        check(text, |url| url.take_duration("x"), "250ms");
        check(text, |url| url.take_bool("x"), "true or false");
    }
    check("moka:?x=c4n4ryS3cr3t", |url| url.take_size("x"), "64MiB");
    check("moka:?x=0", |url| url.take_size("x"), "more than 0");
    check("moka:?x=0s", |url| url.take_duration("x"), "longer than 0");
    check("moka:?x=1.5", |url| url.take_parsed::<u64>("x", "a whole number"), "a whole number");
}

#[test]
fn an_unknown_option_is_answered_with_the_known_ones() {
    let mut url = parse("moka:?maxx=1&max=2");
    url.take("max");
    url.take("deadline");
    let error = url.finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert_eq!(error.message(), "unknown option `maxx` for `moka`; known options: deadline, max");
}

#[test]
fn an_option_given_twice_is_refused() {
    assert!(StoreUrl::parse("moka:?max=1&max=2").unwrap_err().to_string().contains("`max` is given twice"));
}

#[test]
fn a_fragment_is_refused() {
    for text in ["redis://h/0#c4n4ryS3cr3t", "redis://h:1#c4n4ryS3cr3t@h/0", "redis://c4n4ryS3cr3t#@h/0"] {
        let error = StoreUrl::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(!error.to_string().contains(CANARY), "{error}");
    }
}

#[test]
fn text_without_a_scheme_says_what_is_expected() {
    for text in ["", "localhost", "/var/run/redis.sock", "c4n4ryS3cr3t"] {
        let error = StoreUrl::parse(text).unwrap_err();
        assert!(error.to_string().contains("moka:?max=64MiB"), "{error}");
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
    }
}

#[test]
fn passwords_that_should_have_been_escaped_stay_hidden() {
    for text in [
        "redis://user:12/c4n4ryS3cr3t@host/0",
        "redis://c4n4ryS3cr3t/@host/0",
        "redis://c4n4ryS3cr3t?@host/0",
        "redis://:1?c4n4ryS3cr3t@host/0",
        "postgres://host/db?password=a&c4n4ryS3cr3t",
        "postgres://host/db?password=a&c4n4ryS3cr3t=&c4n4ryS3cr3t=",
    ] {
        let shown = match StoreUrl::parse(text) {
            Err(error) => format!("{error} {error:?}"),
            Ok(mut url) => {
                url.take("password");
                format!("{url} {url:?} {:?}", url.clone().finish())
            }
        };
        assert!(!shown.contains(CANARY), "{text} shows {shown}");
    }
}

/// URLs that hold the canary where secrets stand, some of them broken.
fn secret_url() -> impl Strategy<Value = String> {
    let scheme =
        prop::sample::select(vec!["redis", "rediss", "redis+unix", "postgres", "sqlite", "moka", "http", "x-y"]);
    let secret = prop_oneof![
        Just(CANARY.to_owned()),
        "[a-z%/@:?&=#\\[\\] ]{0,4}".prop_map(|noise| format!("{noise}{CANARY}")),
        "[a-z%/@:?&=#\\[\\] ]{0,4}".prop_map(|noise| format!("{CANARY}{noise}")),
    ];
    let place = 0..6_u8;
    let host = prop::sample::select(vec!["host", "127.0.0.1:6379", "[::1]:1", "host:99999", "", "a b", "[", "host:x"]);
    (scheme, secret, place, host, "[a-z0-9/]{0,6}").prop_map(|(scheme, secret, place, host, path)| match place {
        0 => format!("{scheme}://:{secret}@{host}/{path}"),
        1 => format!("{scheme}://{secret}@{host}/{path}"),
        2 => format!("{scheme}://user:{secret}@{host}/{path}?db=1"),
        3 => format!("{scheme}://{host}/{path}?password={secret}"),
        4 => format!("{scheme}:{path}?sslpassword={secret}&max=1"),
        _ => format!("{scheme}://user:pass@{host}/{path}?a=1&token={secret}&a=2"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_output_shows_a_secret(text in secret_url()) {
        let mut shown = String::new();
        match StoreUrl::parse(&text) {
            Err(error) => shown += &format!("{error} {error:?}"),
            Ok(mut url) => {
                shown += &format!("{url} {url:?} {:?}", url.clone());
                for error in [
                    url.take_duration("password").err(),
                    url.take_size("sslpassword").err(),
                    url.take_parsed::<u8>("token", "a number").err(),
                    url.finish().err(),
                ].into_iter().flatten() {
                    shown += &format!("{error} {error:?}");
                }
            }
        }
        prop_assert!(!shown.contains(CANARY), "{} shows it: {}", text, shown);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        if let Ok(url) = StoreUrl::parse(&text) {
            let _ = format!("{url} {url:?} {:?} {:?} {:?}", url.path(), url.user(), url.password());
        }
    }
}

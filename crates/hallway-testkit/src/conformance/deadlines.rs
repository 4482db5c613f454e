//! Errors, deadlines and what may be shown to whom.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{Capability, DeleteIf, Error, ErrorKind, KvStore, Prefix, Result, SetOptions, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

/// No call takes longer, whatever its deadline.
const AT_MOST: Duration = Duration::from_secs(10);

const SECRET_ID: &str = "canary-id-7f3a91";
const SECRET_VALUE: &str = "canary-value-c04d52";

fn assert_secret_free(shown: &str) {
    for secret in [SECRET_ID, SECRET_VALUE] {
        assert!(!shown.contains(secret), "`{shown}` shows `{secret}`");
        // Nor as a list of bytes, as a derived `Debug` would show them.
        let bytes = format!("{:?}", secret.as_bytes());
        assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "`{shown}` shows the bytes of `{secret}`");
    }
}

/// The error of a call that must end in time and fail.
async fn failure<T: fmt::Debug>(what: &str, call: impl Future<Output = Result<T>>) -> Error {
    match tokio::time::timeout(AT_MOST, call).await {
        Ok(Err(error)) => error,
        Ok(Ok(answer)) => panic!("{what} must fail, but answers {answer:?}"),
        Err(_) => panic!("{what} hangs"),
    }
}

pub(super) async fn c93_errors_show_neither_key_nor_value(fixture: &Fixture) -> Outcome {
    let (store, secret, value) = (fixture.store(), key(SECRET_ID), text(SECRET_VALUE));
    let zero = SetOptions::new(Duration::ZERO);
    let over = Bytes::from(SECRET_VALUE.repeat(fixture.max_value() / SECRET_VALUE.len() + 1));
    store.set(&secret, value.clone(), for_an_hour()).await?;
    let mut errors = vec![
        failure("set with no TTL", store.set(&secret, value.clone(), zero)).await,
        failure("set over the cap", store.set(&secret, over.clone(), for_an_hour())).await,
        failure("set_many over the cap", store.set_many(&[(secret.clone(), over, Ttl::After(HOUR))])).await,
        failure("increment of text", store.increment(&secret, 1, Ttl::After(HOUR))).await,
        failure("scan without limit", store.scan(&Prefix::root(), None, 0)).await,
        failure("clear of the root", store.clear(&Prefix::root())).await,
    ];
    if let Some(failed) = fixture.failed().await {
        errors.push(failure("get", failed.get(&secret)).await);
        errors.push(failure("set", failed.set(&secret, value.clone(), for_an_hour())).await);
        errors.push(failure("get_many", failed.get_many(std::slice::from_ref(&secret))).await);
        errors.push(failure("set_many", failed.set_many(&[(secret.clone(), value, Ttl::After(HOUR))])).await);
    }
    for error in &errors {
        assert_secret_free(&shown(error));
        let line = error.to_string();
        assert!(!line.is_empty() && !line.contains('\n'), "`{line}` is not one line");
    }
    for error in errors.iter().filter(|error| matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::TooLarge)) {
        assert!(!error.is_retryable(), "the same input is wrong again: {error}");
    }
    Ok(())
}

pub(super) async fn c94_debug_output_shows_neither_key_nor_value(fixture: &Fixture) -> Outcome {
    let (store, secret) = (fixture.store(), key(SECRET_ID));
    put(store, &secret, SECRET_VALUE).await?;
    put_for(store, &key(&format!("{SECRET_ID}-2")), SECRET_VALUE, HOUR).await?;
    reads(store, &secret, Some(SECRET_VALUE)).await?;
    for debug in [format!("{store:?}"), format!("{store:#?}"), format!("{:?}", store.with_deadline(HOUR))] {
        assert!(!debug.is_empty());
        assert_secret_free(&debug);
    }
    Ok(())
}

pub(super) async fn c95_a_failed_backend_is_an_error_never_a_miss(fixture: &Fixture) -> Outcome {
    let Some(failed) = fixture.failed().await else {
        let remote = fixture.can(Capability::Durable) || fixture.can(Capability::Shared);
        assert!(!remote, "a durable or shared store needs `Fixture::with_failed`");
        // What lives in this process alone has no backend that could fail.
        return fixture.store().ping().await;
    };
    let key = key("k");
    let read = |what: &str, error: Error| {
        use ErrorKind::{Corrupt, InvalidConfig, Overloaded, Unauthorized, Unavailable};
        let honest = matches!(error.kind(), Corrupt | InvalidConfig | Overloaded | Unauthorized | Unavailable);
        assert!(honest, "{what}: {:?} is no word for a failed backend: {error}", error.kind());
    };
    let write = |what: &str, error: Error| match error.kind() {
        ErrorKind::Indeterminate | ErrorKind::OutOfMemory => {}
        _ => read(what, error),
    };
    read("get", failure("get", failed.get(&key)).await);
    read("get_entry", failure("get_entry", failed.get_entry(&key)).await);
    read("get_many", failure("get_many", failed.get_many(&[key.clone(), key.clone()])).await);
    read("time", failure("time", failed.time()).await);
    read("ping", failure("ping", failed.ping()).await);
    write("set", failure("set", failed.set(&key, text("v"), for_an_hour())).await);
    write("set_many", failure("set_many", failed.set_many(&[(key.clone(), text("v"), Ttl::After(HOUR))])).await);
    write("delete", failure("delete", failed.delete(&key)).await);
    write("delete_many", failure("delete_many", failed.delete_many(std::slice::from_ref(&key))).await);
    if can_take(fixture).await? {
        write("take", failure("take", failed.take(&key)).await);
    }
    if can_increment(fixture).await? {
        write("increment", failure("increment", failed.increment(&key, 1, Ttl::After(HOUR))).await);
    }
    if fixture.can(Capability::Touch) {
        write("touch", failure("touch", failed.touch(&key, Ttl::After(HOUR))).await);
    }
    if fixture.can(Capability::Scan) {
        read("scan", failure("scan", failed.scan(&prefix("app"), None, 10)).await);
        write("clear", failure("clear", failed.clear(&prefix("app"))).await);
    }
    // Bad input is found out before anything is sent, so a failed backend does not hide it.
    refused(failed.set(&key, text("v"), SetOptions::new(Duration::ZERO)).await, ErrorKind::InvalidInput);
    Ok(())
}

pub(super) async fn c96_a_view_with_another_deadline_is_the_same_store(fixture: &Fixture) -> Outcome {
    let (store, seen) = (fixture.store(), key("seen"));
    for deadline in [AT_MOST, HOUR, Duration::MAX] {
        let view = store.with_deadline(deadline);
        put(store, &seen, "1").await?;
        reads(&*view, &seen, Some("1")).await?;
        put(&*view, &seen, "2").await?;
        reads(store, &seen, Some("2")).await?;
        let again = view.with_deadline(AT_MOST);
        reads(&*again, &seen, Some("2")).await?;
        assert!(again.delete(&seen).await?);
        reads(store, &seen, None).await?;
        drop((view, again));
        put(store, &seen, "a dropped view takes nothing along").await?;
    }
    Ok(())
}

pub(super) async fn c97_a_deadline_of_nothing_never_hangs(fixture: &Fixture) -> Outcome {
    let (store, hurried) = (fixture.store(), key("hurried"));
    put(store, &hurried, "old").await?;
    for deadline in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(50), Duration::from_micros(500)] {
        let view = store.with_deadline(deadline);
        for _ in 0..5 {
            in_time(false, view.get(&hurried)).await;
            in_time(false, view.get_entry(&hurried)).await;
            in_time(false, view.get_many(&[hurried.clone(), key("missing")])).await;
            in_time(true, view.set(&hurried, text("new"), for_an_hour())).await;
            in_time(true, view.set_many(&[(hurried.clone(), text("new"), Ttl::After(HOUR))])).await;
            in_time(true, view.delete_many(&[key("other")])).await;
            in_time(false, view.ping()).await;
            if fixture.can(Capability::Touch) {
                in_time(true, view.touch(&hurried, Ttl::After(HOUR))).await;
            }
            if fixture.can(Capability::ConditionalDelete) {
                in_time(true, view.delete_if(&hurried, DeleteIf::Equals(text("neither")))).await;
            }
            if fixture.can(Capability::Scan) {
                in_time(false, view.scan(&prefix("app"), None, 10)).await;
            }
        }
        let read = patient(fixture).get(&hurried).await?;
        assert!(read == Some(text("old")) || read == Some(text("new")), "a hurried write is done or not done");
    }
    // Nothing is left behind that would spoil calls with time enough.
    patient(fixture).ping().await?;
    usable(&*patient(fixture)).await
}

async fn in_time<T: fmt::Debug>(writes: bool, call: impl Future<Output = Result<T>>) {
    match tokio::time::timeout(AT_MOST, call).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => match error.kind() {
            ErrorKind::Unavailable => {}
            ErrorKind::Indeterminate if writes => {}
            kind => panic!("{kind:?} is no word for a deadline that has passed: {error}"),
        },
        Err(_) => panic!("the call does not end by its deadline"),
    }
}

/// Asserts that a store still does what it should.
pub(super) async fn usable(store: &dyn KvStore) -> Result<()> {
    for number in 0..10 {
        let key = key(&format!("usable-{number}"));
        put(store, &key, &number.to_string()).await?;
        reads(store, &key, Some(&number.to_string())).await?;
        assert!(store.delete(&key).await?);
        reads(store, &key, None).await?;
    }
    Ok(())
}

//! Futures that nobody waits for any more.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use hallway_core::{Key, SetOptions, Ttl};

use super::Outcome;
use super::deadlines::usable;
use super::given::*;
use crate::Fixture;

/// Drops a call at its first wait, or after a moment that differs from step to step.
async fn dropped<T>(step: usize, call: impl Future<Output = T>) -> Option<T> {
    match step % 8 {
        0 => call.now_or_never(),
        moment => tokio::time::timeout(Duration::from_micros(1 << (moment + 2)), call).await.ok(),
    }
}

pub(super) async fn c98_a_dropped_write_is_old_or_new_and_nothing_else(fixture: &Fixture) -> Outcome {
    let store = patient(fixture);
    let length = fixture.max_value().min(20_000);
    let (old, new) = (Bytes::from(vec![b'o'; length]), Bytes::from(vec![b'n'; length]));
    let keys: Vec<_> = (0..48).map(|number| key(&format!("dropped-{number}"))).collect();
    put(&*store, &key("bystander"), "v").await?;
    for (step, key) in keys.iter().enumerate() {
        store.set(key, old.clone(), for_an_hour()).await?;
        let written = match step % 3 {
            0 => dropped(step, store.set(key, new.clone(), for_an_hour())).await.is_some_and(|done| done.is_ok()),
            1 => {
                let items = [(key.clone(), new.clone(), Ttl::After(HOUR))];
                dropped(step, store.set_many(&items)).await.is_some_and(|done| done.is_ok())
            }
            _ => {
                let (store, key, new) = (store.clone(), key.clone(), new.clone());
                let task = tokio::spawn(async move { store.set(&key, new, SetOptions::new(HOUR)).await });
                tokio::time::sleep(Duration::from_micros(1 << (step % 8))).await;
                task.abort();
                task.await.is_ok_and(|done| done.is_ok())
            }
        };
        let read = store.get(key).await?.expect("a dropped write never deletes");
        assert!(read == new || (read == old && !written), "the value is the old or the new one");
        assert_life(remaining(&*store, key).await?, HOUR);
    }
    reads(&*store, &key("bystander"), Some("v")).await?;
    usable(&*store).await
}

pub(super) async fn c99_a_dropped_read_never_answers_another(fixture: &Fixture) -> Outcome {
    const KEYS: usize = 32;
    let store = patient(fixture);
    let numbered = |number: usize| key(&format!("own-{}", number % KEYS));
    for number in 0..KEYS {
        put(&*store, &numbered(number), &number.to_string()).await?;
    }
    together(&store, 8, |store, caller| async move {
        for step in 0..64 {
            let mine = caller * 5 + step;
            // Dropped with its request on the way, its answer is still to come when the next one asks.
            dropped(step, store.get(&numbered(mine + 1))).await;
            dropped(step + 3, store.get_many(&[numbered(mine + 2), numbered(mine + 3)])).await;
            let read = store.get(&numbered(mine)).await?;
            assert_eq!(read, Some(text(&(mine % KEYS).to_string())), "a read gets its own answer");
            let keys: [Key; 2] = [numbered(mine + 7), numbered(mine)];
            let many = store.get_many(&keys).await?;
            assert_eq!(many, [(mine + 7) % KEYS, mine % KEYS].map(|number| Some(text(&number.to_string()))));
        }
        Ok(())
    })
    .await?;
    usable(&*store).await
}

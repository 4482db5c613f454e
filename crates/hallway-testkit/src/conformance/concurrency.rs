//! Many callers at once.

use bytes::Bytes;
use hallway_core::{Capability, DeleteIf, ErrorKind, SetOptions, SetOutcome, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

/// How often a race between few callers is run.
const ROUNDS: usize = 30;

pub(super) async fn c77_of_32_inserts_one_wins(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    if !fixture.can(Capability::ConditionalSet) {
        return unsupported(store.set(&key("lock"), text("v"), for_an_hour().if_absent()).await);
    }
    for round in 0..5 {
        let lock = key(&format!("lock-{round}"));
        let outcomes = together(store, CALLERS, |store, number| {
            let key = lock.clone();
            async move { store.set(&key, text(&number.to_string()), for_an_hour().if_absent()).await }
        })
        .await?;
        let winner = only_winner(&outcomes);
        reads(store, &lock, Some(&winner.to_string())).await?;
    }
    Ok(())
}

pub(super) async fn c78_of_32_compare_and_sets_one_wins(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    if !fixture.can(Capability::ConditionalSet) {
        return unsupported(store.set(&key("swap"), text("v"), for_an_hour().if_equals(text("old"))).await);
    }
    for round in 0..5 {
        let swap = key(&format!("swap-{round}"));
        put(store, &swap, "old").await?;
        let outcomes = together(store, CALLERS, |store, number| {
            let key = swap.clone();
            async move { store.set(&key, text(&number.to_string()), for_an_hour().if_equals(text("old"))).await }
        })
        .await?;
        let winner = only_winner(&outcomes);
        reads(store, &swap, Some(&winner.to_string())).await?;
    }
    Ok(())
}

fn only_winner(outcomes: &[SetOutcome]) -> usize {
    let winners: Vec<_> = (0..).zip(outcomes).filter(|(_, outcome)| outcome.is_written()).map(|(n, _)| n).collect();
    assert_eq!(winners.len(), 1, "of {} callers exactly one writes", outcomes.len());
    winners[0]
}

pub(super) async fn c79_of_32_takes_one_wins(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    if !can_take(fixture).await? {
        put(store, &key("token"), "v").await?;
        return unsupported(store.take(&key("token")).await);
    }
    for round in 0..5 {
        let token = key(&format!("token-{round}"));
        put(store, &token, "v").await?;
        let taken = together(store, CALLERS, |store, _| {
            let key = token.clone();
            async move { store.take(&key).await }
        })
        .await?;
        let winners: Vec<_> = taken.into_iter().flatten().collect();
        assert_eq!(winners, [text("v")], "exactly one caller gets the value");
        reads(store, &token, None).await?;
    }
    Ok(())
}

pub(super) async fn c80_of_32_deletes_one_says_true(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let conditional = fixture.can(Capability::ConditionalDelete);
    for round in 0..5 {
        let doomed = key(&format!("doomed-{round}"));
        put(store, &doomed, "v").await?;
        let deleted = together(store, CALLERS, |store, number| {
            let key = doomed.clone();
            async move {
                match number % 3 {
                    0 if conditional => store.delete_if(&key, DeleteIf::Equals(text("v"))).await,
                    1 => Ok(store.delete_many(std::slice::from_ref(&key)).await? == 1),
                    _ => store.delete(&key).await,
                }
            }
        })
        .await?;
        assert_eq!(deleted.iter().filter(|deleted| **deleted).count(), 1, "exactly one caller deletes the entry");
        reads(store, &doomed, None).await?;
    }
    Ok(())
}

pub(super) async fn c81_concurrent_increments_lose_nothing(fixture: &Fixture) -> Outcome {
    const EACH: usize = 10;
    if !can_increment(fixture).await? {
        return unsupported(fixture.store().increment(&key("counter"), 1, Ttl::After(HOUR)).await);
    }
    let store = patient(fixture);
    let sums = together(&store, CALLERS, |store, _| async move {
        let mut sums = Vec::with_capacity(EACH);
        for _ in 0..EACH {
            sums.push(store.increment(&key("counter"), 1, Ttl::After(HOUR)).await?);
        }
        Ok(sums)
    })
    .await?;
    let mut sums: Vec<_> = sums.into_iter().flatten().collect();
    sums.sort_unstable();
    assert!(sums.iter().copied().eq(1..=(CALLERS * EACH) as i64), "every sum is handed out exactly once");
    reads(&*store, &key("counter"), Some(&(CALLERS * EACH).to_string())).await
}

pub(super) async fn c82_compare_and_set_loops_lose_nothing(fixture: &Fixture) -> Outcome {
    const EACH: usize = 8;
    if !fixture.can(Capability::ConditionalSet) {
        return unsupported(fixture.store().set(&key("list"), text("v"), for_an_hour().if_equals(text("old"))).await);
    }
    let store = patient(fixture);
    put(&*store, &key("list"), "").await?;
    together(&store, 8, |store, number| async move {
        for item in 0..EACH {
            // Each loser knows that somebody else has won, so the loop ends.
            loop {
                let seen = store.get(&key("list")).await?.unwrap_or_default();
                let mut list = seen.to_vec();
                list.extend_from_slice(format!("{number}.{item};").as_bytes());
                let opts = SetOptions::new(HOUR).if_equals(seen);
                if store.set(&key("list"), Bytes::from(list), opts).await?.is_written() {
                    break;
                }
            }
        }
        Ok(())
    })
    .await?;
    let list = store.get(&key("list")).await?.unwrap_or_default();
    let list = String::from_utf8_lossy(&list).into_owned();
    let mut items: Vec<_> = list.split_terminator(';').collect();
    items.sort_unstable();
    items.dedup();
    assert_eq!(items.len(), 8 * EACH, "no addition is lost or doubled: {list}");
    assert_eq!(list.matches(';').count(), 8 * EACH, "no addition is doubled: {list}");
    Ok(())
}

pub(super) async fn c83_a_set_is_never_lost_to_a_conditional_write(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let (set_if, delete_if) = (fixture.can(Capability::ConditionalSet), fixture.can(Capability::ConditionalDelete));
    if !set_if {
        return unsupported(store.set(&key("k"), text("v"), for_an_hour().if_equals(text("old"))).await);
    }
    for round in 0..ROUNDS {
        let raced = key(&format!("raced-{round}"));
        put(store, &raced, "old").await?;
        // Whichever comes first: the set either follows the others, or they find that `old` is gone.
        together(store, 4, |store, number| {
            let key = raced.clone();
            async move {
                match number {
                    0 => store.set(&key, text("set"), for_an_hour()).await?.is_written(),
                    1 => store.set(&key, text("swapped"), for_an_hour().if_equals(text("old"))).await?.is_written(),
                    2 if delete_if => store.delete_if(&key, DeleteIf::Equals(text("old"))).await?,
                    _ => store.set(&key, text("inserted"), for_an_hour().if_absent()).await?.is_written(),
                };
                Ok(())
            }
        })
        .await?;
        reads(store, &raced, Some("set")).await?;
    }
    Ok(())
}

pub(super) async fn c84_a_deleted_entry_is_never_brought_back(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let (set_if, touch) = (fixture.can(Capability::ConditionalSet), fixture.can(Capability::Touch));
    for round in 0..ROUNDS {
        let doomed = key(&format!("doomed-{round}"));
        put(store, &doomed, "old").await?;
        // A logout that races a late save and a touch: in any order, the entry ends up deleted.
        let done = together(store, 5, |store, number| {
            let key = doomed.clone();
            async move {
                match number {
                    0 => store.delete(&key).await,
                    1 if set_if => Ok(store.set(&key, text("saved"), for_an_hour().if_present()).await?.is_written()),
                    2 if set_if => {
                        Ok(store.set(&key, text("swapped"), for_an_hour().if_equals(text("old"))).await?.is_written())
                    }
                    3 if touch => store.touch(&key, Ttl::After(HOUR * 2)).await,
                    _ => Ok(store.get(&key).await?.is_some()),
                }
            }
        })
        .await?;
        assert!(done[0], "the entry was there when it was deleted");
        reads(store, &doomed, None).await?;
    }
    if !set_if {
        refused(store.set(&key("k"), text("v"), for_an_hour().if_present()).await, ErrorKind::Unsupported);
    }
    Ok(())
}

pub(super) async fn c85_readers_see_only_whole_entries(fixture: &Fixture) -> Outcome {
    const LIVES: [u64; 2] = [3_600, 7_200];
    let (store, shared) = (patient(fixture), key("shared"));
    let length = fixture.max_value().min(50_000);
    let value = move |number: usize| Bytes::from(vec![b'a' + (number % 2) as u8; length]);
    let opts = |number: usize| SetOptions::new(std::time::Duration::from_secs(LIVES[number % 2]));
    store.set(&shared, value(0), opts(0)).await?;
    let swaps = fixture.can(Capability::ConditionalSet);
    together(&store, 6, |store, caller| {
        let key = shared.clone();
        async move {
            for round in 0..40 {
                match caller {
                    0 => drop(store.set(&key, value(round), opts(round)).await?),
                    1 if swaps => drop(store.set(&key, value(round), opts(round).if_equals(value(round + 1))).await?),
                    _ => {
                        let entry = store.get_entry(&key).await?.expect("an overwrite never shows a missing entry");
                        assert_eq!(entry.value.len(), length, "no value is cut");
                        let first = entry.value[0];
                        assert!(entry.value.iter().all(|byte| *byte == first), "no value is mixed from two");
                        // Value and life belong together: the one is never shown with the other's.
                        let life = std::time::Duration::from_secs(LIVES[usize::from(first - b'a')]);
                        assert_life(entry.remaining.duration().expect("an overwrite never shows no deadline"), life);
                    }
                }
            }
            Ok(())
        }
    })
    .await?;
    Ok(())
}

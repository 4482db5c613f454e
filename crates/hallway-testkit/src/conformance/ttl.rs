//! How long an entry lives.

use std::time::{Duration, Instant};

use hallway_core::{Capability, ErrorKind, Key, MAX_TTL, SetOptions, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

pub(super) async fn c11_a_ttl_of_zero_is_invalid_and_nothing_is_written(fixture: &Fixture) -> Outcome {
    ttl_is_invalid(fixture, Duration::ZERO).await
}

pub(super) async fn c12_a_ttl_above_ten_years_is_invalid_and_nothing_is_written(fixture: &Fixture) -> Outcome {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
    for ttl in [MAX_TTL + Duration::from_nanos(1), YEAR * 11, Duration::MAX] {
        ttl_is_invalid(fixture, ttl).await?;
    }
    Ok(())
}

async fn ttl_is_invalid(fixture: &Fixture, ttl: Duration) -> Outcome {
    let (store, ttl) = (fixture.store(), Ttl::After(ttl));
    let counts = can_increment(fixture).await?;
    let (old, new) = (key("old"), key("new"));
    put(store, &old, "7").await?;
    for key in [&old, &new] {
        refused(store.set(key, text("8"), SetOptions::new(ttl)).await, ErrorKind::InvalidInput);
        if counts {
            refused(store.increment(key, 1, ttl).await, ErrorKind::InvalidInput);
        }
        if fixture.can(Capability::Touch) {
            refused(store.touch(key, ttl).await, ErrorKind::InvalidInput);
        }
        if fixture.can(Capability::ConditionalSet) {
            // Whether or not the condition holds.
            let opts = SetOptions::new(ttl);
            for opts in [opts.clone().if_absent(), opts.clone().if_present(), opts.if_equals(text("7"))] {
                refused(store.set(key, text("8"), opts).await, ErrorKind::InvalidInput);
            }
        }
    }
    let good = |key: &Key| (key.clone(), text("8"), Ttl::After(HOUR));
    let items = [good(&old), good(&new), (key("bad"), text("8"), ttl), good(&key("after"))];
    refused(store.set_many(&items).await, ErrorKind::InvalidInput);
    reads(store, &old, Some("7")).await?;
    assert_life(remaining(store, &old).await?, HOUR);
    for missing in [new, key("bad"), key("after")] {
        reads(store, &missing, None).await?;
    }
    Ok(())
}

pub(super) async fn c13_a_ttl_of_ten_years_is_accepted(fixture: &Fixture) -> Outcome {
    let (store, long) = (fixture.store(), key("long"));
    put_for(store, &long, "v", MAX_TTL).await?;
    assert_life(remaining(store, &long).await?, MAX_TTL);
    Ok(())
}

pub(super) async fn c14_a_ttl_below_a_millisecond_rounds_up(fixture: &Fixture) -> Outcome {
    let (store, brief) = (fixture.store(), key("brief"));
    for ttl in [Duration::from_nanos(1), Duration::from_micros(999)] {
        // Written, not refused and not deleted; that it is gone soon after is all that can be seen from outside.
        put_for(store, &brief, "v", ttl).await?;
        fixture.pass(Duration::from_millis(1) + GRAIN).await;
        reads(store, &brief, None).await?;
    }
    // Half a millisecond above 3,600,001 ms.
    let life = Duration::from_micros(3_600_001_500);
    let sent = Instant::now();
    put_for(store, &brief, "v", life).await?;
    let rest = remaining(store, &brief).await?;
    assert!(rest <= Duration::from_millis(3_600_002), "{rest:?} of {life:?} is more than rounding up explains");
    assert!(rest + sent.elapsed() + GRAIN >= life, "{rest:?} remain of {life:?}");
    Ok(())
}

pub(super) async fn c15_the_remaining_life_is_exact_to_milliseconds(fixture: &Fixture) -> Outcome {
    let (store, exact) = (fixture.store(), key("exact"));
    for millis in [90_500, 61_999, 3_600_001] {
        let life = Duration::from_millis(millis);
        let sent = Instant::now();
        put_for(store, &exact, "v", life).await?;
        let rest = remaining(store, &exact).await?;
        assert!(rest <= life, "{rest:?} remain of {life:?}");
        assert!(rest + sent.elapsed() + GRAIN >= life, "only {rest:?} remain of {life:?} after {:?}", sent.elapsed());
    }
    Ok(())
}

pub(super) async fn c16_reading_never_prolongs_a_life(fixture: &Fixture) -> Outcome {
    let (store, read) = (fixture.store(), key("read"));
    put_for(store, &read, "v", SHORT).await?;
    let before = Instant::now();
    let mut least = SHORT;
    // Read until a quarter is left, as far as the entry is there at all on a machine that is busy.
    for _ in 0..6 {
        fixture.pass(SHORT / 8).await;
        let Some(entry) = store.get_entry(&read).await? else { break };
        let rest = entry.remaining.duration().expect("the entry has a deadline");
        assert!(rest <= least, "the rest of a life grows from {least:?} to {rest:?}");
        least = rest;
        store.get(&read).await?;
        store.get_many(&[read.clone(), key("missing")]).await?;
        store.try_get(&read);
    }
    let left = if fixture.has_stepped_clock() { SHORT } else { SHORT.saturating_sub(before.elapsed()) };
    fixture.pass(left + GRAIN).await;
    reads(store, &read, None).await
}

pub(super) async fn c17_forever_has_no_deadline(fixture: &Fixture) -> Outcome {
    let (store, kept) = (fixture.store(), key("kept"));
    let opts = SetOptions::new(Ttl::Forever);
    if !fixture.can(Capability::Forever) {
        unsupported(store.set(&kept, text("v"), opts).await)?;
        unsupported(store.set_many(&[(kept.clone(), text("v"), Ttl::Forever)]).await)?;
        return reads(store, &kept, None).await;
    }
    store.set(&kept, text("v"), opts).await?;
    assert_eq!(entry(store, &kept).await?.remaining, Ttl::Forever);
    store.set_many(&[(key("batch"), text("v"), Ttl::Forever)]).await?;
    assert_eq!(entry(store, &key("batch")).await?.remaining, Ttl::Forever);
    if can_increment(fixture).await? {
        store.increment(&key("counter"), 1, Ttl::Forever).await?;
        assert_eq!(entry(store, &key("counter")).await?.remaining, Ttl::Forever);
    }
    fixture.pass(SHORT).await;
    reads(store, &kept, Some("v")).await
}

pub(super) async fn c18_a_set_replaces_the_ttl_by_a_shorter_one(fixture: &Fixture) -> Outcome {
    let (store, short) = (fixture.store(), key("short"));
    put(store, &short, "long").await?;
    put_for(store, &short, "short", SHORT).await?;
    fixture.pass(SHORT + GRAIN).await;
    reads(store, &short, None).await
}

pub(super) async fn c19_a_set_replaces_the_ttl_by_a_longer_one(fixture: &Fixture) -> Outcome {
    let (store, long) = (fixture.store(), key("long"));
    put_for(store, &long, "short", SHORT).await?;
    put(store, &long, "long").await?;
    assert_life(remaining(store, &long).await?, HOUR);
    fixture.pass(SHORT + GRAIN).await;
    reads(store, &long, Some("long")).await
}

pub(super) async fn c20_a_set_replaces_forever_and_is_replaced_by_it(fixture: &Fixture) -> Outcome {
    let (store, changing) = (fixture.store(), key("changing"));
    if !fixture.can(Capability::Forever) {
        put(store, &changing, "v").await?;
        unsupported(store.set(&changing, text("w"), SetOptions::new(Ttl::Forever)).await)?;
        return reads(store, &changing, Some("v")).await;
    }
    put_for(store, &changing, "v", Ttl::Forever).await?;
    put(store, &changing, "v").await?;
    assert_life(remaining(store, &changing).await?, HOUR);
    put_for(store, &changing, "v", Ttl::Forever).await?;
    assert_eq!(entry(store, &changing).await?.remaining, Ttl::Forever);
    Ok(())
}

pub(super) async fn c21_a_copy_with_the_remaining_life_never_lives_longer(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let life = Duration::from_millis(90_000);
    let mut from = key("copy-0");
    put_for(store, &from, "v", life).await?;
    // A life begins when the backend runs the write, so each hop may gain what its write took to get there.
    let mut under_way = Duration::ZERO;
    for number in 1..=20 {
        let asked = Instant::now();
        let rest = remaining(store, &from).await?;
        // As everybody moves an entry: counted from before the request, down to whole milliseconds.
        let left = Duration::from_millis(rest.saturating_sub(asked.elapsed()).as_millis() as u64);
        let to = key(&format!("copy-{number}"));
        let asked = Instant::now();
        put_for(store, &to, "v", left).await?;
        under_way += asked.elapsed();
        let copied = remaining(store, &to).await?;
        assert!(copied <= rest, "a copy of an entry with {rest:?} has {copied:?}");
        from = to;
    }
    // Twenty hops that each rounded to seconds, or up, would have passed the original by now. The original is read
    // last, so what it has left is the least it had while the copy was read.
    let asked = Instant::now();
    let last = remaining(store, &from).await?;
    let original = remaining(store, &key("copy-0")).await? + asked.elapsed();
    assert!(last <= original + under_way + GRAIN, "the last copy has {last:?}, the original {original:?}");
    Ok(())
}

pub(super) async fn c22_the_items_of_a_batch_keep_their_own_ttl(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let lives = [SHORT, HOUR, Duration::from_secs(900), HOUR * 24];
    let items: Vec<_> =
        (0..).zip(lives).map(|(number, life)| (key(&format!("item-{number}")), text("v"), Ttl::After(life))).collect();
    store.set_many(&items).await?;
    for ((key, _, _), life) in items.iter().zip(lives).skip(1) {
        assert_life(remaining(store, key).await?, life);
    }
    fixture.pass(SHORT + GRAIN).await;
    reads(store, &items[0].0, None).await?;
    reads(store, &items[1].0, Some("v")).await
}

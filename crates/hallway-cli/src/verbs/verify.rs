//! `hallway verify`: are the copies in the shared tier what the authority has?
//!
//! A copy and its authority cannot be read at one instant, so a difference means something only if it stays: the copy
//! has the random name of its fill, and what differs under the same name one pause later is stale.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hallway::{CopyView, Key, KvStore, Prefix, Token};
use rand::RngExt as _;
use serde::Serialize;

use super::yes_or_no;
use crate::copies::{self, PAGE, Seen, Walk};
use crate::failure::Failure;
use crate::key_args;
use crate::output::Output;
use crate::tier_args::{TierArgs, duration};

/// Tags that are printed; the count is exact.
const SHOWN: usize = 20;

#[derive(Args)]
pub(crate) struct Verify {
    /// Share of the copies to compare: above 0, up to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    sample: f64,
    /// Only copies of keys below this prefix, such as user:profile
    #[arg(long)]
    prefix: Option<String>,
    /// Compare again after so long; may be given several times, such as --wait 1s --wait 60s
    #[arg(long = "wait", value_name = "DURATION", default_value = "1s", value_parser = duration)]
    waits: Vec<Duration>,
    /// Most copies to compare
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    tiers: TierArgs,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "a share is above 0 and at most 1, such as 0.01".to_owned())
}

#[derive(Serialize)]
struct Report {
    /// Copies that were met.
    copies: u64,
    /// Copies of what a loader gave: only the application can compare them.
    loaded: u64,
    /// Keys that somebody was loading or writing.
    busy: u64,
    /// Copies that were compared.
    sampled: usize,
    rounds: Vec<Round>,
    /// Copies that differed, unchanged, from one round to a later one.
    stale: usize,
    /// Namespace and tag of the first of them. A tag means something within this one run only.
    stale_keys: Vec<String>,
}

#[derive(Serialize)]
struct Round {
    after_ms: u128,
    /// Copies that still stood.
    compared: usize,
    differing: usize,
}

/// One copy under watch.
struct Watched {
    copy: Key,
    key: Key,
    /// The fill that differed the last time.
    differing: Option<Token>,
    stale: bool,
}

impl Verify {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let prefix = self.prefix.as_deref().map_or_else(|| Ok(Prefix::root()), key_args::prefix)?;
        let stores = self.tiers.deployment()?.open_stores().await?;
        let (Some(shared), Some(authority)) = (stores.shared, stores.consistent) else {
            return Err(Failure::usage(
                "copies are compared with what they are copies of: name a shared and a consistent tier (--shared URL \
                 --consistent URL); without a consistent tier the shared one is the truth itself",
            ));
        };
        let mut report =
            Report { copies: 0, loaded: 0, busy: 0, sampled: 0, rounds: vec![], stale: 0, stale_keys: vec![] };
        let mut watched = self.choose(&*shared, &prefix, &mut report).await?;
        report.sampled = watched.len();

        let mut waits = self.waits.clone();
        waits.sort_unstable();
        let mut passed = Duration::ZERO;
        report.rounds.push(compare(&shared, &authority, &mut watched, passed).await?);
        for wait in waits {
            tokio::time::sleep(wait.saturating_sub(passed)).await;
            passed = passed.max(wait);
            report.rounds.push(compare(&shared, &authority, &mut watched, passed).await?);
        }
        // What differed for the first time in the last round has not been given its chance yet.
        if watched.iter().any(|copy| copy.differing.is_some() && !copy.stale) {
            let pause = self.waits.iter().min().copied().unwrap_or_default();
            tokio::time::sleep(pause).await;
            report.rounds.push(compare(&shared, &authority, &mut watched, passed + pause).await?);
        }
        let stale: Vec<_> = watched.iter().filter(|copy| copy.stale).collect();
        report.stale = stale.len();
        report.stale_keys = stale.iter().take(SHOWN).map(|copy| tag(&copy.key)).collect();
        output.answer(&report, || text(&report, self.sample))?;
        Ok(yes_or_no(stale.is_empty()))
    }

    /// Goes through all copies and keeps a random share.
    async fn choose(
        &self,
        shared: &dyn KvStore,
        prefix: &Prefix,
        report: &mut Report,
    ) -> Result<Vec<Watched>, Failure> {
        let mut walk = Walk::new(prefix)?;
        let mut watched = Vec::new();
        while let Some(page) = walk.next(shared, PAGE).await? {
            report.copies += page.len() as u64;
            let chosen: Vec<Key> = page.into_iter().filter(|_| rand::rng().random_bool(self.sample)).collect();
            for (copy, seen) in chosen.iter().zip(copies::look(shared, &chosen).await?) {
                match seen {
                    Seen::Plain(key, ..) => {
                        watched.push(Watched { copy: copy.clone(), key, differing: None, stale: false });
                    }
                    Seen::Loaded => report.loaded += 1,
                    Seen::Lease | Seen::Markers => report.busy += 1,
                    Seen::Nothing => {}
                }
            }
            if walk.is_over() || watched.len() >= self.limit as usize {
                break;
            }
        }
        watched.truncate(self.limit as usize);
        Ok(watched)
    }
}

/// Compares every copy that still stands. Copies are read first: one that a write has made unusable meanwhile is then
/// no copy in the next round.
async fn compare(
    shared: &Arc<dyn KvStore>,
    authority: &Arc<dyn KvStore>,
    watched: &mut [Watched],
    after: Duration,
) -> Result<Round, Failure> {
    let mut round = Round { after_ms: after.as_millis(), compared: 0, differing: 0 };
    for batch in watched.chunks_mut(PAGE) {
        let copies: Vec<Key> = batch.iter().map(|one| one.copy.clone()).collect();
        let keys: Vec<Key> = batch.iter().map(|one| one.key.clone()).collect();
        let seen = copies::look(&**shared, &copies).await?;
        let truth = authority.get_many(&keys).await?;
        for ((one, seen), truth) in batch.iter_mut().zip(seen).zip(truth) {
            let Seen::Plain(_, header, payload) = seen else {
                one.differing = None;
                continue;
            };
            round.compared += 1;
            if truth.as_ref() == Some(&payload) {
                one.differing = None;
                continue;
            }
            round.differing += 1;
            one.stale |= one.differing == Some(header.id);
            one.differing = Some(header.id);
        }
    }
    Ok(round)
}

/// `user:profile#1a2b3c4d`: the namespace, and a tag in the place of the id, which may be a credential.
fn tag(key: &Key) -> String {
    let shown = format!("{key:?}");
    shown.strip_prefix("Key(").and_then(|shown| shown.strip_suffix(')')).unwrap_or(&shown).to_owned()
}

fn text(report: &Report, sample: f64) -> String {
    let mut lines = vec![format!(
        "{} keys below {}:, {} compared with the consistent tier; {} from loaders and {} in use left out",
        report.copies,
        CopyView::namespace().as_str(),
        report.sampled,
        report.loaded,
        report.busy
    )];
    for round in &report.rounds {
        lines.push(format!(
            "after {:>6} ms  {} still stand, {} differ",
            round.after_ms, round.compared, round.differing
        ));
    }
    if report.sampled == 0 {
        lines.push(format!("nothing was compared; raise --sample, which is {sample}, to look at more"));
    }
    lines.push(match report.stale {
        0 => "no stale copy".to_owned(),
        count => format!("{count} stale: {}{}", report.stale_keys.join(", "), if count > SHOWN { ", …" } else { "" }),
    });
    lines.join("\n")
}

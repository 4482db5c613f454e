//! One batch on the wire: what is tried again, what is split, who gets which answer.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hallway_core::ErrorKind;
use hallway_core::mutant::Mutant;
use tokio::time::Instant;

use crate::failure::{Effect, Failure};
use crate::lane::Lane;
use crate::lane::queue::{Call, QUEUED, Request};
use crate::link::{Answer, Args, Item, Link, Row};

/// How often a statement that lost against other transactions is tried again.
const RETRIES: u32 = 3;

/// After so many calls of a failed batch have waited in vain one by one, the rest need not try.
const IN_VAIN: u32 = 2;

impl Lane {
    /// Runs a batch and answers its calls; says whether the connection is still good.
    pub(super) async fn execute(&self, link: &mut dyn Link, batch: Vec<Call>) -> bool {
        let mut groups = VecDeque::from([batch]);
        // Why the batch failed as a whole, and how many of its calls in a row waited in vain again since.
        let (mut split, mut in_vain): (Option<Failure>, u32) = (None, 0);
        while let Some(mut group) = groups.pop_front() {
            if let Some(failure) = &split {
                let hopeless = in_vain >= IN_VAIN;
                if hopeless || group.iter().all(|call| call.deadline <= Instant::now()) {
                    for call in group {
                        call.reply(Err(failure.clone()));
                    }
                    continue;
                }
            }
            if !link.is_ready()
                && let Err(failure) = link.prepare().await
            {
                for call in group {
                    call.reply(Err(failure.clone()));
                }
                continue;
            }
            // Its caller has not been told yet, with its runtime busy elsewhere, and shall not wait for what comes late.
            let now = Instant::now();
            for late in group.extract_if(.., |call| call.request.verb.writes() && call.deadline <= now) {
                late.reply(Err(Failure::new(
                    ErrorKind::Unavailable,
                    Effect::Drop,
                    "the deadline passed before the write could be sent",
                )));
            }
            group.retain(Call::take);
            if group.is_empty() {
                link.release();
                continue;
            }
            match self.run(link, &group).await {
                Ok(answer) => {
                    in_vain = 0;
                    distribute(group, answer);
                }
                Err(failure) => {
                    let verb = group[0].request.verb;
                    let doubtful = matches!(failure.effect, Effect::Drop | Effect::Lost);
                    // A private database ends with its connection, which is given up only if it has ended itself.
                    let kept = doubtful && self.opener.is_private() && link.check().await.is_ok();
                    if doubtful && !kept {
                        let mut again: Vec<Call> = Vec::new();
                        // The answer may have been too large to come in time.
                        let half = (group.len() / 2).max(1);
                        for mut call in group {
                            // A read may be asked again; so may whatever was certainly not done.
                            let harmless =
                                !verb.writes() || failure.effect == Effect::Drop || Mutant::RetryWrite.is_on();
                            if harmless && !call.retried && Instant::now() < call.deadline {
                                call.retried = true;
                                call.most = half;
                                again.push(call);
                            } else {
                                call.reply(Err(failure.clone()));
                            }
                        }
                        again.extend(groups.into_iter().flatten());
                        let mut state = self.lock();
                        state.idle.iter_mut().for_each(|idle| idle.suspect = true);
                        state.push_front(again);
                        return false;
                    }
                    // One of them may be to blame for all: each gets a statement of its own.
                    let busy = matches!(failure.effect, Effect::Again | Effect::Busy);
                    if group.len() > 1 && (busy || failure.effect == Effect::Item) {
                        // Certainly not done, so its caller may still give it up as never sent.
                        group.iter().for_each(|call| call.shared.state.store(QUEUED, Ordering::Release));
                        groups.extend(group.into_iter().map(|call| vec![call]));
                        split = Some(failure);
                        continue;
                    }
                    in_vain = if busy { in_vain + 1 } else { 0 };
                    for call in group {
                        call.reply(Err(failure.clone()));
                    }
                }
            }
        }
        true
    }

    fn begin(&self) {
        let mut state = self.lock();
        state.batches += 1;
        state.begun = Some(Instant::now());
    }

    async fn run(&self, link: &mut dyn Link, group: &[Call]) -> Result<Answer, Failure> {
        let Request { verb, enlisted, ref bounds, .. } = group[0].request;
        // Sorted, so that all writers lock rows in one order; reads ask once for a key that several callers want.
        let mut items: Vec<&Item> = group.iter().flat_map(|call| &call.request.items).collect();
        if items.len() > 1 {
            items.sort_unstable_by(|one, other| one.key.cmp(&other.key));
            items.dedup_by(|one, other| one.key == other.key);
        }
        // A read goes on for whoever waits longest. A write must not be done much later than any caller gave up.
        let deadlines = group.iter().map(|call| call.deadline);
        let until = if verb.writes() { deadlines.min() } else { deadlines.max() }.unwrap_or_else(Instant::now);
        let args = Args { items: &items, bounds, cap: self.cap, until };
        let statement = self.statements.get(verb, enlisted);
        self.opener.counters.sent(group.len());
        let mut attempt = 0;
        loop {
            if !link.is_ready() {
                link.prepare().await?;
            }
            self.begin();
            let begun = Instant::now();
            let run = link.run(statement, &args);
            let ran = match self.limit {
                Some(limit) => tokio::time::timeout(limit, run).await.unwrap_or_else(|_| {
                    Err(Failure::new(
                        ErrorKind::Unavailable,
                        Effect::Lost,
                        format!("the database did not answer within {limit:?}; its connection was given up"),
                    ))
                }),
                None => run.await,
            };
            if let Ok(answer) = &ran {
                self.note(begun.elapsed());
                if verb.brings_values() {
                    self.learn(items.len(), answer);
                }
                return ran;
            }
            let pause = full_jitter(attempt);
            let lost = ran.as_ref().is_err_and(|failure| failure.effect == Effect::Again);
            if !lost || attempt >= RETRIES || Instant::now() + pause + self.patience >= until {
                return ran;
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }
}

/// Any time up to a bound that doubles.
pub(crate) fn full_jitter(attempt: u32) -> Duration {
    Duration::from_millis(10 << attempt.min(7)).mul_f64(rand::random::<f64>())
}

/// Gives each call the rows of its own keys.
fn distribute(mut group: Vec<Call>, answer: Answer) {
    if group.len() == 1 {
        if let Some(call) = group.pop() {
            call.reply(Ok(answer));
        }
        return;
    }
    // Sorted by key, so that a row finds the calls it belongs to.
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (call, asked) in group.iter().enumerate() {
        order.extend((0..asked.request.items.len()).map(|item| (call, item)));
    }
    let key = |&(call, item): &(usize, usize)| group[call].request.items[item].key.as_str();
    order.sort_unstable_by(|one, other| key(one).cmp(key(other)));
    let mut rows: Vec<Vec<Row>> = vec![Vec::new(); group.len()];
    for row in answer.rows {
        let from = order.partition_point(|at| key(at) < row.key.as_str());
        let owners = order[from..].iter().take_while(|at| key(at) == row.key);
        for &(call, _) in owners {
            rows[call].push(row.clone());
        }
    }
    for (call, rows) in group.into_iter().zip(rows) {
        let changed = call.request.items.len() as u64;
        call.reply(Ok(Answer { rows, changed }));
    }
}

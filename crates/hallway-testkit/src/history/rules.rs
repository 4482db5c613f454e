//! Promises that are judged without searching an order.
//!
//! Each reports only what is certain from the times of calls and returns; which of two concurrent writes came later is
//! not guessed. So they may be silent where a better recording would show a violation, but never wrong.

use std::collections::HashMap;
use std::time::Duration;

use super::check::{Rule, Violation, by_key};
use super::facts::Facts;
use super::{History, Input, Operation};

/// Values that somebody saw and nobody wrote.
///
/// A sum of increments is left to [`check`](super::check).
#[must_use]
pub fn only_written_values(history: &History) -> Vec<Violation> {
    each_key(history, |facts, found| {
        for (index, operation) in facts.operations() {
            if let Some(Some(value)) = operation.saw()
                && facts.writer(value).is_none()
            {
                found.push((Rule::Corruption, vec![index], format!("{value} was never written")));
            } else if let Some(Some(value)) = operation.saw()
                && let Some(writer) = facts.writer(value)
                && operation.precedes(&history.operations[writer])
            {
                found.push((Rule::Corruption, vec![index, writer], format!("{value} was seen before it was written")));
            }
        }
    })
}

/// Values that were read after their deadline.
///
/// The deadline is at most a TTL after the moment by which the value was certainly there: its write had returned, or an
/// operation that had seen it. An operation **called** later than that and `slack` may not see the value, whether from
/// a copy or not. Nothing is concluded from one that was called before and returned after.
#[must_use]
pub fn expiry(history: &History, slack: Duration) -> Vec<Violation> {
    let slack = u64::try_from(slack.as_micros()).unwrap_or(u64::MAX);
    each_key(history, |facts, found| {
        for (index, operation) in facts.operations() {
            let Some(Some(value)) = operation.saw() else { continue };
            let Some(writer) = facts.writer(value) else { continue };
            let (Some(ttl), Some(by)) = (history.operations[writer].ttl, facts.there_by(value)) else { continue };
            let deadline = by.saturating_add(ttl);
            if operation.call > deadline.saturating_add(slack) {
                let late = operation.call - deadline;
                let message = format!("{value} was seen by an operation called {late} µs after its deadline");
                found.push((Rule::Expiry, vec![index, writer], message));
            }
        }
    })
}

/// Values that came back: seen by an operation called after an acknowledged removal (delete or take), although they
/// had been written before it was called. A cached read may come up to `delta` late.
#[must_use]
pub fn no_resurrection(history: &History, delta: Duration) -> Vec<Violation> {
    let delta = u64::try_from(delta.as_micros()).unwrap_or(u64::MAX);
    each_key(history, |facts, found| {
        let removals: Vec<(usize, &Operation)> = facts
            .operations()
            .filter(|(_, operation)| matches!(operation.input, Input::Delete | Input::Take) && operation.ret.is_some())
            .collect();
        for (index, operation) in facts.operations() {
            let Some(Some(value)) = operation.saw() else { continue };
            let excused = if operation.cached { delta } else { 0 };
            let came_back = removals.iter().find(|(removal, removed)| {
                *removal != index
                    && removed.ret.is_some_and(|ret| ret < operation.call.saturating_sub(excused))
                    && facts.before(Some(value), operation, *removal)
            });
            if let Some(&(removal, _)) = came_back {
                let message = format!("{value} was seen after it had been removed");
                let writer = facts.writer(value);
                found.push((Rule::Resurrection, [index, removal].into_iter().chain(writer).collect(), message));
            }
        }
    })
}

/// Reads in which a process did not see its own write or removal, which it knew was done when it called, nor anything
/// that may have come after it.
#[must_use]
pub fn read_your_writes(history: &History) -> Vec<Violation> {
    each_key(history, |facts, found| {
        let mut own: HashMap<u32, Vec<usize>> = HashMap::new();
        for (index, operation) in facts.operations() {
            if operation.ret.is_some() && (operation.writes().is_some() || operation.removes()) {
                own.entry(operation.process).or_default().push(index);
            }
        }
        for (index, operation) in facts.operations() {
            let (Some(seen), Some(own)) = (operation.saw(), own.get(&operation.process)) else { continue };
            let missed = own.iter().find(|&&change| {
                change != index
                    && history.operations[change].precedes(operation)
                    && facts.before(seen, operation, change)
            });
            if let Some(&change) = missed {
                let process = operation.process;
                let message = format!("process {process} saw {} after its own {}", show(seen), what(history, change));
                let writer = seen.and_then(|value| facts.writer(value));
                found.push((Rule::ReadYourWrites, [index, change].into_iter().chain(writer).collect(), message));
            }
        }
    })
}

/// Reads in which a process went back: to a value that had certainly been replaced when another that it saw before was
/// written, to one that it had seen replaced already, or to none before anything may have removed it. Only reads of
/// which one returned before the other was called are compared.
#[must_use]
pub fn monotonic_reads(history: &History) -> Vec<Violation> {
    each_key(history, |facts, found| {
        let mut by_process: HashMap<u32, Vec<usize>> = HashMap::new();
        for (index, operation) in facts.operations() {
            if operation.saw().is_some() {
                by_process.entry(operation.process).or_default().push(index);
            }
        }
        let mut processes: Vec<Vec<usize>> = by_process.into_values().collect();
        for reads in &mut processes {
            reads.sort_unstable_by_key(|&read| (history.operations[read].call, read));
            for (place, &later) in reads.iter().enumerate() {
                let operation = &history.operations[later];
                let seen = operation.saw().flatten();
                let earlier =
                    || reads[..place].iter().copied().filter(|&read| history.operations[read].precedes(operation));
                let newer = earlier().find(|&read| {
                    let before = history.operations[read].saw().flatten();
                    let writer = before.and_then(|value| facts.writer(value));
                    before != seen && writer.is_some_and(|writer| facts.before(seen, operation, writer))
                });
                let left = || {
                    // Seen, then something else, now again: it was written but once.
                    let value = seen?;
                    let first = earlier().find(|&read| history.operations[read].saw() == Some(Some(value)))?;
                    earlier().find(|&read| {
                        history.operations[read].saw() != Some(Some(value))
                            && history.operations[first].precedes(&history.operations[read])
                    })
                };
                if let Some(read) = newer.or_else(left) {
                    let process = operation.process;
                    let before = history.operations[read].saw().flatten();
                    let message = format!("process {process} saw {} after {}", show(seen), show(before));
                    let writer = seen.and_then(|value| facts.writer(value));
                    let operations = [later, read].into_iter().chain(writer).collect();
                    found.push((Rule::MonotonicReads, operations, message));
                }
            }
        }
    })
}

type Findings = Vec<(Rule, Vec<usize>, String)>;

/// Findings of every key, by the offending operation.
fn each_key(history: &History, mut look: impl FnMut(&Facts<'_>, &mut Findings)) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (key, indices) in by_key(history) {
        let Some(facts) = Facts::new(history, &indices) else { continue };
        let mut found = Findings::new();
        look(&facts, &mut found);
        found.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
        violations.extend(found.into_iter().map(|(rule, operations, message)| Violation {
            rule,
            key: key.to_owned(),
            operations,
            message,
        }));
    }
    violations
}

fn show(seen: Option<u64>) -> String {
    seen.map_or("no value".to_owned(), |value| value.to_string())
}

fn what(history: &History, change: usize) -> String {
    let operation = &history.operations[change];
    operation.writes().map_or("removal".to_owned(), |value| format!("write of {value}"))
}

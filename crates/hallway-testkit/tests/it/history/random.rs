//! Random histories of a store that is right, and ways to spoil them.

use hallway_testkit::history::{History, Input, Operation, Output};
use rand::RngExt;
use rand::rngs::StdRng;

/// What is generated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) operations: u32,
    pub(crate) keys: u32,
    pub(crate) processes: u32,
    /// Operations in a hundred whose outcome stays unknown.
    pub(crate) unknown: u32,
    /// Writes in a hundred with a TTL.
    pub(crate) ttl: u32,
    /// Reads in a hundred that are cached, and how far behind those may be.
    pub(crate) cached: u32,
    pub(crate) behind: u64,
}

impl Shape {
    pub(crate) const fn plain(operations: u32, keys: u32, processes: u32) -> Self {
        Self { operations, keys, processes, unknown: 10, ttl: 0, cached: 0, behind: 0 }
    }
}

/// A key of the store that is right: the value and its deadline, at each moment at which it changed.
type Past = Vec<(u64, Option<u64>, Option<u64>)>;

/// A history of a store that does each operation at one moment between call and return. The last key counts.
pub(crate) fn right(shape: Shape, rng: &mut StdRng) -> History {
    // (moment of the effect, operation)
    let mut planned: Vec<(u64, Operation)> = Vec::new();
    let mut free = vec![0_u64; shape.processes as usize];
    for number in 1..=shape.operations {
        let process = rng.random_range(0..shape.processes);
        let call = free[process as usize] + rng.random_range(1..30);
        let ret = call + rng.random_range(1..40);
        free[process as usize] = ret;
        let key = rng.random_range(0..shape.keys);
        let counts = shape.keys > 1 && key == shape.keys - 1;
        let input = input(u64::from(number), counts, rng);
        let unknown = rng.random_range(0..100) < shape.unknown;
        // Long after the return, too, and so perhaps after the end of everything.
        let effect = if unknown { call + rng.random_range(0..200) } else { rng.random_range(call..=ret) };
        let mut operation = Operation::new(process, format!("k{key}"), call, ret, input, Output::Done);
        if unknown {
            operation.ret = None;
        }
        operation.cached = input == Input::Read && rng.random_range(0..100) < shape.cached;
        let writes = !matches!(input, Input::Read | Input::Take | Input::Delete);
        operation.ttl = (writes && rng.random_range(0..100) < shape.ttl).then(|| rng.random_range(1..120));
        planned.push((effect, operation));
    }
    planned.sort_by_key(|&(effect, _)| effect);
    let mut keys: Vec<Past> = vec![vec![(0, None, None)]; shape.keys as usize];
    for (effect, operation) in &mut planned {
        let key: usize = operation.key[1..].parse().unwrap();
        let behind = if operation.cached { rng.random_range(0..=shape.behind) } else { 0 };
        let output = apply(&mut keys[key], effect.saturating_sub(behind), operation);
        operation.output = if operation.ret.is_some() { output } else { Output::Unknown };
    }
    History { operations: planned.into_iter().map(|(_, operation)| operation).collect() }
}

fn input(number: u64, counts: bool, rng: &mut StdRng) -> Input {
    let seen = rng.random_range(0..=number);
    match rng.random_range(0..20) {
        0..8 => Input::Read,
        8 | 9 => Input::Delete,
        10 => Input::Take,
        _ if counts => Input::Increment(rng.random_range(-1..4)),
        11..14 => Input::Write(number),
        14..16 => Input::SetIfAbsent(number),
        16..18 => Input::SetIfPresent(number),
        _ => Input::CompareAndSet { expected: (seen > 0).then_some(seen), new: number },
    }
}

fn apply(past: &mut Past, at: u64, operation: &mut Operation) -> Output {
    // A read of the past, else of the present.
    let &(_, value, deadline) = past.iter().rev().find(|(since, ..)| *since <= at).unwrap();
    let value = value.filter(|_| deadline.is_none_or(|deadline| at < deadline));
    let mut set = |value: Option<u64>, deadline: Option<u64>| past.push((at, value, deadline));
    let fresh = operation.ttl.map(|ttl| at + ttl);
    let mut when = |holds: bool, new: u64| {
        if holds {
            set(Some(new), fresh);
        }
        Output::Applied(holds)
    };
    match operation.input {
        Input::Read => Output::Value(value),
        Input::Write(new) => {
            when(true, new);
            Output::Done
        }
        Input::SetIfAbsent(new) => when(value.is_none(), new),
        Input::SetIfPresent(new) => when(value.is_some(), new),
        Input::CompareAndSet { expected, new } => when(value == expected, new),
        Input::Delete => {
            set(None, None);
            // Some stores do not say.
            if at.is_multiple_of(3) { Output::Done } else { Output::Applied(value.is_some()) }
        }
        Input::Take => {
            set(None, None);
            Output::Value(value)
        }
        Input::Increment(by) => {
            // There are no sums below nothing: what would be one counts up.
            let by = if value.unwrap_or(0).checked_add_signed(by).is_none() { 1 } else { by };
            operation.input = Input::Increment(by);
            let sum = value.unwrap_or(0).strict_add_signed(by);
            set(Some(sum), if value.is_some() { deadline } else { fresh });
            Output::Value(Some(sum))
        }
        _ => unreachable!("the generator makes no other"),
    }
}

/// Changes one answer or one time. The result is mostly wrong, not always.
pub(crate) fn spoil(history: &mut History, rng: &mut StdRng) {
    for _ in 0..100 {
        let at = rng.random_range(0..history.operations.len());
        let values: Vec<u64> = history.operations.iter().filter_map(|operation| written(operation.input)).collect();
        let operation = &mut history.operations[at];
        let Some(ret) = operation.ret else { continue };
        match (operation.output, rng.random_range(0..4)) {
            // An older, a newer or an invented value, or none.
            (Output::Value(value), 0..3) => {
                let pick = values.get(rng.random_range(0..=values.len())).copied().unwrap_or(9_999);
                let other = match operation.input {
                    Input::Increment(_) => Some(value.unwrap_or(0) + 1),
                    _ if value.is_some() && rng.random_range(0..3) == 0 => None,
                    _ => Some(pick),
                };
                if other == value {
                    continue;
                }
                operation.output = Output::Value(other);
            }
            (Output::Applied(applied), 0..3) => operation.output = Output::Applied(!applied),
            // Later than it was.
            (_, 3) => {
                let later = rng.random_range(20..100);
                operation.call += later;
                operation.ret = Some(ret + later);
            }
            _ => continue,
        }
        return;
    }
}

fn written(input: Input) -> Option<u64> {
    match input {
        Input::CompareAndSet { new, .. } => Some(new),
        Input::SetIfAbsent(value) | Input::SetIfPresent(value) | Input::Write(value) => Some(value),
        _ => None,
    }
}

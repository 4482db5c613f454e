//! The operations of one key as steps: what must hold before each, and what it does.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::check::{Rule, Violation, micros};
use super::{History, Input, Operation, Output};

/// The return of a step that need not happen at all.
pub(super) const NEVER: i64 = i64::MAX;

/// No step, or no slot.
pub(super) const NONE: u32 = u32::MAX;

/// What must be in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Guard {
    Any,
    Is(Option<u64>),
    IsNot(Option<u64>),
}

/// What happens to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Effect {
    /// Adds; the sum must be this one where it is known.
    Add {
        by: i64,
        sum: Option<u64>,
    },
    Clear,
    /// Removes the value if it is still the one that this step wrote, else nothing.
    Expire {
        step: u32,
    },
    Keep,
    Put(u64),
}

/// One step.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Its operation, as an index into the history.
    pub(super) source: usize,
    pub(super) call: i64,
    pub(super) ret: i64,
    pub(super) cached: bool,
    pub(super) guard: Guard,
    pub(super) effect: Effect,
    /// The slot of the value that it saw, if that value has but one writer.
    pub(super) saw: u32,
    /// The slot of the value that it writes, likewise.
    pub(super) puts: u32,
    /// The step itself, if what it writes will expire.
    pub(super) expires: u32,
    /// A step that would do just as well, and could so earlier: it is to be placed first.
    pub(super) instead: u32,
}

/// All steps of one key.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) key: String,
    pub(super) steps: Vec<Step>,
    /// How many slots there are. Within a slot all steps that saw its value must come between the one that wrote it
    /// and the next that changes the key, which cuts most of the search.
    pub(super) slots: usize,
    /// Whether the key was incremented.
    pub(super) counts: bool,
}

impl Plan {
    pub(super) fn new(history: &History, key: &str, indices: &[usize], slack: Duration) -> Result<Self, Violation> {
        let mut plan = Self { key: key.to_owned(), steps: Vec::with_capacity(indices.len()), slots: 0, counts: false };
        let mut end = 0;
        for &index in indices {
            let operation = &history.operations[index];
            plan.well_formed(index, operation)?;
            end = end.max(operation.ret.unwrap_or(0)).max(operation.call);
            plan.steps.extend(step(index, operation));
        }
        plan.counts = plan.steps.iter().any(|step| matches!(step.effect, Effect::Add { .. }));
        plan.give_slots(history)?;
        plan.drop_unseen(history, end, slack);
        plan.add_expiry(history, end, slack);
        plan.interchange(history);
        Ok(plan)
    }

    /// Which operations are in it. Those that may be left out are not.
    pub(super) fn sources(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().filter(|step| !matches!(step.effect, Effect::Expire { .. })).map(|step| step.source)
    }

    fn well_formed(&self, index: usize, operation: &Operation) -> Result<(), Violation> {
        let fits = match operation.input {
            _ if operation.output == Output::Unknown || operation.ret.is_none() => {
                operation.output == Output::Unknown && operation.ret.is_none()
            }
            Input::CompareAndSet { .. } | Input::SetIfAbsent(_) | Input::SetIfPresent(_) => {
                matches!(operation.output, Output::Applied(_))
            }
            Input::Delete => matches!(operation.output, Output::Applied(_) | Output::Done),
            Input::Increment(_) => matches!(operation.output, Output::Value(Some(_))),
            Input::Read | Input::Take => matches!(operation.output, Output::Value(_)),
            Input::Write(_) => operation.output == Output::Done,
        };
        let message = if !fits {
            format!("{:?} cannot answer {:?}", operation.output, operation.input)
        } else if operation.ret.is_some_and(|ret| ret < operation.call) {
            "it returned before it was called".to_owned()
        } else if operation.cached && operation.input != Input::Read {
            format!("{:?} cannot be cached, only a read", operation.input)
        } else {
            return Ok(());
        };
        Err(Violation { rule: Rule::Malformed, key: self.key.clone(), operations: vec![index], message })
    }

    /// Gives each value that has but one writer a slot. On a key that was incremented, sums and written values may
    /// coincide: no slots there.
    fn give_slots(&mut self, history: &History) -> Result<(), Violation> {
        if self.counts {
            return Ok(());
        }
        let mut slots: HashMap<u64, (u32, usize)> = HashMap::new();
        for step in &mut self.steps {
            let Some(value) = history.operations[step.source].writes() else { continue };
            let slot = u32::try_from(slots.len()).expect("a history has fewer operations than 2^32");
            if let Some((_, other)) = slots.insert(value, (slot, step.source)) {
                let message = format!("two writes of {value}: what was read could be of either");
                let operations = vec![step.source, other];
                return Err(Violation { rule: Rule::Malformed, key: self.key.clone(), operations, message });
            }
            step.puts = slot;
        }
        for step in &mut self.steps {
            if let Some(Some(value)) = history.operations[step.source].saw() {
                step.saw = slots.get(&value).map_or(NONE, |&(slot, _)| slot);
            }
        }
        self.slots = slots.len();
        Ok(())
    }

    /// Leaves out writes of unknown outcome whose value nobody saw, where they could explain nothing: every answer
    /// names a value, so that a write in between would have been seen, and it does not expire meanwhile.
    fn drop_unseen(&mut self, history: &History, end: u64, slack: Duration) {
        let end = signed(end).saturating_add(micros(slack));
        // A removal of unknown outcome needs a value but leaves none, with or without the write.
        let may_be_left_out = |step: &Step| step.ret == NEVER && step.effect == Effect::Clear;
        let vague = self.steps.iter().any(|step| matches!(step.guard, Guard::IsNot(_)) && !may_be_left_out(step));
        if self.counts || vague {
            return;
        }
        let mut seen: HashSet<u64> = HashSet::new();
        for step in &self.steps {
            if let Guard::Is(Some(value)) = step.guard {
                seen.insert(value);
            }
        }
        self.steps.retain(|step| match step.effect {
            Effect::Put(value) if step.ret == NEVER => {
                let operation = &history.operations[step.source];
                seen.contains(&value) || operation.ttl.is_some_and(|ttl| step.call.saturating_add(signed(ttl)) <= end)
            }
            _ => true,
        });
    }

    /// Adds a step for the end of each value that can end within the history. The deadline lies a TTL after the write
    /// took effect, which is somewhere between its call and its return.
    fn add_expiry(&mut self, history: &History, end: u64, slack: Duration) {
        let slack = micros(slack);
        for index in 0..self.steps.len() {
            let step = &self.steps[index];
            let Some(ttl) = history.operations[step.source].ttl.map(signed) else { continue };
            let call = step.call.saturating_add(ttl).saturating_sub(slack).max(step.call);
            if call > signed(end) || !matches!(step.effect, Effect::Put(_) | Effect::Add { .. }) {
                continue;
            }
            // NEVER stays NEVER.
            let ret = step.ret.saturating_add(ttl).saturating_add(slack);
            let number = u32::try_from(index).expect("a history has fewer operations than 2^32");
            let source = step.source;
            self.steps[index].expires = number;
            self.steps.push(Step {
                source,
                call,
                ret,
                cached: false,
                guard: Guard::Any,
                effect: Effect::Expire { step: number },
                saw: NONE,
                puts: NONE,
                expires: NONE,
                instead: NONE,
            });
        }
    }

    /// Makes alike what cannot be told apart, so that a search need not try all orders and sets of it.
    ///
    /// Values that nothing names become one number. Steps of unknown outcome that then are as good as each other
    /// (removals, equal increments, writes under the same condition) are put in the order of their calls: whatever one
    /// of them explains, the earliest that is left does.
    fn interchange(&mut self, history: &History) {
        let named: HashSet<u64> = self
            .steps
            .iter()
            .filter_map(|step| match step.guard {
                Guard::Any => None,
                Guard::Is(value) | Guard::IsNot(value) => value,
            })
            .collect();
        let written: HashSet<u64> = self.sources().filter_map(|source| history.operations[source].writes()).collect();
        let nameless = (0..u64::MAX).find(|number| !named.contains(number) && !written.contains(number));
        let counts = self.counts;
        let mut classes: HashMap<(Guard, Effect), Vec<u32>> = HashMap::new();
        for (index, step) in (0_u32..).zip(&mut self.steps) {
            if let (Effect::Put(value), Some(nameless), false) = (step.effect, nameless, counts)
                && !named.contains(&value)
            {
                step.effect = Effect::Put(nameless);
                step.puts = NONE;
            }
            let may = step.ret == NEVER && step.expires == NONE && !matches!(step.effect, Effect::Expire { .. });
            if may {
                classes.entry((step.guard, step.effect)).or_default().push(index);
            }
        }
        for class in classes.values_mut() {
            class.sort_unstable_by_key(|&index| self.steps[index as usize].call);
            for pair in class.windows(2) {
                self.steps[pair[1] as usize].instead = pair[0];
            }
        }
    }
}

/// The step of an operation; none if nothing can be learned from it.
fn step(source: usize, operation: &Operation) -> Option<Step> {
    let unknown = operation.output == Output::Unknown;
    // An operation of unknown outcome that changes nothing need not be placed, so it is taken as one that does.
    let applied = unknown || operation.output != Output::Applied(false);
    let (guard, effect) = match (operation.input, operation.output) {
        (Input::Read, Output::Value(value)) => (Guard::Is(value), Effect::Keep),
        (Input::Read, _) => return None,
        (Input::Write(value), _) => (Guard::Any, Effect::Put(value)),
        (Input::Delete, Output::Done) => (Guard::Any, Effect::Clear),
        (Input::Delete, _) if applied => (Guard::IsNot(None), Effect::Clear),
        (Input::Delete, _) | (Input::Take, Output::Value(None)) => (Guard::Is(None), Effect::Keep),
        (Input::Take, Output::Value(value)) => (Guard::Is(value), Effect::Clear),
        (Input::Take, _) => (Guard::IsNot(None), Effect::Clear),
        (Input::CompareAndSet { expected, new }, _) if applied => (Guard::Is(expected), Effect::Put(new)),
        (Input::CompareAndSet { expected, .. }, _) => (Guard::IsNot(expected), Effect::Keep),
        (Input::SetIfAbsent(value), _) if applied => (Guard::Is(None), Effect::Put(value)),
        (Input::SetIfAbsent(_), _) => (Guard::IsNot(None), Effect::Keep),
        (Input::SetIfPresent(value), _) if applied => (Guard::IsNot(None), Effect::Put(value)),
        (Input::SetIfPresent(_), _) => (Guard::Is(None), Effect::Keep),
        (Input::Increment(by), Output::Value(sum)) => (Guard::Any, Effect::Add { by, sum }),
        (Input::Increment(by), _) => (Guard::Any, Effect::Add { by, sum: None }),
    };
    Some(Step {
        source,
        call: signed(operation.call),
        ret: operation.ret.map_or(NEVER, signed),
        cached: operation.cached,
        guard,
        effect,
        saw: NONE,
        puts: NONE,
        expires: NONE,
        instead: NONE,
    })
}

/// Far below [`NEVER`], so that sums of a few stay below it.
fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

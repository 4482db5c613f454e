//! The search for an order, after Wing and Gong, with Lowe's memory of positions already tried.
//!
//! Calls and returns stand in one list in the order of time. Whatever is called before the first return in the list
//! may come next; placing an operation takes its call and its return out of the list, going back puts them in again.
//! Three things keep the search short. An operation that changes nothing is placed as soon as the key holds what it saw:
//! an order that places it later stays one if it is moved forward. And a value that has but one writer is not left
//! while operations that saw it are outstanding: it cannot come again. And of operations of unknown outcome that are as
//! good as each other, the earliest is taken.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Instant;

use super::plan::{Effect, Guard, NEVER, NONE, Plan, Step};

/// When to give up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) steps: u64,
    pub(super) until: Instant,
}

/// What the search found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Order,
    /// No order: the one that went farthest placed so many operations, left this value, and could not place `stuck`
    /// there; or could, but for `behind`, which saw the value that then would be gone, and was called too late.
    None {
        stuck: usize,
        behind: Option<usize>,
        value: Option<u64>,
        placed: usize,
    },
    GaveUp {
        steps: u64,
    },
}

/// Searches an order in which every step that returned has a place, cached reads having been called earlier by what
/// `shift` says of their operation.
pub(super) fn search(plan: &Plan, shift: impl Fn(usize) -> i64, limits: Limits) -> Found {
    Search::new(plan, shift).run(limits)
}

/// What the key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    value: Option<u64>,
    /// The step whose deadline the value has, if it ends within the history.
    expires: u32,
    /// The slot of the value.
    slot: u32,
}

/// A choice that may be taken back.
struct Choice {
    before: State,
    /// How many steps were placed before it.
    placed: usize,
    step: u32,
}

struct Search<'a> {
    steps: &'a [Step],
    list: List,
    state: State,
    /// Placed steps in order, to be taken back from the end.
    trail: Vec<u32>,
    done: Vec<bool>,
    /// Steps still to be placed that must be.
    left: usize,
    /// Per slot, how many of those saw its value.
    watched: Vec<u32>,
    /// The set of placed steps that must be placed, as the sum of a random number for each.
    fingerprint: u128,
    /// The set of placed operations of unknown outcome, one bit for each that there is.
    used: Vec<u64>,
    /// The bit of a step in it.
    bits: Vec<Option<usize>>,
}

/// The positions that were tried: what must be placed and was, what the key held, and which operations of unknown
/// outcome had been used up. From where fewer were used nothing less is possible.
#[derive(Default)]
struct Tried(HashMap<u128, Vec<Box<[u64]>>, BuildHasherDefault<Fold>>);

impl Tried {
    /// Whether the position is worth trying.
    fn insert(&mut self, position: u128, used: &[u64]) -> bool {
        let sets = self.0.entry(position).or_default();
        let within = |one: &[u64], other: &[u64]| one.iter().zip(other).all(|(one, other)| one & !other == 0);
        if sets.iter().any(|set| within(set, used)) {
            return false;
        }
        sets.retain(|set| !within(used, set));
        sets.push(used.into());
        true
    }
}

impl<'a> Search<'a> {
    fn new(plan: &'a Plan, shift: impl Fn(usize) -> i64) -> Self {
        let steps = plan.steps.as_slice();
        let mut optional = 0..;
        let bits: Vec<Option<usize>> = steps
            .iter()
            .map(|step| step.ret == NEVER && !matches!(step.effect, Effect::Expire { .. }))
            .map(|counts| if counts { optional.next() } else { None })
            .collect();
        let mut watched = vec![0; plan.slots];
        for step in steps.iter().filter(|step| step.saw != NONE) {
            watched[step.saw as usize] += 1;
        }
        Self {
            steps,
            list: List::new(steps, shift),
            state: State { value: None, expires: NONE, slot: NONE },
            trail: Vec::with_capacity(steps.len()),
            done: vec![false; steps.len()],
            left: steps.iter().filter(|step| step.ret != NEVER).count(),
            watched,
            fingerprint: 0,
            used: vec![0; optional.start.div_ceil(64)],
            bits,
        }
    }

    fn run(mut self, limits: Limits) -> Found {
        let mut tried = Tried::default();
        let mut choices: Vec<Choice> = Vec::new();
        let mut farthest = Found::Order;
        let mut far = usize::MAX;
        let mut steps = 0_u64;
        self.absorb();
        let mut at = self.list.first();
        loop {
            if self.left == 0 {
                return Found::Order;
            }
            match self.candidate(at) {
                Some(entry) => {
                    steps += 1;
                    if steps > limits.steps || (steps.is_multiple_of(1024) && Instant::now() > limits.until) {
                        return Found::GaveUp { steps };
                    }
                    let step = List::step(entry);
                    let choice = Choice { before: self.state, placed: self.trail.len(), step };
                    self.state = self.after(step);
                    self.place(step);
                    self.absorb();
                    if tried.insert(self.fingerprint ^ self.state.fingerprint(), &self.used) {
                        choices.push(choice);
                        at = self.list.first();
                    } else {
                        at = self.take_back(&choice);
                    }
                }
                None => {
                    if self.left < far {
                        far = self.left;
                        farthest = self.stuck();
                    }
                    let Some(choice) = choices.pop() else { return farthest };
                    at = self.take_back(&choice);
                }
            }
        }
    }

    /// The first call from here on, before any return, whose step may come next and changes the key.
    fn candidate(&self, mut at: u32) -> Option<u32> {
        while List::is_call(at) {
            let index = List::step(at);
            let step = &self.steps[index as usize];
            let first = step.instead == NONE || self.done[step.instead as usize];
            if first && step.effect != Effect::Keep && self.possible(step) {
                return Some(at);
            }
            at = self.list.next(at);
        }
        None
    }

    fn possible(&self, step: &Step) -> bool {
        let holds = self.holds(step.guard)
            && match step.effect {
                Effect::Add { by, sum } => match self.sum(by) {
                    Some(reached) => sum.is_none_or(|sum| sum == reached),
                    None => false,
                },
                // Any other was absorbed, or its write has not been placed.
                Effect::Expire { step } => self.state.expires == step,
                Effect::Clear | Effect::Keep | Effect::Put(_) => true,
            };
        let watching = u32::from(step.saw != NONE && step.saw == self.state.slot);
        holds && (self.state.slot == NONE || self.watched[self.state.slot as usize] == watching)
    }

    fn holds(&self, guard: Guard) -> bool {
        match guard {
            Guard::Any => true,
            Guard::Is(value) => self.state.value == value,
            Guard::IsNot(value) => self.state.value != value,
        }
    }

    fn sum(&self, by: i64) -> Option<u64> {
        self.state.value.unwrap_or(0).checked_add_signed(by)
    }

    fn after(&self, index: u32) -> State {
        let step = &self.steps[index as usize];
        match step.effect {
            Effect::Add { by, .. } => State {
                value: self.sum(by),
                expires: if self.state.value.is_some() { self.state.expires } else { step.expires },
                slot: NONE,
            },
            Effect::Clear | Effect::Expire { .. } => State { value: None, expires: NONE, slot: NONE },
            Effect::Keep => self.state,
            Effect::Put(value) => State { value: Some(value), expires: step.expires, slot: step.puts },
        }
    }

    /// Places everything that changes nothing and may come now.
    fn absorb(&mut self) {
        let mut at = self.list.first();
        while List::is_call(at) {
            let index = List::step(at);
            let step = &self.steps[index as usize];
            let now = match step.effect {
                Effect::Keep => self.holds(step.guard),
                Effect::Expire { step } => self.done[step as usize] && self.state.expires != step,
                _ => false,
            };
            if now {
                self.place(index);
            }
            // A step that was taken out still knows who came after it; its own return cannot be that, it is out too.
            at = self.list.next(at);
        }
    }

    fn place(&mut self, index: u32) {
        self.list.lift(index);
        self.trail.push(index);
        self.note(index, true);
    }

    /// Undoes a choice and what was absorbed after it; returns where to look for the next.
    fn take_back(&mut self, choice: &Choice) -> u32 {
        while self.trail.len() > choice.placed {
            let index = self.trail.pop().expect("the trail is longer than the choice found it");
            self.list.unlift(index);
            self.note(index, false);
        }
        self.state = choice.before;
        self.list.next(List::call(choice.step))
    }

    fn note(&mut self, index: u32, placed: bool) {
        let step = &self.steps[index as usize];
        self.done[index as usize] = placed;
        if let Some(bit) = self.bits[index as usize] {
            self.used[bit / 64] ^= 1 << (bit % 64);
        }
        if step.ret != NEVER {
            self.fingerprint ^= random(u64::from(index));
            self.left = if placed { self.left - 1 } else { self.left + 1 };
        }
        if step.saw != NONE {
            let watched = &mut self.watched[step.saw as usize];
            *watched = if placed { *watched - 1 } else { *watched + 1 };
        }
    }

    fn stuck(&self) -> Found {
        let mut at = self.list.first();
        while List::is_call(at) {
            at = self.list.next(at);
        }
        // The first return that stands in the way.
        let index = List::step(at);
        let step = &self.steps[index as usize];
        let waits = |(other, _): &(usize, &Step)| !self.done[*other] && *other != index as usize;
        let mut watching = self.steps.iter().enumerate().filter(waits).map(|(_, other)| other);
        let behind = watching.find(|other| other.saw != NONE && other.saw == self.state.slot);
        let behind = behind.filter(|_| step.effect != Effect::Keep && self.holds(step.guard));
        Found::None {
            stuck: step.source,
            behind: behind.map(|other| other.source),
            value: self.state.value,
            placed: self.trail.len(),
        }
    }
}

impl State {
    fn fingerprint(self) -> u128 {
        // The slot follows from the value.
        let value = match self.value {
            Some(value) => random(value ^ 0x5bd1_e995_0000_0000),
            None => 0,
        };
        value.rotate_left(17) ^ random(u64::from(self.expires) | 1 << 40).rotate_left(31)
    }
}

/// A fixed random number for each number (the mixer of SplitMix64, twice). With 128 bits, two positions of a search of
/// millions coincide less often than memory fails.
fn random(number: u64) -> u128 {
    let mix = |number: u64| {
        let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let low = mix(number);
    u128::from(low) | u128::from(mix(low ^ number.rotate_left(32))) << 64
}

/// Hashes what is random already.
#[derive(Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_ne_bytes(word);
        }
    }

    fn write_u128(&mut self, number: u128) {
        let [low, high] = [number, number >> 64].map(|half| (half & u128::from(u64::MAX)) as u64);
        self.0 = low ^ high;
    }
}

/// Calls and returns in the order of time, doubly linked: entry 0 is both ends, step `i` has its call at `2i + 2` and
/// its return at `2i + 3`.
struct List {
    next: Vec<u32>,
    previous: Vec<u32>,
    /// Whether a step has a return.
    returns: Vec<bool>,
}

impl List {
    fn new(steps: &[Step], shift: impl Fn(usize) -> i64) -> Self {
        let mut events: Vec<(i64, u32)> = Vec::with_capacity(steps.len() * 2);
        for (index, step) in (0_u32..).zip(steps) {
            let earlier = if step.cached { shift(step.source) } else { 0 };
            events.push((step.call.saturating_sub(earlier), Self::call(index)));
            if step.ret != NEVER {
                events.push((step.ret, Self::call(index) + 1));
            }
        }
        // At one moment calls come first: operations that touch count as concurrent.
        events.sort_unstable_by_key(|&(time, entry)| (time, entry % 2, entry));
        let mut list = Self {
            next: vec![0; steps.len() * 2 + 2],
            previous: vec![0; steps.len() * 2 + 2],
            returns: steps.iter().map(|step| step.ret != NEVER).collect(),
        };
        let mut last = 0;
        for (_, entry) in events {
            list.next[last as usize] = entry;
            list.previous[entry as usize] = last;
            last = entry;
        }
        list.next[last as usize] = 0;
        list.previous[0] = last;
        list
    }

    const fn call(step: u32) -> u32 {
        2 * step + 2
    }

    const fn step(entry: u32) -> u32 {
        (entry - 2) / 2
    }

    /// Whether it is a call, and neither a return nor the end.
    const fn is_call(entry: u32) -> bool {
        entry != 0 && entry.is_multiple_of(2)
    }

    fn first(&self) -> u32 {
        self.next[0]
    }

    fn next(&self, entry: u32) -> u32 {
        self.next[entry as usize]
    }

    fn lift(&mut self, step: u32) {
        if self.returns[step as usize] {
            self.unlink(Self::call(step) + 1);
        }
        self.unlink(Self::call(step));
    }

    /// The reverse of the last [`lift`](Self::lift) that was not undone.
    fn unlift(&mut self, step: u32) {
        self.relink(Self::call(step));
        if self.returns[step as usize] {
            self.relink(Self::call(step) + 1);
        }
    }

    fn unlink(&mut self, entry: u32) {
        let (previous, next) = (self.previous[entry as usize], self.next[entry as usize]);
        self.next[previous as usize] = next;
        self.previous[next as usize] = previous;
    }

    fn relink(&mut self, entry: u32) {
        let (previous, next) = (self.previous[entry as usize], self.next[entry as usize]);
        self.next[previous as usize] = entry;
        self.previous[next as usize] = entry;
    }
}

//! What must hold of everything that was seen.

use std::collections::HashMap;
use std::fmt;

use super::history::{Call, Changed, Data, Event, History, Tally};

/// A promise that was not kept.
#[derive(Debug)]
pub struct Violation {
    seed: u64,
    promise: String,
    events: Vec<Event>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.promise)?;
        for event in &self.events {
            writeln!(f, "  {}..{} {:?}", event.begun, event.ended, event.call)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violation {}

pub(super) fn judge(history: &History) -> Result<Tally, Box<Violation>> {
    let facts = Facts::of(history);
    let mut tally = Tally::default();
    for event in &history.events {
        tally.calls += 1;
        facts
            .check(event, &mut tally)
            .map_err(|promise| Box::new(Violation { seed: history.seed, promise, events: history.events.clone() }))?;
    }
    facts
        .winners()
        .map_err(|promise| Box::new(Violation { seed: history.seed, promise, events: history.events.clone() }))?;
    Ok(tally)
}

/// What the answers say, put together.
struct Facts<'a> {
    history: &'a History,
    /// From which moment on an id is over for certain.
    id_over: Vec<Option<u64>>,
    lineage_over: HashMap<u64, u64>,
    /// When the visitor of a lineage first had an id.
    lineage_given: HashMap<u64, u64>,
}

impl<'a> Facts<'a> {
    fn of(history: &'a History) -> Self {
        let mut facts = Self {
            history,
            id_over: vec![None; history.given.len()],
            lineage_over: HashMap::new(),
            lineage_given: HashMap::new(),
        };
        for event in &history.events {
            if let Call::Create { given: Some(id) } | Call::Login { given: Some(id), .. } = event.call {
                facts.lineage_given.insert(history.given[id].lineage, event.ended);
            }
        }
        for event in &history.events {
            let (ends_id, ends_lineage) = match &event.call {
                Call::Load { id, seen: Some(None) } | Call::Touch { id, alive: Some(false) } => (Some(*id), None),
                Call::Change { id, done: Some(Changed::Gone), .. } => (Some(*id), None),
                Call::Rotate { id, given: Some(_), .. } => (Some(*id), None),
                Call::Login { old, given: Some(_) } => (Some(*old), None),
                Call::Delete { id, ended: Some(true) } => (Some(*id), Some(history.given[*id].lineage)),
                Call::Delete { id, ended: Some(false) } => (Some(*id), None),
                _ => (None, None),
            };
            if let Some(id) = ends_id {
                earliest(&mut facts.id_over[id], event.ended);
            }
            if let Some(lineage) = ends_lineage {
                facts.end_lineage(lineage, event.ended);
            }
            if let Call::DeleteAll { owner, keep, ended: true } = event.call {
                let kept = keep.map(|id| history.given[id].lineage);
                for given in &history.given {
                    let before = facts.lineage_given.get(&given.lineage).is_some_and(|moment| *moment < event.begun);
                    if given.owner == owner && Some(given.lineage) != kept && before {
                        facts.end_lineage(given.lineage, event.ended);
                    }
                }
            }
        }
        facts
    }

    fn end_lineage(&mut self, lineage: u64, moment: u64) {
        let over = self.lineage_over.entry(lineage).or_insert(moment);
        *over = (*over).min(moment);
    }

    fn check(&self, event: &Event, tally: &mut Tally) -> Result<(), String> {
        match &event.call {
            Call::Load { id, seen: Some(Some(data)) } => {
                self.alive(*id, event, tally)?;
                self.own(*id, data)?;
                self.count(event, data)
            }
            Call::Change { id, done: Some(Changed::Yes), seen } => {
                self.alive(*id, event, tally)?;
                let data = seen.as_ref().ok_or("a change without what it made")?;
                self.own(*id, data)?;
                self.count(event, data)
            }
            Call::Touch { id, alive: Some(true) }
            | Call::Delete { id, ended: Some(true) }
            | Call::Change { id, done: Some(Changed::Lost), .. } => self.alive(*id, event, tally),
            Call::Rotate { id, given: Some(Some(_)), .. } => {
                tally.rotated += 1;
                self.alive(*id, event, tally)
            }
            Call::Load { id, seen: Some(None) }
            | Call::Touch { id, alive: Some(false) }
            | Call::Change { id, done: Some(Changed::Gone), .. }
            | Call::Rotate { id, given: Some(None), .. }
            | Call::Delete { id, ended: Some(false) } => {
                tally.gone += 1;
                self.explained(*id, event)
            }
            Call::List { owner, seen: Some(handles) } => self.listed(*owner, handles, event),
            Call::Create { given: Some(_) }
            | Call::Login { given: Some(_), .. }
            | Call::DeleteAll { ended: true, .. } => Ok(()),
            _ => {
                tally.unknown += 1;
                Ok(())
            }
        }
    }

    /// Never resurrected: nobody finds what was over before he began to look.
    fn alive(&self, id: usize, event: &Event, tally: &mut Tally) -> Result<(), String> {
        tally.live += 1;
        let over = [self.id_over[id], self.lineage_over.get(&self.history.given[id].lineage).copied()];
        match over.into_iter().flatten().min() {
            Some(over) if over < event.begun => Err(format!(
                "resurrected: session {id} was over at {over} and was found by the call of {}",
                event.begun
            )),
            _ => Ok(()),
        }
    }

    /// Never another's data.
    fn own(&self, id: usize, data: &Data) -> Result<(), String> {
        let given = &self.history.given[id];
        if (data.lineage, data.owner) == (given.lineage, given.owner) {
            return Ok(());
        }
        Err(format!("another user's data: session {id} holds those of lineage {}", data.lineage))
    }

    /// No change is lost, and none made twice.
    fn count(&self, event: &Event, data: &Data) -> Result<(), String> {
        let (mut least, mut most) = (0, 0);
        for other in &self.history.events {
            let (id, certain) = match other.call {
                Call::Change { id, done, .. } if !matches!(done, Some(Changed::Lost | Changed::Gone)) => {
                    (id, done.is_some())
                }
                Call::Rotate { id, given, changes: true } if given != Some(None) => (id, given.is_some()),
                _ => continue,
            };
            if self.history.given[id].lineage != data.lineage || other.begun >= event.ended {
                continue;
            }
            most += 1;
            // Its own change is among what a change has made.
            if certain && (other.ended < event.begun || std::ptr::eq(other, event)) {
                least += 1;
            }
        }
        if (least..=most).contains(&data.count) {
            return Ok(());
        }
        Err(format!("a change was lost or made twice: {} of {least} to {most} in lineage {}", data.count, data.lineage))
    }

    /// Nothing is missing that nobody has ended.
    fn explained(&self, id: usize, event: &Event) -> Result<(), String> {
        if self.may_be_over(id, event.ended) {
            return Ok(());
        }
        Err(format!("lost: session {id} was not found at {}, and nobody had ended it", event.begun))
    }

    /// Whether somebody may have ended a session before this moment.
    fn may_be_over(&self, id: usize, moment: u64) -> bool {
        let owner = self.history.given[id].owner;
        let given = self.given_by(id);
        self.history.events.iter().filter(|event| event.begun < moment).any(|event| match event.call {
            Call::Delete { id: ended, ended: how } => ended == id && how != Some(false),
            Call::Rotate { id: old, given, .. } => old == id && given != Some(None),
            Call::Login { old, given: new } => old == id || self.evicts(event, new, owner, given),
            Call::Create { given: new } => self.evicts(event, new, owner, given),
            Call::DeleteAll { owner: whose, keep, .. } => whose == owner && keep != Some(id),
            _ => false,
        })
    }

    /// Whether a new session may have ended one of the same user as one too many: if it did not end before that one began.
    /// A rotation ends no other.
    fn evicts(&self, event: &Event, new: Option<usize>, owner: u64, given: Option<&Event>) -> bool {
        self.history.evicts
            && new.is_none_or(|new| self.history.given[new].owner == owner)
            && given.is_none_or(|given| !std::ptr::eq(given, event) && event.ended > given.begun)
    }

    /// The call that gave an id.
    fn given_by(&self, id: usize) -> Option<&Event> {
        self.history.events.iter().find(|event| match event.call {
            Call::Create { given: Some(given) }
            | Call::Login { given: Some(given), .. }
            | Call::Rotate { given: Some(Some(given)), .. } => given == id,
            _ => false,
        })
    }

    /// A list has all that live throughout, nothing that was over before, and nothing of anybody else.
    fn listed(&self, owner: u64, handles: &[hallway_session::Handle], event: &Event) -> Result<(), String> {
        for handle in handles {
            let Some(id) = self.history.given.iter().position(|given| given.handle == *handle) else {
                // Of a session that came to nothing and may be left over, or of a rotation that had to begin again.
                let failed = self.history.events.iter().any(|other| {
                    let at_once = other.begun < event.ended && other.ended > event.begun;
                    match other.call {
                        Call::Create { given: None }
                        | Call::Login { given: None, .. }
                        | Call::Rotate { given: None | Some(None), .. } => other.begun < event.ended,
                        // What it had begun before stays where a fault keeps it from being removed.
                        Call::Login { .. } | Call::Rotate { .. } => {
                            at_once || self.history.is_faulty && other.begun < event.ended
                        }
                        _ => false,
                    }
                });
                if failed {
                    continue;
                }
                return Err("a list names a session that nobody made".into());
            };
            let given = &self.history.given[id];
            let over = [self.id_over[id], self.lineage_over.get(&given.lineage).copied()];
            if given.owner != owner || over.into_iter().flatten().any(|over| over < event.begun) {
                return Err(format!("the list of user {owner} names session {id}, which is over or another's"));
            }
        }
        for (id, given) in self.history.given.iter().enumerate() {
            let known = self.given_by(id).is_some_and(|giver| giver.ended < event.begun);
            if given.owner == owner && known && !self.may_be_over(id, event.ended) && !handles.contains(&given.handle) {
                return Err(format!("the list of user {owner} lacks session {id}"));
            }
        }
        Ok(())
    }

    /// Of all that ended one session, by rotation or by logout, one did.
    fn winners(&self) -> Result<(), String> {
        let mut winners = vec![0; self.history.given.len()];
        for event in &self.history.events {
            match event.call {
                Call::Rotate { id, given: Some(Some(_)), .. } | Call::Delete { id, ended: Some(true) } => {
                    winners[id] += 1
                }
                _ => {}
            }
        }
        match winners.iter().position(|count| *count > 1) {
            Some(id) => Err(format!("two winners: session {id} was ended {} times", winners[id])),
            None => Ok(()),
        }
    }
}

fn earliest(over: &mut Option<u64>, moment: u64) {
    *over = Some(over.map_or(moment, |over| over.min(moment)));
}

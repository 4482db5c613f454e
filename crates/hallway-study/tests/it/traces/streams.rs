//! Streams that no figure of the study was made from.

use hallway_study::trace::mix::{Stream, unit};
use hallway_study::trace::{KeyId, Preset, Request, StackModel};

/// Keys by Zipf's law with a loop and scans between: what recency does not foresee, LRU's worst case, and keys that
/// come once.
pub(crate) fn mixed(requests: usize, seed: u64) -> Vec<KeyId> {
    const POPULAR: u64 = 8_000;
    const LOOP: u32 = 700;
    const SCAN: usize = 400;
    let mut random = Stream::new(seed);
    let mut weights = Vec::new();
    let mut sum = 0.0;
    for rank in 1..=POPULAR {
        sum += (rank as f64).powf(-0.9);
        weights.push(sum);
    }
    let mut keys = Vec::new();
    let mut turn = 0;
    let mut fresh = POPULAR as u32 + LOOP;
    while keys.len() < requests {
        match random.next() % 1_000 {
            0..850 => {
                let draw = unit(random.next()) * sum;
                keys.push(weights.partition_point(|upto| *upto < draw) as KeyId);
            }
            850..999 => {
                turn = (turn + 1) % LOOP;
                keys.push(POPULAR as u32 + turn);
            }
            _ => {
                keys.extend(fresh..fresh + SCAN as u32);
                fresh += SCAN as u32;
            }
        }
    }
    keys.truncate(requests);
    keys
}

/// The stream of a preset.
pub(crate) fn preset(preset: Preset, requests: usize) -> Vec<KeyId> {
    let mut model = StackModel::new(preset, 7);
    (0..requests).map(|_| model.next_request().key).collect()
}

/// The same stream with writes in the place of a share of its reads.
pub(crate) fn with_writes(keys: &[KeyId], share: f64, seed: u64) -> Vec<Request> {
    let mut random = Stream::new(seed);
    keys.iter()
        .map(|key| if unit(random.next()) < share { Request::write(*key) } else { Request::read(*key) })
        .collect()
}

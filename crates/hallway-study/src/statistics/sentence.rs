//! The sentence that a judgement comes to.

use super::axis_words::AxisWords;
use super::{Beyond, Judgement, Side};
use crate::chart::Unit;
use crate::report::{CrossCheck, Verdict};

/// Beyond this factor a model's crossing differs from the measured one so much that both are told.
const DIFFERS: f64 = 1.5;

/// The sentence, with the names of both sides.
pub(super) fn sentence(judgement: &Judgement, names: [&str; 2], axis: &str, check: Option<&CrossCheck>) -> String {
    let words = AxisWords::of(axis);
    let name = |side| if side == Side::A { names[0] } else { names[1] };
    let range = words.range(judgement.range);
    let tie = Unit::Share.text(judgement.tie.exp_m1());
    match (judgement.verdict, judgement.crossings.as_slice()) {
        (Verdict::Crossover | Verdict::Multiple, [first, more @ ..]) => {
            let mut said = format!("{} wins once {}", name(first.right), words.above(first.x, first.ci));
            for crossing in more {
                let (next, at, ci) = (name(crossing.right), words.text(crossing.x), words.interval(crossing.ci));
                said += &format!(", {next} again above {at} {ci}");
            }
            said += &format!("; {} wins below", name(first.left));
            said + &differing(&words, judgement, check)
        }
        (Verdict::Equal, _) => format!("equal within {tie} {range}: choose on other grounds"),
        (Verdict::NoCrossover, _) => {
            let winner = judgement.winner.map_or("neither", name);
            let ties = judgement.ties.iter().map(|band| words.range(*band)).collect::<Vec<_>>().join(" and ");
            let ties = if ties.is_empty() { ties } else { format!("; equal within {tie} {ties}") };
            format!("{winner} wins {range}{}{ties}", by(judgement.factor))
        }
        (Verdict::Crossover | Verdict::Inconclusive | Verdict::Multiple, _) => {
            let overall = judgement.overall;
            let on_the_whole = match () {
                () if overall.low > 0.0 => Some((Side::B, [overall.low.exp(), overall.high.exp()])),
                () if overall.high < 0.0 => Some((Side::A, [(-overall.high).exp(), (-overall.low).exp()])),
                () => None,
            };
            let whole = on_the_whole
                .map(|(side, factor)| format!("on the whole {} wins {range}{}", name(side), by(Some(factor))));
            let place = judgement.beyond.map(|beyond| match beyond {
                Beyond::Above(x) => format!("a crossing, if there is one, lies above {}", words.text(x)),
                Beyond::Below(x) => format!("a crossing, if there is one, lies below {}", words.text(x)),
            });
            let known: Vec<String> = place.into_iter().chain(whole).collect();
            if known.is_empty() {
                format!("too noisy to say {range}: measure more rounds")
            } else {
                format!("too noisy to say for every point; {}", known.join("; "))
            }
        }
    }
}

fn by(factor: Option<[f64; 2]>) -> String {
    let Some([least, most]) = factor else { return String::new() };
    let [at_least, at_most] = [least, most].map(|factor| format!("{}x", Unit::Ratio.text(factor)));
    match () {
        () if least <= 1.0 => format!(", by at most {at_most}"),
        () if at_least == at_most => format!(", by {at_most}"),
        () => format!(", by {at_least} to {at_most}"),
    }
}

fn differing(words: &AxisWords, judgement: &Judgement, check: Option<&CrossCheck>) -> String {
    let ([only], Some(check)) = (judgement.crossings.as_slice(), check) else { return String::new() };
    match (check.x, check.ci95) {
        (Some(x), Some(ci)) if (x / only.x).max(only.x / x) > DIFFERS => {
            format!(" (straight lines cross at {} {}: trust what was measured)", words.text(x), words.interval(ci))
        }
        _ => String::new(),
    }
}

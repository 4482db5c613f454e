//! A violation drawn for people.

use std::fmt::Write;

use super::{History, Input, Operation, Output, Violation};

/// Most operations drawn.
const SHOWN: usize = 24;

/// Characters of the bars.
const WIDTH: u64 = 48;

/// The operations around a violation, by their calls: number, process, times in microseconds from the first one shown, what was
/// asked and answered, and a bar from call to return. `>` marks the operations that show the violation, `~` an answer
/// that may come from a copy, `?` a return that never came.
#[must_use]
pub fn timeline(history: &History, violation: &Violation) -> String {
    let mut of_key: Vec<usize> =
        (0..history.operations.len()).filter(|&index| history.operations[index].key == violation.key).collect();
    of_key.sort_by_key(|&index| (history.operations[index].call, index));
    let shown = around(&of_key, &violation.operations);
    let start = shown.iter().map(|&index| history.operations[index].call).min().unwrap_or(0);
    let ends = shown.iter().map(|&index| history.operations[index].ret.unwrap_or(history.operations[index].call));
    let end = ends.max().unwrap_or(start).max(start + 1);

    let mut text = format!("{violation}\n");
    let left_out = of_key.len() - shown.len();
    if left_out > 0 {
        writeln!(text, "({left_out} other operations of the key are not shown)").expect("a string takes any text");
    }
    for &index in &shown {
        let operation = &history.operations[index];
        let mark = if violation.operations.contains(&index) { '>' } else { ' ' };
        let ret = operation.ret.map_or("?".to_owned(), |ret| ret.saturating_sub(start).to_string());
        let line = format!(
            "{mark} #{index:<5} p{:<3} {:>9}..{ret:<9} {:<36} {}",
            operation.process,
            operation.call - start,
            describe(operation),
            bar(operation, start, end),
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The operations that show it, and as many before and after each as there is room for.
fn around(of_key: &[usize], marked: &[usize]) -> Vec<usize> {
    let places: Vec<usize> = (0..of_key.len()).filter(|&place| marked.contains(&of_key[place])).collect();
    let mut reach = 0;
    let taken = |reach: usize| -> Vec<usize> {
        let near = |place: &usize| places.iter().any(|marked| marked.abs_diff(*place) <= reach);
        (0..of_key.len()).filter(near).map(|place| of_key[place]).collect()
    };
    while reach < of_key.len() && taken(reach + 1).len() <= SHOWN {
        reach += 1;
    }
    taken(reach)
}

fn describe(operation: &Operation) -> String {
    let asked = match operation.input {
        Input::CompareAndSet { expected, new } => format!("compare {} and set {new}", show(expected)),
        Input::Delete => "delete".to_owned(),
        Input::Increment(by) => format!("increment {by}"),
        Input::Read => "read".to_owned(),
        Input::SetIfAbsent(value) => format!("set if absent {value}"),
        Input::SetIfPresent(value) => format!("set if present {value}"),
        Input::Take => "take".to_owned(),
        Input::Write(value) => format!("write {value}"),
    };
    let answered = match operation.output {
        Output::Applied(applied) => if applied { "yes" } else { "no" }.to_owned(),
        Output::Done => "done".to_owned(),
        Output::Unknown => "?".to_owned(),
        Output::Value(value) => show(value),
    };
    let ttl = operation.ttl.map_or(String::new(), |ttl| format!(" for {ttl}"));
    let copy = if operation.cached { "~" } else { "" };
    format!("{asked}{ttl} -> {copy}{answered}")
}

fn show(value: Option<u64>) -> String {
    value.map_or("none".to_owned(), |value| value.to_string())
}

fn bar(operation: &Operation, start: u64, end: u64) -> String {
    let column = |time: u64| {
        let part = u128::from(time.saturating_sub(start)) * u128::from(WIDTH - 1) / u128::from(end - start);
        usize::try_from(part).unwrap_or(0)
    };
    let from = column(operation.call);
    let mut bar = " ".repeat(from);
    match operation.ret {
        Some(ret) => {
            let length = column(ret).saturating_sub(from);
            bar.push('|');
            bar.push_str(&"-".repeat(length.saturating_sub(1)));
            if length > 0 {
                bar.push('|');
            }
        }
        None => bar.push_str("|- ?"),
    }
    bar
}

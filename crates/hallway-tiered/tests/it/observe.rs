//! What onlookers are told: names, labels and numbers after a scripted run, spans of what takes time, and never a secret.

mod answers;
mod exporter;
mod measurements;
mod recorder;
mod spans;

/// Stands for everything that nobody may be told: ids, values, what loaders say.
const CANARY: &str = "canary-7f3a";

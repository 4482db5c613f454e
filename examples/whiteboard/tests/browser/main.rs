//! The demonstration as a person sees it: a real Chromium before two real instances, and what no browser sends.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod browser;
mod checks;
mod forms;
mod http;
mod instance;
mod programs;
mod proxy;
mod said;
mod shots;
mod story;

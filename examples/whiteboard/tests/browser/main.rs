//! The demonstration as a person sees it: a real Chromium before two real instances, and what no browser sends.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod checks;
mod forms;
mod http;
mod instance;
mod proxy;
mod story;

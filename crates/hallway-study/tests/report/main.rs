//! A report as files: what is in them, that they are well formed, and how they look in a browser.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod browser;
mod exports;
mod files;
mod golden;
mod page;
mod pictures;
mod reading;
mod sample;
mod schema;

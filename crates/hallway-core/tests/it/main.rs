//! Integration tests of the contract crate, in one binary.

#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

#[cfg(all(feature = "bincode", feature = "json", feature = "postcard"))]
mod codec;
mod ext;
mod forms;
mod key;
mod url;

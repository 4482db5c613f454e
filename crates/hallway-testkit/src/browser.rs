//! Pages as a person sees them: a private Chromium, steered over the WebDriver protocol, and its screenshots.
//!
//! [`Browser`] starts one with its driver, in a folder of its own, and leaves nothing behind; [`Shots`] takes a page in every
//! [`Form`] and asks it what is wrong, [`CONTRAST`] for one; [`Message`] is the HTTP that this needs, for tests that stand between; [`wait_for_line`]
//! hears a child process say where it listens.
//!
//! # Panics
//! These are for tests: whatever fails panics, with the remedy where there is one. A browser that is not installed is such a
//! failure.

mod contrast;
mod driver;
mod message;
mod programs;
mod said;
mod shots;

pub use self::contrast::CONTRAST;
pub use self::driver::Browser;
pub use self::message::Message;
pub use self::said::wait_for_line;
pub use self::shots::{Form, Shots};

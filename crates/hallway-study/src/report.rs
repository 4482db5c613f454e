//! What a study found: as data ([`Report`], which is `crossover.json`), and as files to look at.
//!
//! [`write()`] makes a folder with a page, its figures, Markdown and JSON; [`read`] takes the JSON back; [`page()`] is for a
//! figure that belongs to no study; [`exports`] is for the programs of others, [`markdown`] for documents;
//! [`moved()`] says what changed since an earlier study.

pub mod exports;
mod files;
mod html;
mod json;
pub mod markdown;
mod model;
mod moved;
mod told;

pub use self::files::{Files, save, write};
pub use self::html::page::page;
pub use self::json::{JSON_SCHEMA, read};
pub use self::model::*;
pub use self::moved::{Change, Comparison, Found, Move, moved};

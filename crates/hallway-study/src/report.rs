//! What a study found: as data ([`Report`], which is `crossover.json`), and as files to look at.

mod model;

pub use self::model::*;

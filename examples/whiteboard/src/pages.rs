//! One file per page.

pub(crate) mod assets;
pub(crate) mod card;
pub(crate) mod devices;
pub(crate) mod edit;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod ops;
pub(crate) mod people;
pub(crate) mod profile;

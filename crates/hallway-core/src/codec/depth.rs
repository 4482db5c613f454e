//! Nesting guard.
pub(super) const MAX_DEPTH: usize = 100;

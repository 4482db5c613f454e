//! The checker of histories: what it accepts, what it rejects, and what others say of the same histories.

mod brute_force;
mod by_hand;
mod exchange;
mod random;
mod rules;
mod second_opinion;
mod speed;
mod staleness;

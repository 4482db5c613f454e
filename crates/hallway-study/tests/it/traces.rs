//! What the study says of streams, against plain models and known figures.

mod known;
mod models;
mod predictions;
mod streams;

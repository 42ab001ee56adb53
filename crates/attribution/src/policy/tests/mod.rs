//! The policy against a scripted world and a false clock.

mod clock;
mod driver;
mod fast_lookups;
mod observations;
mod properties;
mod retries;
mod rules;
mod world;

//! The live view: a full screen that is kept up to date.
//!
//! | module | about |
//! |---|---|
//! | `data` | what is shown at one time, arranged; pure |
//! | `columns` | what is shown of it, and how wide; pure |
//! | `state` | how it is looked at: what happened comes in, what is to be done comes out; pure |
//! | `view` | how it is drawn; pure |
//! | `input` | from keys to what they mean; pure |
//! | `driver` | threads, terminal, signals, clock |

mod columns;
mod data;
mod driver;
mod input;
#[cfg(test)]
mod samples;
mod state;
mod view;

pub(crate) use columns::{Column, Tab};
pub(crate) use driver::{is_possible, run};

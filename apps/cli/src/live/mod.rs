//! The live view: a full screen that updates itself.
//!
//! | module | content |
//! |---|---|
//! | `data` | the content at one time, arranged; pure |
//! | `columns` | the columns, and their widths; pure |
//! | `state` | the state of the view: events go in, effects come out; pure |
//! | `view` | drawing; pure |
//! | `input` | translates keys to messages; pure |
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

//! Plays the demo, if this crate has one (feature `demo`). Both modules have the same names:
//!
//! | name | meaning |
//! |---|---|
//! | `Clock` | the time on the made-up host |
//! | `Player` | returns its frames when they are due; `next`, `stopper` |
//! | `Made` | a player with the facts about its host |

#[cfg(not(any(test, feature = "demo")))]
mod none;
#[cfg(any(test, feature = "demo"))]
mod played;

#[cfg(not(any(test, feature = "demo")))]
pub(super) use none::{Clock, Made, Player};
#[cfg(any(test, feature = "demo"))]
pub(super) use played::{Clock, Made, Player};

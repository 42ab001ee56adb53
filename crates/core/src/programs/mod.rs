//! Which processes are one program. The program itself is in the model.
//!
//! | file | about |
//! |---|---|
//! | `identify` | what a process is by itself; pure |
//! | `identity` | what that is: its id, its name, why |
//! | `arguments` | the script that a process runs, by its arguments; pure |
//! | `interpreted` | the same of what others execute: scripts, modules, applets; pure |
//! | `installed` | what a system says: bundles, packages, Snaps, scopes; pure |
//! | `versions`, `product` | paths: what an upgrade changes, what comes together; pure |
//! | `principal` | whom an owner stands for |
//! | `all` | all programs of a host, each process resolved once |
//! | `claim` | whether what a process says of itself is proven |
//! | `facts` | who started a process, and which file it names: the part that asks the system |

mod all;
mod arguments;
mod claim;
mod facts;
mod identify;
mod identity;
mod installed;
mod interpreted;
mod principal;
mod product;
mod versions;

use flowner_attribution::Process;
use flowner_icons::Catalog;

use crate::model::program::Program;
pub use all::{Membership, Programs};
pub use facts::Facts;
use identity::Identity;

impl Program {
    /// The program that a process runs, as far as the process itself tells.
    /// [`Programs`] knows more: desktop entries, and who started it.
    pub fn of(process: &Process) -> Self {
        Identity::of(process, &Catalog::default(), &()).into_program(process)
    }

    /// The program of a process of which a file tells: nothing of it is looked for on this host.
    ///
    /// ```
    /// use flowner_core::{Claim, Program, attribution::Process};
    ///
    /// let program = Program::recorded(&Process::new(4242, "curl"));
    /// assert_eq!((program.id.as_str(), program.claim), ("recorded:name:curl", Some(Claim::File)));
    /// ```
    pub fn recorded(process: &Process) -> Self {
        let identity = Identity::of(process, &Catalog::default(), &());
        identity.recorded().into_program(process)
    }
}

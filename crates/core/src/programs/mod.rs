//! Groups processes into programs. The program itself is in the model.
//!
//! | file | content |
//! |---|---|
//! | `identify` | what a process is by itself; pure |
//! | `identity` | the result: its id, its name, why |
//! | `arguments` | the script that a process runs, by its arguments; pure |
//! | `interpreted` | the same for scripts, modules and applets; pure |
//! | `installed` | what the system's layout says: bundles, packages, Snaps, scopes; pure |
//! | `versions`, `product` | paths: which parts an upgrade changes, which files belong together;
//! pure |
//! | `principal` | the principal of an owner |
//! | `all` | all programs of a host, with each process resolved once |
//! | `claim` | whether a process's statement about itself is proven |
//! | `facts` | the parent of a process, and the files in its arguments: the part that makes system
//! calls |

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
pub use facts::ProcessReader;
use identity::Identity;

impl Program {
    /// The program of a process, by the facts of the process itself. [`Programs`] also uses desktop
    /// entries and parents.
    pub fn of(process: &Process) -> Self {
        Identity::of(process, &Catalog::default(), &()).into_program(process)
    }

    /// The program of a recorded process: this searches nothing on this host.
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

//! What Landlock forbids a process (landlock(7)): its user's right to read stays.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use crate::system::privileges::{Layer, Writes};

/// The newest version of Landlock that this code knows; older kernels forbid less.
const KNOWN: ABI = ABI::V6;

/// Makes this thread, and those that it starts, write only there, execute nothing, and open no
/// connections; also `Ok` if the kernel has no Landlock.
pub(super) fn enforce(writes: &Writes) -> Result<Layer, RulesetError> {
    let directory = match writes {
        Writes::Nowhere => None,
        Writes::In(path) => Some(path),
        Writes::AsUser => return Ok(Layer::Not("the program writes where its user may")),
    };
    let writing: BitFlags<AccessFs> = AccessFs::from_write(KNOWN);
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writing | AccessFs::Execute)?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?;
    let opened = directory.and_then(|path| PathFd::new(path).ok());
    let rules = match opened {
        Some(directory) => rules.add_rule(PathBeneath::new(directory, writing))?,
        None => rules,
    };
    let status = rules.restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Layer::InForce,
        RulesetStatus::PartiallyEnforced => Layer::InPart,
        RulesetStatus::NotEnforced => Layer::Not("this kernel has none"),
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Why a process that inspects other processes cannot be under these rules.
    #[test]
    fn a_process_under_rules_sees_no_other_process() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let link = format!("/proc/{}/exe", child.id());
        assert!(std::fs::read_link(&link).is_ok());
        let below = link.clone();
        // The rules hold for that thread alone.
        let thread = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true).unwrap();
            let enforced = enforce(&Writes::Nowhere).unwrap();
            (enforced, std::fs::read_link(below))
        });
        let (enforced, seen) = thread.join().unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        match enforced {
            Layer::Not(why) => flowner_testing::skipped!("Landlock: {why}"),
            Layer::InForce | Layer::InPart => {
                let error = seen.unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            }
        }
    }
}

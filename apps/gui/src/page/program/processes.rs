//! The processes of a program, below those that started them.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowner_core::FlowRecord;
use flowner_core::attribution::Process;
use iced::widget::{Space, column, container, row};
use iced::{Center, Element, Fill};

use super::Message;
use crate::feed::Profile;
use crate::theme::{Colors, space};
use crate::widget::parts;

/// Every process that owns one of its flows.
pub(super) fn processes(profile: &Profile) -> Vec<Arc<Process>> {
    let mut found = BTreeMap::new();
    let shares = profile.report.flows.iter().flat_map(FlowRecord::shares);
    for share in shares.filter(|share| *share.principal == profile.principal) {
        for process in share
            .owner
            .map_or(&[][..], |owner| owner.verdict.processes())
        {
            found.insert(process.id(), Arc::clone(process));
        }
    }
    found.into_values().collect()
}

/// Processes below those that started them.
pub(super) fn view_tree<'a>(processes: &[Arc<Process>], colors: Colors) -> Element<'a, Message> {
    let lines = tree(processes).into_iter().map(|(depth, process)| {
        let depth = u16::try_from(depth).unwrap_or(u16::MAX);
        row![
            Space::new().width(f32::from(depth.min(8)) * 14.0),
            container(parts::body(process.pid.to_string(), colors.muted)).width(52),
            parts::body(process.name.clone(), colors.text),
            Space::new().width(space::S),
            parts::small(about(&process), colors.muted),
        ]
        .align_y(Center)
        .into()
    });
    parts::scroll(column(lines).spacing(5).width(Fill), colors)
}

fn about(process: &Process) -> String {
    let parent = process.parent.map(|pid| format!("from {pid}"));
    let unit = process.unit.as_ref().map(|unit| unit.name.clone());
    let words = [parent, unit].into_iter().flatten();
    words.collect::<Vec<_>>().join("  ")
}

/// Each process with how deep it stands: below its parent, where that is one of them.
fn tree(processes: &[Arc<Process>]) -> Vec<(usize, Arc<Process>)> {
    let is_one = |pid: Option<u32>| processes.iter().any(|process| Some(process.pid) == pid);
    let mut lines = Vec::new();
    let mut stack: Vec<(usize, &Arc<Process>)> = processes
        .iter()
        .rev()
        .filter(|process| !is_one(process.parent) || process.parent == Some(process.pid))
        .map(|process| (0, process))
        .collect();
    while let Some((depth, process)) = stack.pop() {
        let children = processes
            .iter()
            .rev()
            .filter(|child| child.parent == Some(process.pid) && child.pid != process.pid);
        stack.extend(children.map(|child| (depth + 1, child)));
        lines.push((depth, Arc::clone(process)));
        // Pids that were used again can make a circle.
        if lines.len() > processes.len() {
            break;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parents: &[(u32, u32)], expected: &[(usize, u32)]) {
        let processes: Vec<_> = parents
            .iter()
            .map(|(pid, parent)| {
                Arc::new({
                    let mut process = Process::new(*pid, "p");
                    process.parent = Some(*parent);
                    process
                })
            })
            .collect();
        let lines = tree(&processes).into_iter();
        let lines: Vec<_> = lines.map(|(depth, process)| (depth, process.pid)).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn children_stand_below_their_parents() {
        check(
            &[(5, 1), (6, 5), (7, 5), (8, 6), (9, 1)],
            &[(0, 5), (1, 6), (2, 8), (1, 7), (0, 9)],
        );
        check(&[], &[]);
        check(&[(3, 3)], &[(0, 3)]);
    }
}

//! Tells of which program the processes with these pids are, and why; of all processes of
//! this host that can be inspected without any.

use std::fs;

use flowner_core::Programs;
use flowner_core::attribution::Processes;

fn main() {
    let mut pids: Vec<u32> = std::env::args()
        .skip(1)
        .filter_map(|pid| pid.parse().ok())
        .collect();
    if pids.is_empty() {
        let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
        pids.extend(folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok()));
    }
    let programs = Programs::of_this_host();
    let mut processes = Processes::new();
    for pid in pids {
        let Some(process) = processes.read(pid) else {
            println!("{pid:>7}  no such process");
            continue;
        };
        let membership = programs.membership(&process);
        let program = &membership.program;
        println!("{pid:>7}  {program}  [{}]", program.id);
        for reason in &membership.reasons {
            println!("         {reason}");
        }
    }
}

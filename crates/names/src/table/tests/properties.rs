//! Whatever processes ask for, no flow gets a wrong name.

use proptest::prelude::*;

use super::*;

/// A process asks, or connects.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ask {
        owner: FlowOwner,
        name: usize,
        host: usize,
        life: u32,
        is_known: bool,
    },
    Connect {
        owner: FlowOwner,
        host: usize,
        is_known: bool,
    },
    Pass(u64),
}

/// One of two processes of each of two programs.
fn owner() -> impl Strategy<Value = FlowOwner> {
    (0..2_u64, 0..2_u64).prop_map(|(program, number)| process(program, program * 10 + number))
}

fn step() -> impl Strategy<Value = Step> {
    let asks = (owner(), 0..3_usize, 0..2_usize, 0..40_u32, any::<bool>());
    prop_oneof![
        3 => asks.prop_map(|(owner, name, host, life, is_known)| Step::Ask {
            owner,
            name,
            host,
            life,
            is_known
        }),
        2 => (owner(), 0..2_usize, any::<bool>()).prop_map(|(owner, host, is_known)| {
            Step::Connect { owner, host, is_known }
        }),
        1 => (0..40_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Processes of two hosts ask for names with one address, and connect to any of what they asked
    /// for, in every order, with and without their owners known: no flow has a name that its process
    /// did not mean, or may not have meant.
    #[test]
    fn no_name_is_wrong(
        steps in prop::collection::vec(step(), 1..60),
        of_address in 1_usize..8,
    ) {
        const NAMES: [&str; 3] = ["a.example", "b.example", "c.example"];
        const HOSTS: [&str; 2] = [HOST, OTHER];
        let mut host = Host::with(Limits { of_address, ..Limits::default() });
        let mut now = 1_000;
        // What each process of each host asked for, and until when that counts.
        let mut asked: Vec<(FlowOwner, usize, usize, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Ask { owner, name, host: at, life, is_known } => {
                    let flow = host.resolve(HOSTS[at], NAMES[name], CDN, life, now);
                    if is_known {
                        host.table.set_dns_flow_owner(flow, owner);
                    }
                    asked.push((owner, at, name, now + u64::from(life) + 60));
                }
                Step::Pass(passed) => now += passed,
                Step::Connect { owner, host: at, is_known } => {
                    let own = asked.iter().filter(|(of, host, _, until)| {
                        (*of, *host) == (owner, at) && now <= *until
                    });
                    let meant: std::collections::HashSet<&str> =
                        own.map(|(_, _, name, _)| NAMES[*name]).collect();
                    // It may have the address from anywhere.
                    if meant.is_empty() {
                        continue;
                    }
                    let known = is_known.then_some(owner);
                    let Some(name) = host.names(HOSTS[at], known, now).name else {
                        continue;
                    };
                    prop_assert_eq!(meant, [name.name.as_str()].into());
                }
            }
            let (kept, _) = host.table.answers.sizes();
            prop_assert!(kept <= of_address);
        }
    }
}

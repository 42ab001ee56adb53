//! Reads a file: one thread reads and decodes, while another counts earlier packets.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use flowner_capture::{Next, Progress};

use super::counting::CaptureThread;
use super::packet_input::{Batch, PacketInput};
use crate::model::report::EndState;

/// The number of packets in a batch: enough that wake-ups cost little, and few enough that all
/// batches stay in the CPU's caches.
const PACKETS: usize = 1_024;

/// The number of batches: one for reading, one for counting, and those between them, by which one
/// thread may be ahead of the other.
const BATCHES: usize = 4;

/// The result of reading one batch.
struct Part {
    batch: Batch,
    progress: Option<Progress>,
    /// How the input ended, if it has.
    ending: Option<EndState>,
    /// A warning about the input.
    warning: Option<String>,
}

/// Reads and counts until the input ends.
///
/// The thread that read the first packets counts them, too: there may be no more, and the rest may
/// depend on the inferred addresses.
pub(super) fn read(input: &mut PacketInput, counter: &mut CaptureThread) -> EndState {
    let mut batch = Batch::default();
    let enough = counter.at_least(PACKETS);
    let mut ending = None;
    while ending.is_none() && batch.len() < enough {
        let missing = enough - batch.len();
        let part = read_part(input, batch, missing);
        counter.progress(part.progress);
        counter.warn(part.warning);
        (batch, ending) = (part.batch, part.ending);
    }
    counter.count(&mut batch);
    counter.carry_out();
    match ending {
        Some(ending) => ending,
        None => read_on(input, counter),
    }
}

fn read_on(input: &mut PacketInput, counter: &mut CaptureThread) -> EndState {
    // There are never more batches than the channel holds, so only receiving waits.
    let (full, to_count) = sync_channel(BATCHES);
    let (empty, to_fill) = sync_channel(BATCHES);
    thread::scope(|scope| {
        let reading = thread::Builder::new()
            .name("flowner-read".to_owned())
            .spawn_scoped(scope, move || read_parts(input, &to_fill, &full));
        match reading {
            Ok(_) => count_parts(counter, &to_count, &empty),
            Err(error) => EndState::InputFailed(format!("no thread can be started: {error}")),
        }
    })
}

/// Reads into empty batches until the input ends or the counting thread is gone.
fn read_parts(input: &mut PacketInput, to_fill: &Receiver<Batch>, full: &SyncSender<Part>) {
    for batch in to_fill {
        let part = read_part(input, batch, PACKETS);
        let is_last = part.ending.is_some();
        if full.send(part).is_err() || is_last {
            return;
        }
    }
}

fn read_part(input: &mut PacketInput, mut batch: Batch, packets: usize) -> Part {
    let mut warning = None;
    // Skipped packets count, too, so that progress continues while there are no others.
    let ending = (0..packets).find_map(|_| match input.next_within(Duration::MAX, &mut batch) {
        Ok((Next::Packet(_) | Next::Idle, _)) => None,
        Ok((Next::Stopped, _)) => Some(EndState::Stopped),
        Ok((Next::End, _)) => {
            warning = input.source.remarks();
            Some(EndState::Complete)
        }
        Err(error) if matches!(error, flowner_capture::Error::Growing { .. }) => {
            warning = Some(error.to_string());
            Some(EndState::Complete)
        }
        Err(error) => Some(EndState::InputFailed(error.to_string())),
    });
    Part {
        batch,
        progress: input.source.progress(),
        ending,
        warning,
    }
}

fn count_parts(
    counter: &mut CaptureThread,
    to_count: &Receiver<Part>,
    empty: &SyncSender<Batch>,
) -> EndState {
    for _ in 0..BATCHES {
        // If the reading thread is gone, there is nothing to count either.
        let _ = empty.send(Batch::default());
    }
    for part in to_count {
        let mut batch = part.batch;
        counter.count(&mut batch);
        counter.progress(part.progress);
        counter.warn(part.warning);
        counter.carry_out();
        if let Some(ending) = part.ending {
            return ending;
        }
        let _ = empty.send(batch);
    }
    EndState::InputFailed("the reading thread failed; this is a defect of flowner".to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Instant;

    use flowner_capture::LinkType;
    use flowner_capture::pcapng::{Interface, Section, Writer};

    use super::super::config::Config;
    use super::super::input::Opened;
    use super::super::{Shared, Status};
    use super::*;
    use crate::demo::{self, Traffic};
    use crate::engine::ledger::{Ledger, OwnerScope};
    use crate::model::config::{Input, ReadOptions, TimeBound};
    use crate::model::flow::FlowRecord;
    use crate::model::report::LocalAddressSource;
    use crate::programs::Programs;

    /// The knowledge after reading a file.
    #[derive(Debug, PartialEq)]
    struct Counted {
        ending: EndState,
        local_addresses: LocalAddressSource,
        flows: Vec<FlowRecord>,
        undecodable: Vec<(&'static str, flowner_flows::Counters)>,
    }

    /// Ten minutes of the demo, with undecodable packets and recorded owners.
    fn file() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
        let interface = writer
            .interface(&Interface::new(LinkType::Ethernet))
            .unwrap();
        let frames = Traffic::new().take_while(|frame| frame.at < demo::PAST);
        for (number, frame) in frames.enumerate() {
            let time = demo::RECORDED_AT + frame.at;
            let owner = format!(
                "flowner: program=p{number} pid={number} verdict=process match=five-tuple end=source"
            );
            let comments: &[&str] = if number % 7 == 0 { &[&owner] } else { &[] };
            let data = if number % 11 == 0 {
                &[0; 60]
            } else {
                frame.data()
            };
            writer
                .packet(interface, time, frame.wire_len, data, comments)
                .unwrap();
        }
        writer.into_inner()
    }

    fn open(path: &Path, options: ReadOptions) -> (PacketInput, CaptureThread) {
        let config = Config {
            input: Input::File(path.into()),
            read: options,
            ..Config::default()
        };
        let opened = Opened::new(&config).unwrap();
        let ledger = Ledger::new(&config.limits, None, OwnerScope::Nobody, false);
        let shared = Arc::new(Shared {
            ledger: Mutex::new(ledger),
            status: Mutex::new(Status {
                ending: EndState::Running,
                capture: None,
                local_addresses: LocalAddressSource::Unknown,
                interruption: None,
                warning: None,
            }),
            ended: Condvar::new(),
            queues: crate::sinks::attached::Queues::default(),
            progress: super::super::Progress::default(),
            links_changed: std::sync::atomic::AtomicBool::new(false),
            programs: Programs::without_processes(),
            recorders: Vec::new(),
        });
        let input = PacketInput::new(opened.source, &config.read, config.names);
        let thread = CaptureThread {
            shared,
            resolver: None,
            guesses: config.read.infer_local_addresses,
            effects: Vec::new(),
            next_due: None,
            config,
            is_device: false,
            own: None,
            injection: None,
            devices: None,
            refreshed: Instant::now(),
            started: Instant::now(),
            jumps: crate::monitor::jumps::Jumps::default(),
            drops: super::super::drops::Drops::default(),
        };
        (input, thread)
    }

    fn counted(thread: &CaptureThread, ending: EndState) -> Counted {
        let shared = &thread.shared;
        let view = shared.ledger().view(None);
        Counted {
            ending,
            local_addresses: shared.status().local_addresses.clone(),
            flows: view.flows(),
            undecodable: view.undecodable_by_kind(),
        }
    }

    /// Reads a file packet by packet, and with a reading thread; both results must be equal.
    #[track_caller]
    fn check(bytes: &[u8], options: ReadOptions) -> Counted {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let (mut input, mut plain) = open(file.path(), options.clone());
        let ending = plain.capture(&mut input);
        let expected = counted(&plain, ending);
        let (mut input, mut ahead) = open(file.path(), options);
        let ending = read(&mut input, &mut ahead);
        let found = counted(&ahead, ending);
        assert_eq!(found, expected);
        found
    }

    #[test]
    fn the_result_equals_that_of_reading_packet_by_packet() {
        let file = file();
        let all = check(&file, ReadOptions::default());
        assert_eq!(all.ending, EndState::Complete);
        let packets = |counted: &Counted| {
            let flows = counted.flows.iter().map(|flow| flow.total().packets);
            let others = counted
                .undecodable
                .iter()
                .map(|(_, counters)| counters.packets);
            flows.chain(others).sum::<u64>()
        };
        let enough = (PACKETS * (BATCHES + 2)) as u64;
        assert!(packets(&all) > enough, "{}", packets(&all));
        assert!(all.flows.iter().any(|flow| flow.owner.is_some()));
        assert!(!all.undecodable.is_empty());

        let guessed = check(
            &file,
            ReadOptions {
                infer_local_addresses: true,
                ..ReadOptions::default()
            },
        );
        assert!(matches!(
            guessed.local_addresses,
            LocalAddressSource::Inferred(_)
        ));
        let some = check(
            &file,
            ReadOptions {
                from: Some(TimeBound::AfterFirst(demo::PAST / 2)),
                to: Some(TimeBound::AfterFirst(demo::PAST * 3 / 4)),
                ..ReadOptions::default()
            },
        );
        assert!((1..packets(&all)).contains(&packets(&some)));
        // Within the first packets, and far behind them.
        for len in [1_000, file.len() - 5] {
            let cut = check(&file[..len], ReadOptions::default());
            assert!(matches!(cut.ending, EndState::InputFailed(_)));
            assert!(packets(&cut) > 0);
        }
    }

    #[test]
    fn a_stop_ends_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self::file()).unwrap();
        let (mut input, mut thread) = open(file.path(), ReadOptions::default());
        input.source.stopper().stop();
        assert_eq!(read_on(&mut input, &mut thread), EndState::Stopped);
    }
}

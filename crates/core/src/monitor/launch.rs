//! Starts the threads of a monitor.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use flowner_attribution::capture::CaptureResolver;
use flowner_attribution::snapshot::TableOptions;
use flowner_attribution::{self as attribution, Attributor, Notice, PolicyConfig, Resolver};
use flowner_flows::LocalAddresses;

use super::addresses::OwnAddresses;
use super::builder::Builder;
use super::config::Config;
use super::counting::CaptureThread;
use super::drops::Drops;
use super::injection::Injection;
use super::input::{Opened, PacketSource};
use super::jumps::Jumps;
use super::links::{LinksThread, SeenDevices};
use super::names::{NameFiles, NamesThread};
use super::packet_input::PacketInput;
use super::recording::OpenRecording;
use super::reports::Reports;
use super::{Monitor, Progress, Shared, Status};
use crate::engine::ledger::{CapturedDevices, Ledger, OwnerScope};
use crate::model::config::Input;
use crate::model::error::Error;
use crate::model::event::Event;
use crate::model::report::{EndState, InputInfo, LocalAddressSource};
use crate::model::selection::Selection;
use crate::model::stop_handle::StopHandle;
use crate::programs::Programs;
use crate::sinks::Sink;
use crate::sinks::attached::{Attached, Queues};
use crate::sinks::events::{EventQueue, Events};

/// How often, at most, this checks for newly installed programs.
const INSTALLED: Duration = Duration::from_secs(60);

impl Monitor {
    /// Starts the threads for an open input.
    pub(super) fn launch(
        builder: Builder,
        opened: Opened,
        names: NameFiles,
        recordings: Vec<OpenRecording>,
    ) -> Result<Self, Error> {
        let config = &builder.config;
        let is_live = opened.info.is_live;
        let given = builder.attributor.filter(|_| is_live);
        let attributor = match opened.attributor.or(given) {
            _ if !config.owners => None,
            None if is_live => Some(best_attributor(config)?),
            attributor => attributor,
        };
        let sinks = builder.sinks.into_iter();
        let sinks = sinks.filter(|sink| sink.packets().is_none()).collect();
        let (queues, readers) = queues(builder.events, sinks, config.limits.events);
        let attributor_wanted = match &attributor {
            None => OwnerScope::Nobody,
            Some(attributor) if attributor.capabilities().local_addresses => OwnerScope::All,
            Some(_) => OwnerScope::Own,
        };
        let is_device = is_live && opened.clock.is_none();
        let ledger = new_ledger(
            config,
            opened.local.clone(),
            attributor_wanted,
            !queues.is_empty(),
        );
        let shared = Arc::new(Shared {
            ledger: Mutex::new(ledger),
            status: Mutex::new(begun(&opened.local_addresses)),
            ended: Condvar::new(),
            queues,
            progress: Progress::default(),
            links_changed: AtomicBool::new(false),
            programs: match attributor {
                Some(_) if opened.clock.is_none() => Programs::of_this_host(),
                Some(_) | None => Programs::without_processes(),
            },
            recorders: recordings.iter().map(OpenRecording::recorder).collect(),
        });
        let names = NamesThread::spawn(&shared, names, is_device)?;
        let service = match attributor {
            Some(attributor) => Some(Arc::new(spawn_service(&shared, attributor)?)),
            None => None,
        };
        let stopper = opened.source.stopper();
        let about = (opened.info.clone(), stopper.handle());
        let now = Instant::now();
        let links = is_device.then(|| LinksThread::spawn(&shared)).flatten();
        name_only_device(&shared, &opened.source);
        let input = PacketInput::new(opened.source, &config.read, config.names);
        let capture_thread = CaptureThread {
            shared: Arc::clone(&shared),
            resolver: service.clone().map(CaptureResolver::new),
            guesses: config.read.infer_local_addresses
                && opened.local_addresses == LocalAddressSource::Unknown
                && shared.recorders.is_empty(),
            effects: Vec::new(),
            next_due: None,
            config: config.clone(),
            is_device,
            own: own_addresses(opened.local.filter(|_| is_device), now),
            injection: if is_device { Injection::new(now) } else { None },
            devices: links.is_some().then(SeenDevices::new),
            refreshed: now,
            started: now,
            jumps: Jumps::default(),
            drops: Drops::default(),
        };
        let reports = Reports {
            shared: Arc::clone(&shared),
            input: opened.info,
            clock: opened.clock,
            service: service.as_ref().map(Arc::downgrade),
        };
        let (until_ready, ready) = channel();
        let thread = std::thread::Builder::new()
            .name("flowner-capture".to_owned())
            .spawn(move || capture_thread.run(input, until_ready))
            .map_err(Error::Thread)?;
        let mut monitor = Self {
            shared,
            service,
            stopper,
            reports: reports.clone(),
            thread: Some(thread),
            links,
            names,
            ticker: None,
            sinks: Vec::new(),
            writing: Vec::new(),
        };
        // From here on, any failure stops the capture thread. The caller must not learn that the
        // capture runs before the observers do: a process that sends at once would stay without a
        // name.
        let _closed = ready.recv();
        for recording in recordings {
            let writing = recording.spawn(&monitor)?;
            monitor.writing.push(writing);
        }
        monitor.sinks = spawn_sinks(&monitor.shared, readers, &about)?;
        if !monitor.sinks.is_empty() {
            monitor.ticker = Some(reports.spawn_ticker(builder.tick)?);
        }
        Ok(monitor)
    }
}

/// The status of an input before its first packet.
fn begun(local_addresses: &LocalAddressSource) -> Status {
    Status {
        ending: EndState::Running,
        capture: None,
        local_addresses: local_addresses.clone(),
        interruption: None,
        warning: None,
    }
}

/// A ledger without packets.
fn new_ledger(
    config: &Config,
    local: Option<LocalAddresses>,
    asked: OwnerScope,
    is_watched: bool,
) -> Ledger {
    Ledger::new(&config.limits, local, asked, is_watched)
        .with_community_seed(config.community_seed)
        .counting_once(captured_devices(&config.input))
        .listing(Selection::from(&config.filter), config.limits.groups)
}

/// The devices whose packets may be copies of each other.
fn captured_devices(input: &Input) -> Option<CapturedDevices> {
    match input {
        Input::AllDevices => Some(CapturedDevices::All),
        Input::Devices(names) => Some(CapturedDevices::Named(names.iter().cloned().collect())),
        Input::DefaultDevice
        | Input::Device(_)
        | Input::File(_)
        | Input::StandardInput
        | Input::Demo(_) => None,
    }
}

/// Packets without a device index belong to the only device, if there is one.
fn name_only_device(shared: &Shared, source: &PacketSource) {
    if let PacketSource::Device(device) = source
        && let Some(name) = device.only()
    {
        shared.ledger().set_only_device(name);
    }
}

/// For a device of this host.
fn own_addresses(local: Option<LocalAddresses>, now: Instant) -> Option<OwnAddresses> {
    local.map(|local| OwnAddresses::new(local, now))
}

/// The best table of this system, as it is configured.
fn best_attributor(config: &Config) -> Result<Attributor, attribution::Error> {
    let mut options = TableOptions::default();
    options.realtime = config.realtime;
    Attributor::with_options(options)
}

fn spawn_service(shared: &Arc<Shared>, attributor: Attributor) -> Result<Resolver, Error> {
    let to_warn = Arc::clone(shared);
    let on_notice = move |notice: Notice| {
        let warning = notice.to_string();
        // The warning stays, also for those who only read reports.
        if matches!(
            notice,
            Notice::FallbackTable(_) | Notice::NamespacesSkipped(_)
        ) {
            to_warn.status().warning = Some(warning.clone());
        }
        to_warn.tell(Event::Warning(warning));
    };
    let shared = Arc::clone(shared);
    let mut checked = Instant::now();
    let on_event = move |event| {
        // No capture waits here.
        if checked.elapsed() >= INSTALLED {
            checked = Instant::now();
            shared.programs.refresh();
        }
        shared.answer(event);
    };
    let config = PolicyConfig::default();
    Ok(Resolver::spawn_with_notices(
        attributor, config, on_event, on_notice,
    )?)
}

/// Sinks, each with the reading end of its queue.
type Readers = Vec<(Box<dyn Sink>, Events)>;

/// The queues of readers and sinks; a queue of a sink holds at most `max` events.
fn queues(events: Vec<EventQueue>, sinks: Vec<Box<dyn Sink>>, max: usize) -> (Queues, Readers) {
    let with_queue = |sink| {
        // Without any room, the sink could not even get a report.
        let (queue, news) = Events::queue(max.max(1));
        (queue, (sink, news))
    };
    let (sinks, readers) = sinks.into_iter().map(with_queue).unzip();
    (Queues { events, sinks }, readers)
}

fn spawn_sinks(
    shared: &Arc<Shared>,
    readers: Readers,
    about: &(InputInfo, StopHandle),
) -> Result<Vec<Attached>, Error> {
    let spawn = |(sink, news)| {
        // The shared state has the queue; a sink that kept the state alive would never get to the
        // end.
        let shared = Arc::downgrade(shared);
        let failed = move |warning: String| {
            if let Some(shared) = shared.upgrade() {
                shared.status().warning = Some(warning.clone());
                shared.tell(Event::Warning(warning));
            }
        };
        Attached::spawn(sink, news, about.clone(), failed).map_err(Error::Thread)
    };
    readers.into_iter().map(spawn).collect()
}

//! The receiver of a monitor's events and reports.

use std::sync::Arc;
use std::time::Duration;

use crate::model::event::Event;
use crate::model::report::{InputInfo, Report};
use crate::model::stop_handle::StopHandle;
use crate::sinks::record::Recording;

/// Receives the events and reports of a monitor, on a thread of its own.
///
/// [`Builder::sink`](crate::Builder::sink) attaches it. A sink may be arbitrarily slow: events wait
/// for it in its own queue of [`Limits::events`](crate::Limits::events) events. Past that they are
/// dropped, and [`Event::Missed`] has their number, in their place. Neither the capture nor another
/// sink waits for it.
///
/// A sink that panics gets nothing more. The monitor continues, with an [`Event::Warning`] for the
/// others, and the warning in its reports.
///
/// [`Monitor::stop`](crate::Monitor::stop) and [`Monitor::wait`](crate::Monitor::wait) return after
/// every sink has taken the rest of its queue and the last report. They wait for a sink no longer
/// than its [`patience`](Self::patience): then they leave it behind, with an [`Event::Warning`] for
/// other readers, and a warning in the log. A dropped monitor sends no last report, and waits for
/// no sink.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use flowner_core::{Config, EndState, Event, Input, Monitor, Report, Sink};
/// # fn capture_file() -> std::path::PathBuf {
/// #     let path = std::env::temp_dir().join("flowner-core-sink.pcap");
/// #     let mut bytes = vec![
/// #         0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0,
/// #     ];
/// #     for second in [0_u32, 3_600] {
/// #         bytes.extend(second.to_le_bytes());
/// #         bytes.extend([0, 0, 0, 0, 28, 0, 0, 0, 28, 0, 0, 0]);
/// #         bytes.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
/// #         bytes.extend([0x9c, 0x40, 0, 53, 0, 8, 0, 0]);
/// #     }
/// #     std::fs::write(&path, bytes).unwrap();
/// #     path
/// # }
///
/// /// Counts the flows that ended, for a page of metrics.
/// #[derive(Default)]
/// struct Ended {
///     flows: Arc<AtomicU64>,
///     missed: u64,
/// }
///
/// impl Sink for Ended {
///     fn name(&self) -> &str {
///         "ended flows"
///     }
///
///     fn event(&mut self, event: &Event) {
///         match event {
///             Event::FlowClosed(_) => {
///                 self.flows.fetch_add(1, Ordering::Relaxed);
///             }
///             Event::Missed(count) => self.missed += count,
///             _ => {}
///         }
///     }
///
///     fn report(&mut self, report: Arc<Report>) {
///         if report.ending != EndState::Running {
///             println!("{} flows are listed; {} events missed", report.flows.len(), self.missed);
///         }
///     }
/// }
///
/// let flows = Arc::new(AtomicU64::new(0));
/// let sink = Ended {
///     flows: Arc::clone(&flows),
///     ..Ended::default()
/// };
/// let config = Config {
///     input: Input::File(capture_file()),
///     ..Config::default()
/// };
/// Monitor::builder(&config).sink(sink).start()?.wait();
/// assert!(flows.load(Ordering::Relaxed) > 0);
/// # Ok::<(), flowner_core::Error>(())
/// ```
pub trait Sink: Send + 'static {
    /// Its name in warnings.
    fn name(&self) -> &str;

    /// How it records packets. By default it takes no packets, but events and reports.
    ///
    /// A sink that records gets no events or reports. Its packets wait in their own queue, bounded
    /// in bytes, until their owners are known, and their own thread writes them.
    /// [`recording::Account`](crate::recording::Account) counts those that found no room.
    fn packets(&self) -> Option<&Recording> {
        None
    }

    /// How long the end of the monitor waits for this sink to take the rest of its queue. The
    /// default is ten seconds; [`Duration::MAX`] means for ever.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Called first, with the source of the packets and a handle that ends the monitor, for a sink
    /// without which the monitor would be useless.
    fn started(&mut self, input: &InputInfo, stop: &StopHandle) {
        let _ = (input, stop);
    }

    /// Takes an event, in order. All sinks share each event.
    fn event(&mut self, event: &Event);

    /// Takes the report that all sinks share, once a [tick](crate::Builder::tick). It comes after
    /// the events that were sent before it. Of several waiting reports, only the newest one comes.
    /// Only the last one has an [`ending`](Report::ending) other than
    /// [`Running`](crate::EndState::Running).
    fn report(&mut self, report: Arc<Report>) {
        drop(report);
    }
}

impl Sink for Recording {
    fn name(&self) -> &'static str {
        "recording"
    }

    fn patience(&self) -> Duration {
        Duration::MAX
    }

    fn packets(&self) -> Option<&Recording> {
        Some(self)
    }

    fn event(&mut self, _: &Event) {}
}

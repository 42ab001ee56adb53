//! The thread that reads the data: captured flows or, if this process may not capture, the list of
//! sockets.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use flowner_core::attribution::Attributor;
use flowner_core::{EndState, Error, Filter, Monitor, Programs, Report, capture, select};

use super::{Wake, spawn};
use crate::args::LiveArgs;
use crate::config;
use crate::error::Failure;
use crate::live::data::{Data, Notice, Observed, Sockets};
use crate::live::state::Message;

/// The requested content.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) filter: Filter,
    /// Whether to keep the last data.
    pub(super) is_paused: bool,
    /// Whether hosts are shown by their names.
    pub(super) shows_names: bool,
}

/// The source of the data.
pub(super) enum Source {
    Flows {
        monitor: Monitor,
        /// Whether it asks for names.
        resolves: bool,
    },
    Sockets {
        attributor: Attributor,
        programs: Box<Programs>,
        notice: Option<Notice>,
    },
}

/// The last data.
enum Latest {
    Report(Arc<Report>),
    Sockets(Sockets, Option<Notice>),
}

impl Source {
    /// Opens the device, or else the socket table.
    pub(super) fn open(args: &LiveArgs) -> Result<Self, Failure> {
        if args.sockets {
            return Self::sockets(None);
        }
        let config = config::of_live(args);
        let resolves = config.resolve;
        match Monitor::builder(&config).start() {
            Ok(monitor) => Ok(Self::Flows { monitor, resolves }),
            Err(Error::Capture(capture::Error::Permission { .. })) => {
                Self::sockets(Some(no_permission()))
            }
            Err(error @ Error::NoDevice) => Self::sockets(Some(Notice {
                long: format!("no byte counts: {error}"),
                short: "no byte counts: there is no device".to_owned(),
            })),
            Err(error) => Err(error.into()),
        }
    }

    fn sockets(notice: Option<Notice>) -> Result<Self, Failure> {
        Ok(Self::Sockets {
            attributor: Attributor::new()?,
            programs: Box::new(Programs::of_this_host()),
            notice,
        })
    }

    /// The name of the source, for the heading.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Flows { monitor, .. } => monitor.input().name.clone(),
            Self::Sockets { .. } => "sockets".to_owned(),
        }
    }

    pub(super) const fn has_bytes(&self) -> bool {
        matches!(self, Self::Flows { .. })
    }

    /// Reads at once, then after each `interval` or when the request changes.
    pub(super) fn run(
        mut self,
        mut question: Question,
        interval: Duration,
        sender: &SyncSender<Wake>,
    ) -> Result<SyncSender<Question>, Failure> {
        let (ask, questions) = sync_channel::<Question>(1);
        let sender = sender.clone();
        spawn("flowner-data", move || {
            let mut latest = None;
            let mut due = Instant::now();
            loop {
                if latest.is_none() || (!question.is_paused && Instant::now() >= due) {
                    match self.read() {
                        Ok(now) => latest = Some((now, SystemTime::now())),
                        Err(error) => {
                            let _ended = sender.send(Wake::Failed(error.to_string()));
                            return;
                        }
                    }
                    due = Instant::now() + interval;
                }
                if let Some((latest, at)) = &latest {
                    let data = latest.arrange(*at, &question.filter);
                    self.show(&data, question.shows_names);
                    if sender.send(Wake::Message(Message::from(data))).is_err() {
                        return;
                    }
                }
                match next(&questions, question.is_paused, due) {
                    Next::Question(next) => question = next,
                    Next::Read => {}
                    Next::End => return,
                }
            }
        })?;
        Ok(ask)
    }

    /// Lets the monitor ask for no names but those of the flows in view, the busiest first, and for none
    /// where the user wants addresses.
    fn show(&self, data: &Data, shows_names: bool) {
        let (
            Self::Flows {
                monitor,
                resolves: true,
            },
            Observed::Flows(report),
        ) = (self, &data.facts)
        else {
            return;
        };
        let live = report.flows.iter().filter(|flow| flow.ended.is_none());
        let mut unnamed: Vec<_> = live
            .filter(|flow| shows_names && flow.remote_name().is_none())
            .map(|flow| {
                (
                    Reverse(flow.rate.sent.max(flow.rate.received)),
                    flow.remote.ip(),
                )
            })
            .collect();
        unnamed.sort_unstable();
        monitor.show_addresses(unnamed.into_iter().map(|(_, address)| address));
    }

    fn read(&mut self) -> Result<Latest, flowner_core::attribution::Error> {
        Ok(match self {
            Self::Flows { monitor, .. } => Latest::Report(monitor.report()),
            Self::Sockets {
                attributor,
                programs,
                notice,
            } => {
                let snapshot = attributor.snapshot_all_namespaces()?;
                let list = snapshot.sockets().to_vec();
                let principals = list.iter().map(|it| programs.principal_of(Some(&it.owner)));
                let sockets = Sockets {
                    principals: principals.collect(),
                    list,
                    source: snapshot.source(),
                };
                Latest::Sockets(sockets, notice.clone())
            }
        })
    }
}

impl Latest {
    /// The part that passes a filter.
    fn arrange(&self, at: SystemTime, filter: &Filter) -> Data {
        match self {
            Self::Report(report) if filter.is_everything() => {
                Data::of_whole_report(Arc::clone(report), at, trouble(report))
            }
            Self::Report(report) => {
                let selected = Arc::new(select(report, filter));
                Data::of_report(selected, at, trouble(report))
            }
            Self::Sockets(all, notice) => {
                let each = all.list.iter().zip(&all.principals);
                let passing = each.filter(|(socket, _)| filter.matches(*socket));
                let (list, principals) = passing
                    .map(|(socket, principal)| (socket.clone(), principal.clone()))
                    .unzip();
                let sockets = Sockets {
                    list,
                    principals,
                    source: all.source,
                };
                Data::of_sockets(sockets, at, notice.clone())
            }
        }
    }
}

/// The next step.
enum Next {
    /// Read again with the same request.
    Read,
    Question(Question),
    End,
}

/// Waits for the next step.
fn next(questions: &Receiver<Question>, is_paused: bool, due: Instant) -> Next {
    if is_paused {
        return questions.recv().map_or(Next::End, Next::Question);
    }
    match questions.recv_timeout(due.saturating_duration_since(Instant::now())) {
        Ok(question) => Next::Question(question),
        Err(RecvTimeoutError::Timeout) => Next::Read,
        Err(RecvTimeoutError::Disconnected) => Next::End,
    }
}

/// A notice that the capture is interrupted or has ended.
fn trouble(report: &Report) -> Option<Notice> {
    match &report.ending {
        EndState::Running => report.interruption.as_ref().map(|why| Notice {
            long: why.clone(),
            short: "the device is down; capturing waits".to_owned(),
        }),
        EndState::InputFailed(message) => Some(Notice {
            long: format!("capturing ended: {message}"),
            short: "capturing ended; q quits".to_owned(),
        }),
        EndState::Complete | EndState::Stopped => None,
    }
}

fn no_permission() -> Notice {
    Notice {
        long: "no byte counts: not permitted to capture; `flowner doctor` has the commands that \
               allow it"
            .to_owned(),
        short: "no byte counts; see `flowner doctor`".to_owned(),
    }
}

//! The thread that looks at the network: at what is captured, or, where nothing may be
//! captured, at the list of sockets.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use flowner_core::attribution::Attributor;
use flowner_core::{EndState, Error, Filter, Monitor, Programs, Report, capture, select};

use super::{Wake, spawn};
use crate::args::LiveArgs;
use crate::config;
use crate::error::Failure;
use crate::live::data::{Data, Notice, Sockets};
use crate::live::state::Message;

/// What is to be shown.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) filter: Filter,
    /// Whether to stay with what was seen last.
    pub(super) is_paused: bool,
}

/// Where it comes from.
pub(super) enum Source {
    Flows(Monitor),
    Sockets {
        attributor: Attributor,
        programs: Box<Programs>,
        notice: Option<Notice>,
    },
}

/// What was seen last.
enum Seen {
    Report(Arc<Report>),
    Sockets(Sockets, Option<Notice>),
}

impl Source {
    /// Opens the device, or else what lists sockets.
    pub(super) fn open(args: &LiveArgs) -> Result<Self, Failure> {
        if args.sockets {
            return Self::sockets(None);
        }
        match Monitor::builder(&config::of_live(args)).start() {
            Ok(monitor) => Ok(Self::Flows(monitor)),
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

    /// What is looked at, for the heading.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Flows(monitor) => monitor.input().name.clone(),
            Self::Sockets { .. } => "sockets".to_owned(),
        }
    }

    pub(super) const fn has_bytes(&self) -> bool {
        matches!(self, Self::Flows(_))
    }

    /// Looks at once, then whenever `interval` has passed or the question changes.
    pub(super) fn run(
        mut self,
        mut question: Question,
        interval: Duration,
        sender: &SyncSender<Wake>,
    ) -> Result<SyncSender<Question>, Failure> {
        let (ask, questions) = sync_channel::<Question>(1);
        let sender = sender.clone();
        spawn("flowner-look", move || {
            let mut seen = None;
            let mut due = Instant::now();
            loop {
                if seen.is_none() || (!question.is_paused && Instant::now() >= due) {
                    match self.look() {
                        Ok(now) => seen = Some((now, SystemTime::now())),
                        Err(error) => {
                            let _ended = sender.send(Wake::Failed(error.to_string()));
                            return;
                        }
                    }
                    due = Instant::now() + interval;
                }
                if let Some((seen, at)) = &seen {
                    let data = seen.arrange(*at, &question.filter);
                    if sender.send(Wake::Message(Message::from(data))).is_err() {
                        return;
                    }
                }
                match next(&questions, question.is_paused, due) {
                    Next::Question(next) => question = next,
                    Next::Look => {}
                    Next::End => return,
                }
            }
        })?;
        Ok(ask)
    }

    fn look(&mut self) -> Result<Seen, flowner_core::attribution::Error> {
        Ok(match self {
            Self::Flows(monitor) => Seen::Report(monitor.report()),
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
                Seen::Sockets(sockets, notice.clone())
            }
        })
    }
}

impl Seen {
    /// What of it passes a filter.
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

/// What is to be done next.
enum Next {
    /// The same as before.
    Look,
    Question(Question),
    End,
}

/// Waits until something is to be done.
fn next(questions: &Receiver<Question>, is_paused: bool, due: Instant) -> Next {
    if is_paused {
        return questions.recv().map_or(Next::End, Next::Question);
    }
    match questions.recv_timeout(due.saturating_duration_since(Instant::now())) {
        Ok(question) => Next::Question(question),
        Err(RecvTimeoutError::Timeout) => Next::Look,
        Err(RecvTimeoutError::Disconnected) => Next::End,
    }
}

/// That nothing is captured, for now or any more.
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

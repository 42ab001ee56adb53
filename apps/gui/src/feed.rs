//! The thread between the monitor and the window: it takes the report once a second, puts
//! into order what the pages show of it, and hands that over. The window never waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use flowner_core::attribution::Process;
use flowner_core::flows::FlowId;
use flowner_core::{
    Config, Coverage, EndState, Filter, FlowRecord, Group, Monitor, Principal, ProcessPrincipal,
    Report, Service, Sort, SortKey, choose_flows, privileges,
};
use iced::futures::channel::mpsc;

use crate::hosts::Hosts;

/// How often there is a new report.
const TICK: Duration = Duration::from_secs(1);
/// How soon the first one is there, and how soon is tried again to hand one over.
const SOON: Duration = Duration::from_millis(100);

/// What the pages want to see.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// Which flows are listed.
    pub filter: Filter,
    pub sort: Sort,
    /// The flow that is selected, wherever it goes.
    pub selected: Option<FlowId>,
    /// Whose page is open.
    pub principal: Option<Principal>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            sort: Sort {
                key: SortKey::Rate,
                descending: true,
            },
            selected: None,
            principal: None,
        }
    }
}

/// All that is shown, at one point in time.
#[derive(Debug)]
pub struct Picture {
    pub report: Arc<Report>,
    /// The places in the report of the flows that are listed, in order.
    pub listed: Vec<u32>,
    /// What those were chosen by.
    pub wish: Wish,
    pub programs: Vec<Group<Principal>>,
    pub hosts: Hosts,
    pub services: Vec<Group<Service>>,
    pub coverage: Vec<Group<Coverage>>,
    /// Flows that are not over.
    pub open: usize,
    /// The row in the list of the flow that is selected.
    pub selected: Option<usize>,
    /// Every process that owns a flow, by pid.
    processes: HashMap<u32, Arc<Process>>,
    /// Whose page is open.
    pub principal: Option<Profile>,
    /// For files: how much of it was read, in bytes.
    pub progress: Option<(u64, u64)>,
}

/// All that is shown of one program.
#[derive(Debug)]
pub struct Profile {
    pub principal: Principal,
    /// The report of its flows alone.
    pub report: Report,
    pub processes: Vec<Group<ProcessPrincipal>>,
    pub hosts: Hosts,
    pub services: Vec<Group<Service>>,
}

/// What comes from the thread.
#[derive(Debug, Clone)]
pub enum News {
    /// The monitor runs.
    Started,
    /// It could not be started.
    Failed(Arc<flowner_core::Error>),
    /// There is something new to show.
    Picture(Arc<Picture>),
}

/// Orders to the thread.
#[derive(Debug)]
enum Order {
    Show(Wish),
    Pause(bool),
    Stop,
}

/// The window's end. When it is dropped, the capture ends.
#[derive(Debug)]
pub struct Feed {
    orders: Sender<Order>,
}

impl Feed {
    /// Starts a monitor on a thread of its own; news arrive through the receiver.
    pub fn start(config: Config, wish: Wish) -> (Self, mpsc::Receiver<News>) {
        let (orders, received) = channel();
        // A picture that the window has not taken yet is replaced by the next one.
        let (news, arriving) = mpsc::channel(1);
        let spawned = std::thread::Builder::new()
            .name("flowner-feed".to_owned())
            .spawn({
                let news = news.clone();
                move || run(&config, wish, &received, news)
            });
        if let Err(error) = spawned {
            let mut news = news;
            let error = Arc::new(flowner_core::Error::Thread(error));
            // The channel is empty.
            let _sent = news.try_send(News::Failed(error));
        }
        (Self { orders }, arriving)
    }

    /// From now on this is shown.
    pub fn show(&self, wish: Wish) {
        self.order(Order::Show(wish));
    }

    /// Stops showing what is new, or goes on. Capturing goes on either way.
    pub fn pause(&self, is_paused: bool) {
        self.order(Order::Pause(is_paused));
    }

    /// Stops capturing. What was captured stays.
    pub fn stop(&self) {
        self.order(Order::Stop);
    }

    fn order(&self, order: Order) {
        // The thread is gone only when the monitor could not be started.
        if self.orders.send(order).is_err() {
            tracing::debug!("the feed is gone");
        }
    }
}

fn run(config: &Config, wish: Wish, orders: &Receiver<Order>, mut news: mpsc::Sender<News>) {
    // Files are opened with the rights of the user alone.
    let started = if config.input.is_live() {
        privileges::raised(|| Monitor::builder(config).start())
    } else {
        Monitor::builder(config).start()
    };
    let monitor = match started {
        Ok(monitor) => monitor,
        Err(error) => {
            // The channel is empty.
            let _sent = news.try_send(News::Failed(Arc::new(error)));
            return;
        }
    };
    let _sent = news.try_send(News::Started);
    let report = monitor.report();
    let mut worker = Worker {
        progress: monitor.progress(),
        monitor: Some(monitor),
        report,
        wish,
        is_paused: false,
        due: Instant::now() + SOON,
        waiting: None,
        news,
    };
    worker.run(orders);
}

struct Worker {
    /// Until it was stopped.
    monitor: Option<Monitor>,
    report: Arc<Report>,
    progress: Option<(u64, u64)>,
    wish: Wish,
    is_paused: bool,
    /// When the next report is taken.
    due: Instant,
    /// What could not be handed over yet.
    waiting: Option<Arc<Picture>>,
    news: mpsc::Sender<News>,
}

impl Worker {
    fn run(&mut self, orders: &Receiver<Order>) {
        while !self.news.is_closed() {
            match self.next_order(orders) {
                Ok(order) => {
                    self.obey(order);
                    // A person who types or sorts several times at once wants the last.
                    while let Ok(order) = orders.try_recv() {
                        self.obey(order);
                    }
                    self.arrange();
                }
                Err(RecvTimeoutError::Timeout) if self.waiting.is_some() => {}
                Err(RecvTimeoutError::Timeout) => self.tick(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.hand_over();
        }
    }

    fn next_order(&self, orders: &Receiver<Order>) -> Result<Order, RecvTimeoutError> {
        if self.waiting.is_some() {
            return orders.recv_timeout(SOON);
        }
        if self.is_over() {
            return orders.recv().map_err(|_| RecvTimeoutError::Disconnected);
        }
        orders.recv_timeout(self.due.saturating_duration_since(Instant::now()))
    }

    /// Whether nothing will change by itself.
    fn is_over(&self) -> bool {
        self.monitor.is_none() || self.is_paused
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Show(wish) => self.wish = wish,
            Order::Pause(is_paused) => {
                self.is_paused = is_paused;
                if !is_paused {
                    self.look();
                }
            }
            Order::Stop => {
                if let Some(monitor) = self.monitor.take() {
                    self.report = monitor.stop();
                }
            }
        }
    }

    fn tick(&mut self) {
        self.look();
        self.arrange();
    }

    fn look(&mut self) {
        let Some(monitor) = &self.monitor else {
            return;
        };
        self.report = monitor.report();
        self.progress = monitor.progress();
        self.due = Instant::now() + TICK;
        if self.report.ending != EndState::Running {
            // Takes in the answers that are still on their way.
            self.report = self
                .monitor
                .take()
                .map_or_else(|| Arc::clone(&self.report), Monitor::wait);
        } else if self.progress.is_some() {
            self.due = Instant::now() + SOON;
        }
    }

    fn arrange(&mut self) {
        let picture = Picture::new(&self.report, &self.wish, self.progress);
        self.waiting = Some(Arc::new(picture));
    }

    fn hand_over(&mut self) {
        let Some(picture) = &self.waiting else {
            return;
        };
        if self
            .news
            .try_send(News::Picture(Arc::clone(picture)))
            .is_ok()
        {
            self.waiting = None;
        }
    }
}

impl Picture {
    /// What a report shows of what is wished for.
    pub fn new(report: &Arc<Report>, wish: &Wish, progress: Option<(u64, u64)>) -> Self {
        let listed = choose_flows(&report.flows, &wish.filter, wish.sort);
        let selected = wish
            .selected
            .and_then(|flow| row_of(&report.flows, &listed, flow));
        Self {
            listed,
            selected,
            open: report
                .flows
                .iter()
                .filter(|flow| flow.ended.is_none())
                .count(),
            processes: processes(&report.flows),
            programs: report.programs(),
            hosts: Hosts::of(report),
            services: report.services(),
            coverage: report.coverage(),
            principal: wish
                .principal
                .as_ref()
                .map(|principal| Profile::new(report, principal)),
            wish: wish.clone(),
            report: Arc::clone(report),
            progress,
        }
    }

    /// The process of a pid, if it owns a flow.
    pub fn process(&self, pid: u32) -> Option<&Process> {
        self.processes.get(&pid).map(Arc::as_ref)
    }

    /// The row of a flow in the list.
    pub fn row_of(&self, flow: FlowId) -> Option<usize> {
        row_of(&self.report.flows, &self.listed, flow)
    }

    /// The flow in a row of the list.
    pub fn listed(&self, row: usize) -> Option<&FlowRecord> {
        let place = usize::try_from(*self.listed.get(row)?).ok()?;
        self.report.flows.get(place)
    }
}

fn row_of(flows: &[FlowRecord], listed: &[u32], flow: FlowId) -> Option<usize> {
    let is_it = |place: &u32| {
        let record = usize::try_from(*place).ok().and_then(|it| flows.get(it));
        record.is_some_and(|record| record.id == flow)
    };
    listed.iter().position(is_it)
}

fn processes(flows: &[FlowRecord]) -> HashMap<u32, Arc<Process>> {
    let owners = flows
        .iter()
        .flat_map(|flow| [&flow.owner, &flow.remote_owner]);
    let processes = owners.flatten().flat_map(|owner| owner.verdict.processes());
    let mut by_pid: HashMap<u32, Arc<Process>> = HashMap::new();
    for process in processes {
        by_pid
            .entry(process.pid)
            .or_insert_with(|| Arc::clone(process));
    }
    by_pid
}

impl Profile {
    fn new(report: &Report, principal: &Principal) -> Self {
        let report = report.of_principal(principal);
        Self {
            principal: principal.clone(),
            processes: report.processes(),
            hosts: Hosts::of(&report),
            services: report.services(),
            report,
        }
    }
}

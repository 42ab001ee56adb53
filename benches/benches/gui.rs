//! What the app does each second, with many flows: on its own thread, where they are put in
//! order, and on the thread of the window, which must not wait.
#![allow(
    clippy::expect_used,
    reason = "a benchmark has nobody to tell but its user"
)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flowner_core::attribution::{Evidence, Match, Ownership, Process, Source, User, Verdict};
use flowner_core::flows::{Counters, Direction, FlowId, Protocol, Rate, State};
use flowner_core::{Demo, EndState, Filter, FlowRecord, InputInfo, Principal, Report, Sort};
use flowner_gui::feed::{News, Picture, Wish};
use flowner_gui::launch::Launch;
use flowner_gui::page::Page;
use flowner_gui::session::Origin;
use flowner_gui::settings::Store;
use flowner_gui::{App, Message, theme};
use iced::advanced::renderer::{Headless, Style};
use iced::{Color, Pixels, Renderer, Size, mouse};
use iced_test::runtime::user_interface::{Cache, UserInterface};

const WINDOW: Size = Size::new(1180.0, 740.0);
const NOW: Duration = Duration::from_secs(1_767_225_600);

/// A flow of one of 200 programs.
fn flow(number: u64) -> FlowRecord {
    let small = |modulus: u64| u16::try_from(number % modulus).unwrap_or(0);
    let [_, _, _, _, _, a, b, c] = number.to_be_bytes();
    let program = small(200);
    let process = {
        let mut process = Process::new(1_000 + u32::from(program), format!("program{program}"));
        process.path = Some(format!("/usr/lib/program{program}/program{program}").into());
        process.user = Some(User::new(1000, Some("ada".to_owned())));
        process
    };
    let owner = Ownership::new(
        Verdict::Process(Arc::new(process)),
        Evidence::new(Some(Match::FiveTuple), UNIX_EPOCH + NOW, Source::Scripted),
    );
    let counters = |bytes| Counters {
        packets: bytes / 700 + 1,
        bytes,
        payload_bytes: bytes,
    };
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let flow = FlowRecord {
        names: None,
        place: None,
        id: FlowId::from_u64(number),
        protocol: Protocol::TCP,
        local: SocketAddr::from(([10, 0, 0, 2], 1_024 + small(60_000))),
        remote: SocketAddr::from(([203, a, b, c], 443)),
        device: Some("eth0".into()),
        service_port: 443,
        icmp_id: None,
        direction: Direction::Outgoing,
        state: State::Established,
        sent: counters(mixed),
        received: counters(mixed * 3),
        rate: Rate {
            sent: mixed % 10_000,
            received: mixed % 70_000,
        },
        first_seen: NOW,
        last_seen: NOW + Duration::from_millis(mixed % 60_000),
        owner: None,
        remote_owner: None,
        principal: Principal::default(),
        remote_principal: Principal::default(),
        icmp: None,
        community_seed: 0,
        error: None,
        tcp: None,
        is_waiting: false,
        ended: None,
    };
    flow.with_owners(Some(owner), None)
}

fn report(flows: u64) -> Arc<Report> {
    let input = InputInfo {
        name: "eth0".to_owned(),
        link_type: "ethernet",
        is_live: true,
    };
    Arc::new(Report::of(
        (0..flows).map(flow).collect(),
        input,
        EndState::Running,
    ))
}

fn wish(sort: &str) -> Wish {
    Wish {
        filter: Filter::parse("program:program1 bytes>10k").unwrap_or_default(),
        sort: sort.parse().unwrap_or(Sort::FIRST_SEEN),
        ..Wish::default()
    }
}

/// The app on its page Inspect, before it has seen anything.
fn app() -> App {
    for font in theme::FONT_FILES {
        let fonts = iced::advanced::graphics::text::font_system();
        fonts
            .write()
            .expect("no thread has failed")
            .load_font(font.into());
    }
    let launch = Launch {
        origin: Some(Origin::Demo(Demo::Recorded)),
        ..Launch::default()
    };
    // Nothing runs its tasks, so the demo ends at once.
    let (mut app, _tasks) = App::new(launch, Store::nowhere());
    let _task = app.update(Message::News(1, News::Started));
    let _task = app.update(Message::PageChosen(Page::Inspect));
    app
}

/// What the thread of the window does when a picture arrives: takes it, builds the page,
/// lays it out and says what is to be drawn.
fn tick(app: &mut App, picture: &Arc<Picture>, cache: Cache, renderer: &mut Renderer) -> Cache {
    let news = News::Picture(Arc::clone(picture));
    let _task = app.update(Message::News(1, news));
    let mut interface = UserInterface::build(app.view(), WINDOW, cache, renderer);
    let style = Style {
        text_color: Color::BLACK,
    };
    interface.draw(renderer, &app.theme(), &style, mouse::Cursor::Unavailable);
    interface.into_cache()
}

fn headless() -> Renderer {
    let renderer = <Renderer as Headless>::new(theme::FONT, Pixels(16.0), None);
    iced::futures::executor::block_on(renderer).expect("software always draws")
}

fn window(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gui/inspect, a second in the window");
    for flows in [1_000, 10_000, 100_000, 1_000_000] {
        let report = report(flows);
        // Two, so that every text changes each time.
        let pictures =
            ["-bytes", "remote"].map(|sort| Arc::new(Picture::new(&report, &wish(sort), None)));
        let (mut app, mut renderer) = (app(), headless());
        let mut cache = Some(Cache::default());
        let mut turn = 0;
        group.bench_function(BenchmarkId::from_parameter(flows), |bencher| {
            bencher.iter(|| {
                turn += 1;
                let before = cache.take().unwrap_or_default();
                let picture = &pictures[turn % 2];
                cache = Some(tick(&mut app, picture, before, &mut renderer));
            });
        });
    }
    group.finish();
}

fn drawing(criterion: &mut Criterion) {
    let report = report(100_000);
    let picture = Arc::new(Picture::new(&report, &wish("-bytes"), None));
    let (mut app, mut renderer) = (app(), headless());
    criterion.bench_function("gui/inspect, every pixel of the window", |bencher| {
        let mut cache = Some(Cache::default());
        bencher.iter(|| {
            let before = cache.take().unwrap_or_default();
            cache = Some(tick(&mut app, &picture, before, &mut renderer));
            let size = Size::new(1_180, 740);
            black_box(renderer.screenshot(size, 1.0, Color::WHITE))
        });
    });
}

fn arranging(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gui/putting flows in order, on its own thread");
    group.sample_size(20);
    for sort in ["-bytes", "program"] {
        let report = report(100_000);
        let wish = Wish {
            filter: Filter::default(),
            ..wish(sort)
        };
        group.bench_function(BenchmarkId::new("100000 flows by", sort), |bencher| {
            bencher.iter(|| black_box(Picture::new(&report, &wish, None)));
        });
    }
    group.finish();
}

criterion_group!(benches, window, drawing, arranging);
criterion_main!(benches);

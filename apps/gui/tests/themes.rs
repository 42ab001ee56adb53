//! Every theme on every page, drawn as a window draws it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod stage;

use flowner_core::Demo;
use flowner_gui::session::Origin;
use flowner_gui::settings::{Settings, Store};
use flowner_gui::theme::Scheme;
use iced::{Color, Size};

use stage::{open, open_with};

const WINDOW: Size = Size::new(1000.0, 600.0);

/// What leads from one page, or sheet, to the next, and what is then shown.
const WALK: [(&str, &str); 9] = [
    ("click \"Inspect\"", "Service"),
    ("click \"firefox\"", "OWNER"),
    ("type \"c\"", "Done"),
    ("type escape", "Service"),
    ("type \"e\"", "Write"),
    ("click \"Cancel\"", "Service"),
    ("click \"Open program\"", "Traffic of this program"),
    ("type \",\"", "Theme"),
    ("type \"?\"", "Reverse the order"),
];

/// The whole window in a theme: no colour that the renderer refuses, and what is drawn is
/// in the colours of the theme.
fn draw_all(scheme: Scheme) {
    let settings = Settings {
        scheme,
        ..Settings::default()
    };
    let mut start = open(None, &settings, WINDOW);
    start.expect("likely");
    check(&start.draw(), scheme, "start");
    let origin = Some(Origin::Demo(Demo::Recorded));
    let mut stage = open(origin, &settings, WINDOW);
    stage.expect("finished");
    // The ground is another one after each message.
    for _ in 0..2 {
        check(&stage.draw(), scheme, "overview");
        stage.run("type \"k\"");
    }
    for (step, shown) in WALK {
        stage.run(step);
        stage.expect(shown);
        check(&stage.draw(), scheme, step);
    }
}

#[track_caller]
fn check(drawn: &std::collections::HashSet<[u8; 4]>, scheme: Scheme, place: &str) {
    let colors = scheme.colors(false);
    let name = scheme.name();
    assert!(drawn.len() > 30, "{name}, {place}: {}", drawn.len());
    let is_seen = |color: Color| drawn.contains(&color.into_rgba8());
    let is_covered = place == "type \"c\"" || place == "type \"e\"" || place == "type \"?\"";
    let expected = if is_covered {
        colors.raised
    } else {
        colors.ground
    };
    assert!(is_seen(expected), "{name}, {place}");
}

#[test]
fn every_theme_is_drawn_on_every_page() {
    for scheme in Scheme::ALL {
        draw_all(scheme);
    }
}

/// What differs between two drawings stays a colour.
#[test]
fn the_ground_is_always_a_colour() {
    for scheme in Scheme::ALL {
        for is_dark in [false, true] {
            let colors = scheme.colors(is_dark);
            let theme = colors.theme(scheme.name());
            let grounds = [0, 1].map(|drawing| {
                let style = flowner_gui::theme::style::ground(colors, drawing)(&theme);
                let Some(iced::Background::Color(ground)) = style.background else {
                    panic!("no ground");
                };
                ground
            });
            assert_ne!(grounds[0], grounds[1], "{}", scheme.name());
            for ground in grounds {
                let channels = [ground.r, ground.g, ground.b, ground.a];
                let is_color = channels.iter().all(|it| (0.0..=1.0).contains(it));
                assert!(is_color, "{}: {ground:?}", scheme.name());
                assert_eq!(ground.into_rgba8(), colors.ground.into_rgba8());
            }
        }
    }
}

/// A theme that an app did not live to draw is not tried again.
#[test]
fn a_start_after_a_crash_uses_the_default_theme_and_says_so() {
    let settings = Settings {
        scheme: Scheme::Contrast,
        zoom: 110,
        ..Settings::default()
    };
    let begun = |folder: &std::path::Path| {
        // As it is left when nobody could remove it.
        let mark = folder.join("gui-starting-1-0");
        std::fs::write(&mark, "theme = \"contrast\"\n").unwrap();
        mark
    };
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("gui.toml"));
    store.save(&settings).unwrap();
    let mark = begun(folder.path());
    let mut stage = open_with(None, store.clone(), WINDOW);
    stage.until(|stage| stage.has_part("ended before it had drawn the theme Contrast"));
    let kept = store.load();
    assert_eq!((kept.scheme, kept.zoom), (Scheme::System, 110));
    assert!(!mark.exists());
    drop(stage);
    // The app ended in order, so the next start has nothing to say.
    let mut stage = open_with(None, store.clone(), WINDOW);
    stage.expect("likely");
    assert!(!stage.has_part("ended before it had drawn"));
    drop(stage);

    // Another theme was chosen since: it is another matter.
    store.save(&settings).unwrap();
    std::fs::write(begun(folder.path()), "theme = \"ember\"\n").unwrap();
    let mut stage = open_with(None, store.clone(), WINDOW);
    stage.expect("likely");
    assert!(!stage.has_part("ended before it had drawn"));
    assert_eq!(store.load().scheme, Scheme::Contrast);
}

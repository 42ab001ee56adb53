//! Pictures of the app with the recorded demo, without a window: always the same.
//!
//! `cargo run --example screenshots -- FOLDER [WIDTHxHEIGHT] [THEME ...]`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "there is nobody to tell but who runs it"
)]

#[path = "../tests/stage/mod.rs"]
mod stage;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use flowner_core::Demo;
use flowner_gui::session::Origin;
use flowner_gui::settings::Settings;
use flowner_gui::theme::Scheme;
use iced::Size;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .map_or_else(|| PathBuf::from("."), PathBuf::from);
    let size = arguments.next().map_or(Size::new(1180.0, 740.0), |size| {
        let (width, height) = size.split_once('x').expect("WIDTHxHEIGHT");
        Size::new(width.parse().unwrap(), height.parse().unwrap())
    });
    let chosen: Vec<String> = arguments.collect();
    std::fs::create_dir_all(&folder).unwrap();
    let is_chosen = |scheme: &Scheme| {
        let name = scheme.name().to_lowercase();
        if chosen.is_empty() {
            matches!(scheme, Scheme::Light | Scheme::Dark)
        } else {
            chosen.contains(&name)
        }
    };
    for scheme in Scheme::ALL.into_iter().filter(is_chosen) {
        take(&folder, size, scheme);
    }
}

/// The pages, and how to get there.
const PAGES: [(&str, &[&str]); 7] = [
    ("overview", &[]),
    (
        "inspect",
        &[
            "click \"Inspect\"",
            "click \"firefox\"",
            "expect \"Matched\"",
        ],
    ),
    (
        "program",
        &[
            "click \"Inspect\"",
            "click \"firefox\"",
            "click \"Open program\"",
            "expect \"Traffic of this program\"",
        ],
    ),
    (
        "search",
        &[
            "click \"Inspect\"",
            "click (300, 62)",
            "type \"user:ada prot:tcp\"",
        ],
    ),
    (
        "columns",
        &["click \"Inspect\"", "expect \"Service\"", "type \"c\""],
    ),
    ("help", &["type \"?\""]),
    ("settings", &["type \",\""]),
];

fn take(folder: &Path, size: Size, scheme: Scheme) {
    let settings = Settings {
        scheme,
        ..Settings::default()
    };
    for (page, steps) in PAGES {
        let origin = Origin::Demo(Demo::Recorded);
        let mut stage = stage::open(Some(origin), &settings, size);
        stage.expect("In at the end");
        for step in steps {
            stage.run(step);
        }
        let name = format!("{page}-{}.png", scheme.name().to_lowercase());
        save(&stage.picture(1.0), &folder.join(name));
    }
    let mut stage = stage::open(None, &settings, size);
    stage.expect("likely");
    let name = format!("start-{}.png", scheme.name().to_lowercase());
    save(&stage.picture(1.0), &folder.join(name));
}

type Rgb = [u8; 3];

/// Writes a picture in 256 colours, which is what makes it small. There are more where
/// letters meet their ground; those become the nearest.
fn save(picture: &iced::window::Screenshot, path: &Path) {
    let pixels = || {
        let pixels = picture.rgba.chunks(4);
        pixels.map(|pixel| -> Rgb { [pixel[0], pixel[1], pixel[2]] })
    };
    let mut uses: HashMap<Rgb, u32> = HashMap::new();
    for pixel in pixels() {
        *uses.entry(pixel).or_default() += 1;
    }
    let mut colors: Vec<Rgb> = uses.keys().copied().collect();
    colors.sort_by_key(|color| (std::cmp::Reverse(uses[color]), *color));
    let palette: Vec<Rgb> = colors.iter().copied().take(256).collect();
    let places: HashMap<Rgb, u8> = colors
        .iter()
        .map(|color| (*color, nearest(*color, &palette)))
        .collect();
    let indices: Vec<u8> = pixels().map(|pixel| places[&pixel]).collect();

    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut encoder = png::Encoder::new(file, picture.size.width, picture.size.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&indices).unwrap();
    println!("{}", path.display());
}

/// The place of the colour that is least different.
fn nearest(color: Rgb, palette: &[Rgb]) -> u8 {
    let distance = |other: &Rgb| -> u32 {
        let apart = color
            .iter()
            .zip(other)
            .map(|(a, b)| u32::from(a.abs_diff(*b)));
        apart.map(|apart| apart * apart).sum()
    };
    let places = 0..=u8::MAX;
    let nearest = places.zip(palette).min_by_key(|(_, other)| distance(other));
    nearest.map_or(0, |(place, _)| place)
}

//! Hostile files: refused in little time and memory, and what is beside them is found.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]
#![allow(clippy::format_collect, reason = "few, and easier to read")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{PICTURE, Tree};
use flowner_icons::{
    Finder, Icon, IconOptions, IconRequest, Icons, Locale, PictureError, Places, ProgramQuery,
};

/// Far more than any of it takes, and far less than what would be taken in would.
const LIMIT: Duration = Duration::from_secs(5);

/// What is found for the program `good`, and how long everything took.
#[track_caller]
fn check_good(tree: &Tree) {
    tree.entry("usr/share", "good", "Exec=good\nIcon=good");
    let icon = tree.write("usr/share/pixmaps/good.svg", PICTURE);
    let started = Instant::now();
    let mut finder = Finder::new(Places::in_root(tree.root()), Locale::default());
    let found = icon_of(&mut finder, "good").and_then(|icon| icon.path);
    assert_eq!(found, Some(icon));
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
}

fn icon_of(finder: &mut Finder, program: &str) -> Option<Icon> {
    let path = format!("/usr/bin/{program}");
    let subject = ProgramQuery {
        application_id: None,
        executable: Some(Path::new(&path)),
        arguments: &[],
        name: program,
        ..ProgramQuery::default()
    };
    finder.icon(&subject, 48, 1)
}

fn pipe(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[test]
fn entries() {
    let tree = Tree::new();
    let applications = "usr/share/applications";
    let large = format!(
        "[Desktop Entry]\nType=Application\nName=large\n#{}",
        "x".repeat(10 << 20)
    );
    tree.write(&format!("{applications}/large.desktop"), large);
    tree.write(&format!("{applications}/zeros.desktop"), vec![0; 1 << 20]);
    tree.write(
        &format!("{applications}/text.desktop"),
        [0xff, 0xfe, b'[', b'\n'],
    );
    pipe(&tree.path(&format!("{applications}/pipe.desktop")));
    fs::create_dir_all(tree.path(&format!("{applications}/folder.desktop"))).unwrap();
    let link =
        |from: &str, to: &Path| symlink(to, tree.path(&format!("{applications}/{from}"))).unwrap();
    link("device.desktop", Path::new("/dev/zero"));
    link(
        "itself.desktop",
        &tree.path(&format!("{applications}/itself.desktop")),
    );
    link("nowhere.desktop", Path::new("/nowhere"));
    link("loop", &tree.path(applications));
    link("up", &tree.path("usr"));
    let mut deep = applications.to_owned();
    for level in 0..50 {
        deep = format!("{deep}/{level}");
    }
    tree.write(&format!("{deep}/deep.desktop"), "");
    check_good(&tree);
}

#[test]
fn folders_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::new();
    for folder in [
        "usr/share/applications/secret",
        "usr/share/icons/hicolor/48x48",
        "usr/local/share/applications",
    ] {
        tree.write(&format!("{folder}/x"), "");
        let nobody = fs::Permissions::from_mode(0o000);
        fs::set_permissions(tree.path(folder), nobody).unwrap();
    }
    check_good(&tree);
    for folder in [
        "usr/share/applications/secret",
        "usr/share/icons/hicolor/48x48",
        "usr/local/share/applications",
    ] {
        let everybody = fs::Permissions::from_mode(0o755);
        fs::set_permissions(tree.path(folder), everybody).unwrap();
    }
}

#[test]
fn themes() {
    let tree = Tree::new();
    let theme = |name: &str, inherits: &str, more: &str| {
        let text = format!(
            "[Icon Theme]\nName={name}\nComment=c\nInherits={inherits}\n\
             Directories=a,../../../..,/etc\n[a]\nSize=48\n[../../../..]\nSize=48\n\
             [/etc]\nSize=48\n{more}"
        );
        tree.write(&format!("usr/share/icons/{name}/index.theme"), text);
    };
    theme("hicolor", "one,two,hicolor", "");
    theme("one", "two", "");
    theme("two", "one,hicolor", "");
    // Each inherits all: without a bound, there are as many ways through them as orders.
    let all: Vec<String> = (0..300).map(|number| format!("theme{number}")).collect();
    for name in &all {
        theme(name, &all.join(","), "");
    }
    theme("theme0", &all.join(","), &"[b]\nSize=1\n".repeat(1 << 20));
    pipe(&tree.path("usr/share/icons/Adwaita/index.theme"));
    symlink("/dev/zero", tree.path("usr/share/icons/Adwaita/x.png")).unwrap();
    symlink(
        tree.path("usr/share/icons"),
        tree.path("usr/share/icons/one/loop"),
    )
    .unwrap();
    check_good(&tree);
}

#[test]
fn names_of_icons() {
    let tree = Tree::new();
    let secret = tree.write("secret.svg", PICTURE);
    tree.write(
        "usr/share/icons/hicolor/index.theme",
        "[Icon Theme]\nName=h\nComment=c\nDirectories=a\n[a]\nSize=48\n",
    );
    tree.write("usr/share/icons/hicolor/a/x", "");
    pipe(&tree.path("usr/share/pixmaps/pipe.png"));
    symlink("/dev/zero", tree.path("usr/share/pixmaps/zero.svg")).unwrap();
    for (id, icon) in [
        ("up", "../../../../../secret"),
        ("up2", "../../../../../secret.svg"),
        ("shadow", "/etc/shadow"),
        ("device", "/dev/zero"),
        ("pipe", "pipe"),
        ("zero", "zero"),
        ("dot", "."),
        ("dots", ".."),
        ("nul", "a\0b"),
        ("long", &"x".repeat(5_000)),
        ("many", &"../".repeat(1_000)),
    ] {
        tree.entry("usr/share", id, &format!("Exec={id}\nIcon={icon}"));
        let mut finder = Finder::new(Places::in_root(tree.root()), Locale::default());
        let started = Instant::now();
        assert_eq!(icon_of(&mut finder, id), None, "{id}");
        assert!(started.elapsed() < LIMIT, "{id}");
    }
    assert!(Icon::read(&secret, 48).is_ok());
    check_good(&tree);
}

#[test]
fn pictures() {
    let tree = Tree::new();
    let uses = |level: usize| format!("<use href='#l{}'/>", level - 1).repeat(10);
    let levels: String = (1..30)
        .map(|level| format!("<g id='l{level}'>{}</g>", uses(level)))
        .collect();
    let svg = |inner: &str| {
        format!("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{inner}</svg>")
    };
    let laughs: String = (1..30)
        .map(|level| {
            format!(
                "<!ENTITY l{level} '{}'>",
                format!("&l{};", level - 1).repeat(10)
            )
        })
        .collect();
    let mut png = Vec::new();
    png.extend(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\0\0\0");
    let files: [(&str, Vec<u8>); 15] = [
        ("uses.svg", svg(&format!("<rect id='l0'/>{levels}<use href='#l29'/>")).into()),
        ("entities.svg", format!("<!DOCTYPE svg [<!ENTITY l0 'x'>{laughs}]>{}", svg("<text>&l29;</text>")).into()),
        ("huge.svg", svg("<path d='M0 0'/>").replace("'9'", "'999999999999'").into()),
        ("nested.svg", svg(&"<g>".repeat(300_000)).into()),
        ("large.svg", svg(&"<rect/>".repeat(1_000_000)).into()),
        ("outside.svg", svg("<image href='/dev/zero'/>").into()),
        ("zeros.svg", vec![b' '; 200 << 20]),
        ("noise.svg", svg("<filter id='f'><feTurbulence numOctaves='99999999'/></filter><rect filter='url(#f)'/>").into()),
        ("huge.png", png.clone()),
        ("cut.png", png[..20].to_vec()),
        ("empty.png", Vec::new()),
        ("text.png", b"hello".to_vec()),
        ("huge.xpm", b"/* XPM */\"4294967295 4294967295 4294967295 4294967295\"".to_vec()),
        ("colours.xpm", [&b"/* XPM */\"1024 1024 65535 1\","[..], &b"\"a c red\",".repeat(60_000)].concat()),
        ("comment.xpm", [&b"/* XPM */"[..], &b"/*".repeat(500_000)].concat()),
    ];
    for (name, bytes) in files {
        let path = tree.write(name, bytes);
        let started = Instant::now();
        let error = Icon::read(&path, 48).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(started.elapsed() < LIMIT, "{name}: {:?}", started.elapsed());
    }
    pipe(&tree.path("pipe.png"));
    let refused = |path: &Path| matches!(Icon::read(path, 48), Err(PictureError::NoFile(_)));
    assert!(refused(&tree.path("pipe.png")));
    assert!(refused(Path::new("/dev/zero")));
    assert!(refused(tree.root()));
}

/// What passes is drawn in little time, too: here what costs as much as may be.
#[test]
fn the_costliest_picture_that_passes_is_drawn_soon() {
    let blur = "<filter id='f'><feGaussianBlur stdDeviation='9'/></filter>";
    let many = "<rect width='9' height='9' opacity='.5' filter='url(#f)'/>".repeat(95);
    let dashes = "<path d='M0 0L9999 9999' stroke='red' stroke-dasharray='.1'/>".repeat(4);
    let uses: String = (1..4)
        .map(|level| {
            format!(
                "<g id='l{level}'>{}</g>",
                format!("<use href='#l{}'/>", level - 1).repeat(10)
            )
        })
        .collect();
    let uses = format!(
        "<rect id='l0' width='9' height='9' opacity='.5'/>{uses}<use href='#l3'/><use href='#l3'/>"
    );
    let blur_by_name = "<rect width='9' height='9' filter='blur(9)'/>";
    let blurs = blur_by_name.repeat(15_000);
    let styled = "<style>rect{filter:blur(9px)}</style><rect width='9' height='9'/>".to_owned()
        + &"<rect width='9' height='9'/>".repeat(15_000);
    let grow = "<filter id='f'><feMorphology operator='dilate' radius='9999'/></filter>\
        <rect width='9' height='9' filter='url(#f)'/>";
    let grown = grow.to_owned() + &"<rect width='9' height='9' filter='url(#f)'/>".repeat(90);
    let order = 400;
    let kernel = "1 ".repeat(order * order);
    let kernel = format!(
        "<filter id='f'><feConvolveMatrix order='{order}' kernelMatrix='{kernel}'/></filter>"
    );
    let convolved = kernel + &"<rect width='9' height='9' filter='url(#f)'/>".repeat(90);
    let line = format!("<path id='p' d='M0 0{}'/>", "L9 1L1 9".repeat(60_000));
    let lines = line.clone() + &"<use href='#p'/>".repeat(9_000);
    let stops = "<stop offset='.5' stop-color='red'/>".repeat(15_000);
    let shade = format!("<linearGradient id='g'>{stops}</linearGradient>");
    let shaded = shade + &"<rect width='9' height='9' fill='url(#g)'/>".repeat(9_000);
    let pattern = "<pattern id='q' width='.001' height='.001' patternUnits='userSpaceOnUse'>\
        <rect width='9' height='9'/></pattern>";
    let patterns =
        pattern.to_owned() + &"<rect width='9' height='9' fill='url(#q)'/>".repeat(2_000);
    let turbulence = "<filter id='f'><feTurbulence baseFrequency='.1' numOctaves='10'/></filter>";
    let noises = "<rect width='9' height='9' filter='url(#f)'/>".repeat(90);
    for inner in [
        format!("{blur}{many}"),
        dashes,
        uses,
        format!("{turbulence}{noises}"),
        blurs,
        styled,
        grown,
        convolved,
        lines,
        shaded,
        patterns,
        // As much of each as passes.
        grow.repeat(2),
        blur_by_name.repeat(95),
        format!("{line}{}", "<use href='#p'/>".repeat(6)),
    ] {
        let tree = Tree::new();
        let text =
            format!("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{inner}</svg>");
        let started = Instant::now();
        let icon = Icon::read(&tree.write("x.svg", text), 48);
        let is_drawn = icon.is_ok_and(|icon| icon.rendered(48).is_some());
        println!("{:?} {is_drawn} {:.40}", started.elapsed(), inner);
        assert!(
            started.elapsed() < 4 * LIMIT,
            "{:?} {inner:.60}",
            started.elapsed()
        );
    }
}

#[test]
fn a_thread_that_met_them_goes_on() {
    let tree = Tree::new();
    tree.write("usr/share/pixmaps/bad.svg", "<svg");
    tree.write("usr/share/pixmaps/cut.png", b"\x89PNG\r\n\x1a\n");
    tree.write("usr/share/pixmaps/good.svg", PICTURE);
    for id in ["bad", "cut", "good"] {
        tree.entry("usr/share", id, &format!("Exec={id}\nIcon={id}"));
    }
    let options = IconOptions {
        places: Places::in_root(tree.root()),
        rasterised: true,
        ..IconOptions::default()
    };
    let icons = Icons::start(options, |_| {}).unwrap();
    let request = |id: &str| IconRequest {
        key: id.to_owned(),
        name: id.to_owned(),
        executable: Some(format!("/usr/bin/{id}").into()),
        ..IconRequest::default()
    };
    let letters = ["bad", "cut", "good"].map(|id| icons.icon(&request(id)));
    assert_eq!(icons.wait(0, LIMIT), 1);
    let now = ["bad", "cut", "good"].map(|id| icons.icon(&request(id)));
    assert_eq!(letters[..2], now[..2]);
    assert_ne!(letters[2], now[2]);
    let all_drawn = letters.iter().chain(&now);
    assert!(all_drawn.clone().all(|icon| icon.to_png().is_some()));
}

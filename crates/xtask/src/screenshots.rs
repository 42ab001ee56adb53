//! `cargo xtask screenshots`: makes the pictures of the README, without a screen.

use std::process::Command;

use crate::command::{Failure, cargo, exists, root, run};

/// The directory of the pictures, from the root of the workspace.
const FOLDER: &str = ".github/assets";
const PAGES: [&str; 3] = ["overview", "inspect", "program"];
const THEMES: [&str; 2] = ["light", "dark"];

/// Draws the pages with the recorded demo, light and dark, and keeps those of the README.
pub(crate) fn take() -> Result<(), Failure> {
    let drawn = root().join("target/screenshots");
    let mut draw = cargo(&[
        "run",
        "--package",
        "flowner-gui",
        "--example",
        "screenshots",
    ]);
    draw.args(["--locked", "--"])
        .arg(&drawn)
        .args(["1180x740", "light", "dark"])
        // Shows the same times of the demo wherever this runs.
        .env("TZ", "UTC");
    run(&mut draw)?;
    let folder = root().join(FOLDER);
    let failed = |error: std::io::Error| Failure(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for theme in THEMES {
        for page in PAGES {
            let name = format!("{page}-{theme}.png");
            let kept = folder.join(&name);
            std::fs::copy(drawn.join(&name), &kept).map_err(failed)?;
            if exists("optipng") {
                run(Command::new("optipng").args(["-quiet", "-o5"]).arg(&kept))?;
            }
        }
    }
    Ok(())
}

//! Information about the program, and the configuration file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::process::{Command, Output, Stdio};

use common::{flowner, json_lines, run, stderr, stdout};

/// Runs it with this configuration file.
fn with_config(text: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let mut command = flowner();
    command.env("FLOWNER_CONFIG", &path).args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_version_names_the_build() {
    let short = stdout(&run(&["-V"]));
    assert!(short.starts_with(concat!("flowner ", env!("CARGO_PKG_VERSION"))));
    let long = stdout(&run(&["--version"]));
    assert!(long.starts_with(short.trim_end()), "{long}");
    assert!(long.contains("target: ") && long.contains("pcap"), "{long}");
}

#[test]
fn slips_are_noticed() {
    for (typed, meant) in [
        ("socket", "sockets"),
        ("docter", "doctor"),
        ("wach", "watch"),
    ] {
        let output = run(&[typed]);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            stderr(&output).contains(&format!("'{meant}'")),
            "{}",
            stderr(&output)
        );
    }
    let output = run(&["-i", "lo", "sockets"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("flowner sockets --interface"), "{said}");
}

#[test]
fn without_a_terminal_the_help_is_shown() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("Usage: flowner"));
    // A person who types a flag of the live view knows what can be typed.
    for arguments in [&["live"][..], &["--filter", "port:443"], &["-i", "lo"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("needs a terminal"));
        assert!(!stderr(&output).contains("Usage"));
    }
}

#[test]
fn shells_can_complete() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&run(&["completions", shell]));
        for word in ["sockets", "--listening", "completions"] {
            let bare = word.trim_start_matches('-');
            assert!(script.contains(bare), "{shell}: {word}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowner.bash");
    std::fs::write(&path, run(&["completions", "bash"]).stdout).unwrap();
    // What bash itself would offer.
    let script = format!(
        "source {} && COMP_WORDS=(flowner so) COMP_CWORD=1 && _flowner flowner so flowner && \
         echo \"${{COMPREPLY[@]}}\"",
        path.display()
    );
    match Command::new("bash").args(["-c", &script]).output() {
        Ok(output) => assert_eq!(stdout(&output), "sockets\n", "{}", stderr(&output)),
        Err(error) => flowner_testing::skipped!("bash: {error}"),
    }
}

/// In help, and where a shell completes; the key is followed by `>` only where it is quoted.
#[test]
fn every_key_of_filters_is_listed() {
    let help = stdout(&run(&["--help"]));
    let scripts = ["bash", "fish", "zsh"].map(|shell| stdout(&run(&["completions", shell])));
    let keys = flowner_core::Filter::keys();
    assert!(!keys.is_empty());
    for key in keys {
        assert!(help.contains(key.examples[0]), "{}: {help}", key.name);
        for script in &scripts {
            // zsh has a meaning for a colon that stands alone.
            let is_offered = [":", "\\:"].map(|colon| format!("{}{colon}", key.name));
            let is_offered = is_offered.iter().any(|text| script.contains(text));
            assert_eq!(is_offered, !key.is_compared(), "{}", key.name);
        }
    }
    let output = run(&["sockets", "prto:tcp"]);
    assert!(stderr(&output).contains("did you mean `proto`"));
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let page = stdout(&run(&["man"]));
    assert!(page.contains(".TH flowner 1"), "{page}");
    let page = stdout(&run(&["man", "who"]));
    assert!(
        page.contains("\\-\\-timeout") && page.contains("program:firefox"),
        "{page}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(run(&["man", "--dir", path]).status.success());
    for name in ["flowner.1", "flowner-watch.1", "flowner-live.1"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    assert_eq!(run(&["man", "nonsense"]).status.code(), Some(2));
}

#[test]
fn the_configuration_file_sets_flags() {
    let output = with_config("[devices]\njson = true\n", &["devices"]);
    assert_eq!(json_lines(&stdout(&output))[0]["schema"], 3);
    let output = with_config("[devices]\njson = true\n", &["devices", "--no-config"]);
    assert!(stdout(&output).contains("ADDRESSES"));
    let output = with_config("interface = 'no-such-device'\n", &["watch"]);
    assert!(
        stderr(&output).contains("no-such-device"),
        "{}",
        stderr(&output)
    );
    let output = with_config(
        "interface = 'no-such-device'\n",
        &["watch", "-i", "nor-this-one"],
    );
    assert!(
        stderr(&output).contains("nor-this-one"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn errors_in_the_configuration_file_are_reported_with_their_line() {
    let output = with_config("# mine\n[sockets]\nlistning = true\n", &["devices"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("config.toml:3: unknown key `listning`"),
        "{said}"
    );
    assert!(said.contains("did you mean `listening`?"), "{said}");
    let output = run(&["devices", "--config", "/nonexistent/flowner.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/nonexistent/flowner.toml"));
}

#[test]
fn config_names_the_configuration_file() {
    let printed = stdout(&with_config("[who]\nwait = true\n", &["config"]));
    assert!(
        printed.contains("config.toml, named by FLOWNER_CONFIG"),
        "{printed}"
    );
    assert!(printed.contains("who.wait = true"), "{printed}");
    let home = tempfile::tempdir().unwrap();
    let output = flowner()
        .args(["config"])
        .env_remove("FLOWNER_CONFIG")
        .env("XDG_CONFIG_HOME", home.path())
        .env("APPDATA", home.path())
        .output();
    let printed = stdout(&output.unwrap());
    assert!(
        printed.starts_with("none; ") && printed.contains("would be read"),
        "{printed}"
    );
    assert!(stdout(&run(&["doctor"])).contains("configuration file: "));
}

/// `HOME` may be that of another user, who must not decide what the program does.
#[cfg(unix)]
#[test]
fn a_configuration_file_that_others_decide_about_is_not_used() {
    use std::os::unix::fs::{PermissionsExt, chown};

    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("flowner/config.toml");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "[who]\nwait = true\n").unwrap();
    let config = || {
        let mut command = flowner();
        command.arg("config").env_remove("FLOWNER_CONFIG");
        command.env("XDG_CONFIG_HOME", home.path());
        command.output().unwrap()
    };
    let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    let output = config();
    assert_eq!(stderr(&output), "");
    assert!(stdout(&output).contains("who.wait = true"));
    mode(0o646);
    let output = config();
    assert!(stderr(&output).contains("can be written by every user"));
    assert!(!stdout(&output).contains("who.wait"));
    mode(0o644);
    if chown(&path, Some(65_534), None).is_err() {
        flowner_testing::skipped!("no privilege to give a file to another user");
        return;
    }
    let output = config();
    assert!(stderr(&output).contains("belongs to another user"));
    assert!(!stdout(&output).contains("who.wait"));
}

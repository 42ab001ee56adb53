//! The options of interpreters, and where the first word after them is. Pure.

/// The options of an interpreter. Letters may stand together in one word: `-we`. After a letter that
/// is in no list, no script can come: it is code, or not known here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options {
    /// Letters that take nothing.
    pub(super) flags: &'static str,
    /// Letters that take the rest of the word; without a rest, the next word.
    values: &'static str,
    /// Letters that take the next word, even where more letters follow in the same word.
    next: &'static str,
    /// Letters that take the rest of the word, which may be empty.
    rests: &'static str,
    /// Letters that take the digits after them.
    digits: &'static str,
    /// Letters with which a relative path of a script does not begin in the working directory, and
    /// what else they are is listed above.
    elsewhere: &'static str,
    /// Long options that take a value: after `=`, or the next word.
    long_values: &'static [&'static str],
    /// Long options after which no script can come.
    long_code: &'static [&'static str],
    /// Long options with which a relative path does not begin in the working directory.
    long_elsewhere: &'static [&'static str],
    /// Whether a script may follow a single dash.
    is_dash_end: bool,
    /// Whether options may begin with a plus sign, too.
    has_plus: bool,
}

impl Options {
    /// The first word that is no option and no value of one, with the words after it.
    pub(super) fn file<'w, 'a>(
        &self,
        mut words: &'w [&'a str],
    ) -> Option<(&'a str, &'w [&'a str])> {
        let mut is_elsewhere = false;
        loop {
            let (&word, rest) = words.split_first()?;
            words = rest;
            let is_end = word == "--" || word == "-" && self.is_dash_end;
            let taken = if is_end {
                let (&file, rest) = words.split_first()?;
                return is_sure(file, is_elsewhere).then_some((file, rest));
            } else if word == "-" {
                // Standard input.
                return None;
            } else if let Some(option) = word.strip_prefix("--") {
                let (name, value) = match option.split_once('=') {
                    Some((name, _)) => (name, true),
                    None => (option, false),
                };
                if self.long_code.contains(&name) {
                    return None;
                }
                let is_directory = self.long_elsewhere.contains(&name);
                is_elsewhere |= is_directory;
                let takes = is_directory || self.long_values.contains(&name);
                usize::from(takes && !value)
            } else if let Some(letters) = word.strip_prefix('-') {
                is_elsewhere |= self.is_elsewhere(letters);
                self.taken(letters)?
            } else if let Some(letters) = word.strip_prefix('+').filter(|_| self.has_plus) {
                self.taken(letters)?
            } else {
                return is_sure(word, is_elsewhere).then_some((word, words));
            };
            words = words.get(taken..).unwrap_or_default();
        }
    }

    /// How many words after it the options of one word take; `None` where no script follows, or
    /// that is not known.
    fn taken(&self, letters: &str) -> Option<usize> {
        let mut letters = letters.chars();
        let mut taken = 0;
        while let Some(letter) = letters.next() {
            if self.flags.contains(letter) {
            } else if self.digits.contains(letter) {
                let rest = letters.as_str();
                let number = rest.trim_start_matches(|c: char| c.is_ascii_hexdigit());
                // `-0xHHH` is a number in base 16; others are in base 8.
                letters = match rest.strip_prefix(['x', 'X']) {
                    Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()),
                    None if number.len() == rest.len() => rest,
                    None => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
                }
                .chars();
            } else if self.next.contains(letter) {
                taken += 1;
            } else if self.values.contains(letter) {
                return Some(taken + usize::from(letters.as_str().is_empty()));
            } else if self.rests.contains(letter) {
                return Some(taken);
            } else {
                // Code, or an option that is not known here.
                return None;
            }
        }
        Some(taken)
    }

    /// Whether one of the options of one word changes where a relative path begins.
    fn is_elsewhere(&self, letters: &str) -> bool {
        for letter in letters.chars() {
            if self.elsewhere.contains(letter) {
                return true;
            }
            if self.values.contains(letter) || self.rests.contains(letter) {
                return false;
            }
        }
        false
    }
}

/// Whether the path of a file is known: a relative one may begin elsewhere.
fn is_sure(file: &str, is_elsewhere: bool) -> bool {
    !is_elsewhere || file.starts_with('/')
}

pub(super) const SHELL: Options = Options {
    flags: "abefhiklmnpqrtuvxBCDEGHIPTV",
    next: "oO",
    long_values: &["rcfile", "init-file", "emulate"],
    is_dash_end: true,
    has_plus: true,
    ..NONE
};

pub(super) const FISH: Options = Options {
    flags: "hilnNPv",
    values: "CdDfop",
    long_values: &[
        "init-command",
        "debug",
        "debug-output",
        "debug-stack-frames",
        "features",
        "profile",
        "profile-startup",
    ],
    long_code: &["command"],
    ..NONE
};

pub(super) const PERL: Options = Options {
    flags: "acfghnpsStTuUvwWX",
    values: "I",
    rests: "CdDFimMVx",
    digits: "0l",
    elsewhere: "S",
    ..NONE
};

pub(super) const RUBY: Options = Options {
    flags: "acdhlnpsSUvwy",
    values: "CEFIrX",
    rests: "iKTWx",
    digits: "0",
    elsewhere: "SCXx",
    long_values: &[
        "backtrace-limit",
        "crash-report",
        "disable",
        "dump",
        "enable",
        "encoding",
        "external-encoding",
        "internal-encoding",
        "parser",
    ],
    ..NONE
};

/// Also Electron, which adds switches of Chromium: their values follow an equals sign.
pub(super) const NODE: Options = Options {
    flags: "achiv",
    values: "Cr",
    long_values: &[
        "allow-fs-read",
        "allow-fs-write",
        "build-snapshot-config",
        "conditions",
        "cpu-prof-dir",
        "cpu-prof-interval",
        "cpu-prof-name",
        "debug-port",
        "diagnostic-dir",
        "disable-proto",
        "disable-warning",
        "dns-result-order",
        "env-file",
        "env-file-if-exists",
        "es-module-specifier-resolution",
        "experimental-config-file",
        "experimental-default-type",
        "experimental-loader",
        "experimental-sea-config",
        "heap-prof-dir",
        "heap-prof-interval",
        "heap-prof-name",
        "heapsnapshot-near-heap-limit",
        "heapsnapshot-signal",
        "icu-data-dir",
        "import",
        "input-type",
        "inspect-port",
        "inspect-publish-uid",
        "loader",
        "localstorage-file",
        "max-http-header-size",
        "network-family-autoselection-attempt-timeout",
        "openssl-config",
        "redirect-warnings",
        "report-dir",
        "report-directory",
        "report-filename",
        "report-signal",
        "require",
        "secure-heap",
        "secure-heap-min",
        "snapshot-blob",
        "test-concurrency",
        "test-coverage-branches",
        "test-coverage-exclude",
        "test-coverage-functions",
        "test-coverage-include",
        "test-coverage-lines",
        "test-global-setup",
        "test-isolation",
        "test-name-pattern",
        "test-reporter",
        "test-reporter-destination",
        "test-shard",
        "test-skip-pattern",
        "test-timeout",
        "title",
        "tls-cipher-list",
        "tls-keylog",
        "trace-event-categories",
        "trace-event-file-pattern",
        "trace-require-module",
        "unhandled-rejections",
        "v8-pool-size",
        "vfs-overlay",
        "watch-path",
    ],
    long_code: &["eval", "print", "run", "test"],
    ..NONE
};

pub(super) const GJS: Options = Options {
    flags: "dhm",
    values: "CI",
    long_values: &["coverage-output", "coverage-prefix", "include-path"],
    long_code: &["command"],
    ..NONE
};

/// Code in an argument does not keep Lua from running a script as well.
pub(super) const LUA: Options = Options {
    flags: "iEvW",
    values: "ejl",
    rests: "Ob",
    ..NONE
};

pub(super) const MONO: Options = Options {
    flags: "vO",
    long_values: &["break", "compile", "config", "graph", "ncompile"],
    ..NONE
};

pub(super) const PHP: Options = Options {
    flags: "aCehHilmnqsvw",
    values: "cdgStTz",
    long_values: &[
        "bindpath",
        "define",
        "docroot",
        "ini",
        "php-ini",
        "server",
        "timing",
        "zend-extension",
    ],
    long_code: &[
        "process-begin",
        "process-code",
        "process-end",
        "process-file",
        "rclass",
        "rextension",
        "rextinfo",
        "rf",
        "rfunction",
        "ri",
        "rc",
        "re",
        "run",
        "rz",
        "rzendextension",
    ],
    ..NONE
};

pub(super) const BUN: Options = Options {
    flags: "bhivy",
    values: "dFlru",
    rests: "c",
    long_values: &[
        "backend",
        "conditions",
        "config",
        "console-depth",
        "define",
        "dns-result-order",
        "drop",
        "elide-lines",
        "env-file",
        "extension-order",
        "fetch-preconnect",
        "filter",
        "import",
        "install",
        "jsx-factory",
        "jsx-fragment",
        "jsx-import-source",
        "jsx-runtime",
        "loader",
        "main-fields",
        "max-http-header-size",
        "port",
        "preload",
        "require",
        "shell",
        "title",
        "tsconfig-override",
        "unhandled-rejections",
        "user-agent",
    ],
    long_code: &["eval", "print"],
    long_elsewhere: &["cwd"],
    ..NONE
};

pub(super) const DENO: Options = Options {
    flags: "AhqV",
    values: "cL",
    rests: "EIiNRrSW",
    long_values: &[
        "cert",
        "config",
        "ext",
        "import",
        "import-map",
        "location",
        "log-level",
        "preload",
        "require",
        "seed",
        "unsafely-ignore-certificate",
    ],
    ..NONE
};

pub(super) const DOTNET: Options = Options {
    flags: "dh",
    long_values: &[
        "additional-deps",
        "additionalprobingpath",
        "depsfile",
        "fx-version",
        "roll-forward",
        "roll-forward-on-no-candidate-fx",
        "runtimeconfig",
    ],
    ..NONE
};

/// What no interpreter has more of.
const NONE: Options = Options {
    flags: "",
    values: "",
    next: "",
    rests: "",
    digits: "",
    elsewhere: "",
    long_values: &[],
    long_code: &[],
    long_elsewhere: &[],
    is_dash_end: false,
    has_plus: false,
};

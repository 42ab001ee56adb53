//! The content of the file: TOML, a table for each command, with the names of flags as keys.
//!
//! ```toml
//! interface = "eth0"        # for every command that has --interface
//!
//! [watch]
//! by = "host"
//!
//! [live]
//! sort = "-received"
//! ```

use std::fmt;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Flags about the file itself, or that a file cannot set.
const NOT_KEYS: [&str; 4] = ["config", "no-config", "help", "version"];

/// The settings of a file. Each is a flag with a valid value.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    all: Vec<Setting>,
}

/// One key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The command; `None` for all commands with this flag.
    pub(crate) command: Option<String>,
    pub(crate) key: String,
    /// The values as on the command line: one, except for repeatable flags.
    pub(crate) values: Vec<String>,
    line: usize,
}

/// An error with its line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongSetting {
    line: usize,
    message: String,
}

impl fmt::Display for WrongSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

impl Settings {
    /// Parses the text of a file, for a program with these commands.
    pub(super) fn parse(text: &str, program: &Command) -> Result<Self, WrongSetting> {
        let reader = Reader { text, program };
        let table = DeTable::parse(text).map_err(|error| WrongSetting {
            line: reader.line(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let mut settings = Self::default();
        for (key, value) in table.get_ref() {
            match value.get_ref() {
                DeValue::Table(table) => {
                    let command = reader.command(key)?;
                    for (key, value) in table {
                        let setting = reader.setting(Some(command), key, value)?;
                        settings.all.push(setting);
                    }
                }
                _ => settings.all.push(reader.setting(None, key, value)?),
            }
        }
        // Tables are sorted by name; people think in lines.
        settings.all.sort_by_key(|setting| setting.line);
        settings.all.iter().try_for_each(|it| check(it, program))?;
        Ok(settings)
    }

    /// Every setting, in the order of the file.
    pub(crate) fn all(&self) -> &[Setting] {
        &self.all
    }

    /// The same program with these settings as defaults of its flags.
    pub(crate) fn apply(&self, program: Command) -> Command {
        // The live view is also what runs without a command.
        let program = self.apply_to(program, "live");
        let names: Vec<String> = commands(&program).map(str::to_owned).collect();
        names.into_iter().fold(program, |program, name| {
            program.mut_subcommand(name.clone(), |command| self.apply_to(command, &name))
        })
    }

    fn apply_to(&self, mut command: Command, name: &str) -> Command {
        // The setting of this command comes after that for all.
        let of_all = self.all.iter().filter(|it| it.command.is_none());
        let of_this = self.all.iter();
        let of_this = of_this.filter(|it| it.command.as_deref() == Some(name));
        for setting in of_all.chain(of_this) {
            if let Some(id) = flag(&command, &setting.key).map(|flag| flag.get_id().clone()) {
                let values = setting.values.clone();
                command = command.mut_arg(id, |flag| flag.default_values(values).required(false));
            }
        }
        command
    }
}

/// Names of commands that do something.
fn commands(program: &Command) -> impl Iterator<Item = &str> {
    let commands = program.get_subcommands().map(Command::get_name);
    commands.filter(|name| *name != "help")
}

/// The program itself, for its options without a command, and its commands.
fn all(program: &Command) -> impl Iterator<Item = &Command> {
    std::iter::once(program).chain(program.get_subcommands())
}

fn flag<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    flags(command).find(|flag| flag.get_long() == Some(key))
}

/// Flags that can be keys.
fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|flag| {
        let name = flag.get_long();
        name.is_some_and(|name| !NOT_KEYS.contains(&name))
    })
}

struct Reader<'a> {
    text: &'a str,
    program: &'a Command,
}

impl<'a> Reader<'a> {
    fn line(&self, place: usize) -> usize {
        let before = &self.text.as_bytes()[..place.min(self.text.len())];
        before.split(|byte| *byte == b'\n').count()
    }

    fn wrong(&self, place: usize, message: String) -> WrongSetting {
        WrongSetting {
            line: self.line(place),
            message,
        }
    }

    fn command(
        &self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
    ) -> Result<&'a Command, WrongSetting> {
        let known = self.program.find_subcommand(name.get_ref().as_ref());
        known.filter(|it| it.get_name() != "help").ok_or_else(|| {
            let hint = hint(name.get_ref(), commands(self.program));
            let message = format!("there is no command `{}`{hint}", name.get_ref());
            self.wrong(name.span().start, message)
        })
    }

    fn setting(
        &self,
        command: Option<&Command>,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Setting, WrongSetting> {
        let name = key.get_ref().as_ref();
        let having = match command {
            Some(command) => vec![command],
            None => all(self.program).collect(),
        };
        let known = having.iter().find_map(|command| flag(command, name));
        let Some(known) = known else {
            let names = having.iter().flat_map(|command| flags(command));
            let names = names.filter_map(Arg::get_long);
            let place = command.map_or("any command", Command::get_name);
            let message = format!(
                "unknown key `{name}`: no flag of {place} is called --{name}{}",
                hint(name, names)
            );
            return Err(self.wrong(key.span().start, message));
        };
        let values = values(known, value.get_ref())
            .map_err(|message| self.wrong(value.span().start, format!("`{name}` {message}")))?;
        Ok(Setting {
            command: command.map(|it| it.get_name().to_owned()),
            key: name.to_owned(),
            values,
            line: self.line(key.span().start),
        })
    }
}

/// A value as on the command line.
fn values(flag: &Arg, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let takes_value = flag.get_action().takes_values();
    match (value, takes_value) {
        (DeValue::Boolean(value), false) => Ok(vec![value.to_string()]),
        (_, false) => Err("is true or false".to_owned()),
        (DeValue::Array(all), true) if matches!(flag.get_action(), ArgAction::Append) => {
            let all = all.iter().map(Spanned::get_ref);
            all.map(scalar).collect()
        }
        (DeValue::Array(_), true) => Err("takes one value".to_owned()),
        (one, true) => scalar(one).map(|one| vec![one]),
    }
}

fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        other => Err(format!("cannot be a {}", other.type_str())),
    }
}

/// Whether the flag accepts the value, by trying it.
fn check(setting: &Setting, program: &Command) -> Result<(), WrongSetting> {
    let name = setting.command.as_deref();
    let having = all(program)
        .filter(|it| name.is_none_or(|name| it.get_name() == name))
        .filter(|it| flag(it, &setting.key).is_some_and(|it| it.get_action().takes_values()));
    for command in having {
        let typed = setting.values.iter();
        let typed = typed.map(|value| format!("--{}={value}", setting.key));
        let tried = command
            .clone()
            .no_binary_name(true)
            .try_get_matches_from(typed);
        if let Err(error) = tried
            && matches!(
                error.kind(),
                ErrorKind::InvalidValue | ErrorKind::ValueValidation
            )
        {
            let message = error.render().to_string();
            let message = message.lines().next().unwrap_or_default();
            return Err(WrongSetting {
                line: setting.line,
                message: message.trim_start_matches("error: ").to_owned(),
            });
        }
    }
    Ok(())
}

/// A suggestion for a wrong name.
fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    flowner_core::nearest(name, known).map_or_else(String::new, |nearest| {
        format!("; did you mean `{nearest}`?")
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::args::{By, Cli};

    #[track_caller]
    fn check_wrong(text: &str, expected: &str) {
        let error = Settings::parse(text, &Cli::command()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn errors_name_their_line() {
        check_wrong("\ninterfase = 'eth0'", "2: unknown key `interfase`");
        check_wrong("interfase = 'eth0'", "did you mean `interface`?");
        check_wrong(
            "[watch]\nby = 'host'\ntop = 3",
            "3: unknown key `top`: no flag of watch",
        );
        check_wrong(
            "[wotch]\nby = 'host'",
            "1: there is no command `wotch`; did you mean `watch`?",
        );
        check_wrong("[help]", "1: there is no command `help`");
        check_wrong("[watch]\nby = 'hosts'", "2: invalid value 'hosts'");
        check_wrong("[sockets]\ninterval = 'soon'", "2: invalid value 'soon'");
        check_wrong("[sockets]\njson = 'yes'", "2: `json` is true or false");
        check_wrong("bpf = ['a', 'b']", "1: `bpf` takes one value");
        check_wrong("interface = true", "1: `interface` cannot be a boolean");
        check_wrong("\n\na = ", "3: ");
        check_wrong("interface = 'a'\ninterface = 'b'", "2: duplicate key");
        check_wrong("config = 'x'", "1: unknown key `config`");
    }

    fn parse(text: &str, arguments: &[&str]) -> Cli {
        let settings = Settings::parse(text, &Cli::command()).unwrap();
        let command = settings.apply(Cli::command());
        let matches = command.try_get_matches_from(arguments).unwrap();
        Cli::from_arg_matches(&matches).unwrap()
    }

    const TEXT: &str = "interface = 'eth0'\nlocal = ['10.0.0.1', '10.0.0.2']\n\
                        [watch]\nby = 'host'\npromiscuous = true\n\
                        [live]\ninterface = 'wlan0'\nsort = '-up'\n";

    #[test]
    fn settings_are_defaults() {
        use crate::args::Command::Watch;

        let Some(Watch(args)) = parse(TEXT, &["flowner", "watch"]).command else {
            panic!("no watch");
        };
        assert_eq!(args.capture.interface, ["eth0"]);
        assert_eq!(
            (args.by, args.capture.promiscuous, args.flows.local.len()),
            (By::Host, true, 2)
        );
        // The live view has its own, with and without its name.
        let cli = parse(TEXT, &["flowner"]);
        assert_eq!(cli.live.capture.interface, ["wlan0"]);
        assert!(cli.live.sort.unwrap().is_descending);
    }

    #[test]
    fn flags_win() {
        use crate::args::Command::Watch;

        let arguments = ["flowner", "watch", "-i", "lo", "--by=flow", "--local=::1"];
        let Some(Watch(args)) = parse(TEXT, &arguments).command else {
            panic!("no watch");
        };
        assert_eq!(args.capture.interface, ["lo"]);
        assert_eq!((args.by, args.flows.local.len()), (By::Flow, 1));
    }

    /// A value that a flag accepts.
    fn sample(flag: &Arg) -> String {
        if !flag.get_action().takes_values() {
            return "true".to_owned();
        }
        if let Some(value) = flag.get_possible_values().first() {
            return value.get_name().to_owned();
        }
        let name = flag.get_value_names().map(|names| names[0].as_str());
        let value = match name.unwrap() {
            "ADDRESS" | "ADDRESS[/PREFIX]" => "10.0.0.1",
            "BPF" => "tcp port 443",
            "BYTES" => "65536",
            "COUNT" | "LINES" | "NUMBER" => "7",
            "DEVICE" => "eth0",
            "FILE" => "x.pcapng",
            "FILTER" => "program:curl",
            "DIRECTORY" => "/tmp",
            "KEY" if flag.get_long() == Some("sort") => "-sent",
            "PROGRAM" => "curl",
            "TIME" if ["from", "to"].map(Some).contains(&flag.get_long()) => "+5s",
            "TIME" => "2s",
            other => panic!("a sample of {other} is missing here"),
        };
        value.to_owned()
    }

    /// The required arguments of a command.
    fn arguments(command: &Command) -> Vec<&str> {
        let required = command.get_arguments().filter(|it| it.is_required_set());
        let typed = required.flat_map(|argument| match argument.get_id().as_str() {
            "file" => &["x.pcapng"][..],
            "write" => &["-w", "x.pcapng"],
            "shell" => &["bash"],
            "target" => &["443"],
            other => panic!("{other} is to be typed, and missing here"),
        });
        typed.copied().collect()
    }

    #[test]
    fn every_flag_can_be_a_key() {
        let program = Cli::command();
        for command in program.get_subcommands() {
            for flag in flags(command) {
                let name = flag.get_long().unwrap();
                let value = sample(flag);
                let quoted = if value == "true" {
                    value.clone()
                } else {
                    format!("'{value}'")
                };
                let text = format!("[{}]\n{name} = {quoted}", command.get_name());
                let settings = Settings::parse(&text, &program).unwrap();
                assert_eq!(settings.all().len(), 1, "{text}");
                let mut typed = vec!["flowner", command.get_name()];
                typed.extend(arguments(command));
                // The result is as if the value had been typed.
                let configured = settings.apply(program.clone());
                let matches = configured.try_get_matches_from(typed);
                let matches = matches.unwrap_or_else(|error| panic!("{text}: {error}"));
                let (_, matches) = matches.subcommand().unwrap();
                let mut raw = matches.get_raw(flag.get_id().as_str()).unwrap();
                assert_eq!(raw.next(), Some(value.as_ref()), "{text}");
            }
        }
    }
}

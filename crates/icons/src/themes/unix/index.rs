//! The description of an icon theme, `index.theme` (Icon Theme Specification, "File Formats"):
//! bytes in, what is known of its directories out. Pure.
//!
//! The crate `icon` has a parser, which refuses the whole theme for one line that is not as the
//! specification has it. People have such themes, and other programs show their icons: here, what
//! cannot be read is left out.

use std::collections::HashMap;

use icon::{DirectoryIndex, DirectoryType, ThemeIndex};

/// The size differences that are bridged where nothing else is written.
const THRESHOLD: u32 = 2;

type Keys<'a> = HashMap<&'a str, &'a str>;

/// Reads a description. Whatever the bytes are, there is one: perhaps without directories.
pub(super) fn parse(bytes: &[u8]) -> ThemeIndex {
    let text = String::from_utf8_lossy(bytes);
    let groups = groups(text.trim_start_matches('\u{feff}'));
    let theme = groups.get("Icon Theme").cloned().unwrap_or_default();
    let list = |key: &str| theme.get(key).copied().map(list).unwrap_or_default();
    let (plain, scaled) = (list("Directories"), list("ScaledDirectories"));
    let mut directories: Vec<DirectoryIndex> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for name in plain.iter().chain(&scaled) {
        if seen.insert(*name)
            && let Some(keys) = groups.get(name)
        {
            directories.extend(directory(name, keys, scaled.contains(name)));
        }
    }
    let text_of = |key: &str| theme.get(key).map(|value| (*value).to_owned());
    ThemeIndex {
        name: text_of("Name").unwrap_or_default(),
        comment: text_of("Comment").unwrap_or_default(),
        inherits: list("Inherits").into_iter().map(str::to_owned).collect(),
        directories,
        hidden: text_of("Hidden").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        example: text_of("Example"),
    }
}

/// The groups with their keys; of equals, the last one counts.
fn groups(text: &str) -> HashMap<&str, Keys<'_>> {
    let mut groups: HashMap<&str, Keys<'_>> = HashMap::new();
    let mut current = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            groups.entry(name).or_default();
            current = Some(name);
        } else if let Some((key, value)) = line.split_once('=')
            && !line.starts_with('#')
            && let Some(keys) = current.and_then(|name| groups.get_mut(name))
        {
            keys.insert(key.trim_end(), value.trim_start());
        }
    }
    groups
}

fn list(value: &str) -> Vec<&str> {
    let names = value.split([',', ';']).map(str::trim);
    names.filter(|name| !name.is_empty()).collect()
}

/// A directory; `None` if the theme does not give the size of its icons.
fn directory(name: &str, keys: &Keys<'_>, is_listed_scaled: bool) -> Option<DirectoryIndex> {
    let number = |key: &str| keys.get(key).and_then(|value| value.parse::<u32>().ok());
    let size = number("Size")?;
    let scale = number("Scale").filter(|scale| *scale > 0).unwrap_or(1);
    let kind = keys.get("Type").copied().unwrap_or_default();
    let directory_type = match kind.to_ascii_lowercase().as_str() {
        "fixed" => DirectoryType::Fixed,
        "scalable" => DirectoryType::Scalable,
        _ => DirectoryType::Threshold,
    };
    Some(DirectoryIndex {
        directory_name: name.to_owned(),
        is_scaled_dir: is_listed_scaled || scale != 1,
        size,
        scale,
        context: keys.get("Context").map(|context| (*context).to_owned()),
        directory_type,
        max_size: number("MaxSize").unwrap_or(size),
        min_size: number("MinSize").unwrap_or(size),
        threshold: number("Threshold").unwrap_or(THRESHOLD),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIRECTORY: &str = "[48x48/apps]\nSize=48\nType=Fixed\n";

    #[track_caller]
    fn check(text: &str, directories: &[&str], inherits: &[&str]) {
        let index = parse(text.as_bytes());
        let names: Vec<_> = index
            .directories
            .iter()
            .map(|it| &*it.directory_name)
            .collect();
        assert_eq!(names, directories, "{text}");
        assert_eq!(index.inherits, inherits, "{text}");
    }

    #[test]
    fn themes_as_people_have_them() {
        let theme = |lines: &str, groups: &str| format!("[Icon Theme]\n{lines}\n{groups}");
        let check = |lines: &str, groups: &str, directories: &[&str], inherits: &[&str]| {
            check(&theme(lines, groups), directories, inherits);
            let crlf = theme(lines, groups).replace('\n', "\r\n");
            super::tests::check(&format!("\u{feff}# x\n\n{crlf}"), directories, inherits);
        };
        let one = &["48x48/apps"];
        check("Name=a\nDirectories=48x48/apps", DIRECTORY, one, &[]);
        check("Name[de]=a\nDirectories=48x48/apps", DIRECTORY, one, &[]);
        check("Hidden=False\nDirectories=48x48/apps", DIRECTORY, one, &[]);
        check("Directories=16x16/apps, 48x48/apps ,", DIRECTORY, one, &[]);
        check("Inherits=Other , Third,", "", &[], &["Other", "Third"]);
        check(
            "Directories=48x48/apps,x",
            &format!("{DIRECTORY}[x]\nType=Scalable\n"),
            one,
            &[],
        );
        check(
            "Directories=48x48/apps",
            "[48x48/apps]\nSize= 48 \nType=fixed\n",
            one,
            &[],
        );
        check(
            "Directories=a\nScaledDirectories=a@2x",
            "[a]\nSize=24\n[a@2x]\nSize=24\nScale=2\n",
            &["a", "a@2x"],
            &[],
        );
        super::tests::check("", &[], &[]);
        super::tests::check("Directories=a\n[a]\nSize=1\n", &[], &[]);
    }

    #[test]
    fn what_cannot_be_read_is_as_if_it_was_not_there() {
        let text = "[Icon Theme]\nDirectories=a,b\n[a]\nSize=8\nType=x\nThreshold=y\nMinSize=4\n\
                    [b]\nSize=-1\n";
        let index = parse(text.as_bytes());
        let [only] = &index.directories[..] else {
            panic!("{index:?}");
        };
        assert_eq!(only.directory_type, DirectoryType::Threshold);
        assert_eq!((only.threshold, only.min_size, only.max_size), (2, 4, 8));
        let latin1 = [text.as_bytes(), b"[c]\nComment[fr]=Th\xe8me\n"].concat();
        assert_eq!(parse(&latin1).directories, index.directories);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            parse(&bytes);
        }

        #[test]
        fn no_directory_is_there_twice(names in prop::collection::vec("[a-c]", 0..6)) {
            let list = names.join(",");
            let text = format!("[Icon Theme]\nDirectories={list}\nScaledDirectories={list}\n\
                                [a]\nSize=1\n[b]\nSize=2\n[c]\nSize=3\n");
            let mut unique = names.clone();
            unique.sort();
            unique.dedup();
            prop_assert_eq!(parse(text.as_bytes()).directories.len(), unique.len());
        }
    }
}

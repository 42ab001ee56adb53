//! Checks that each `ALL` of an enum lists every variant, which the compiler does not.

/// A list that lacks variants, or has others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Incomplete {
    /// The line of the list, from 1.
    pub(crate) line: usize,
}

/// The incomplete lists of a source file that rustfmt has formatted. This does not check enums
/// whose variants hold data, nor lists of enums that are in another file.
pub(crate) fn incomplete(lines: &[String]) -> Vec<Incomplete> {
    let mut found = Vec::new();
    let mut of = None;
    for (number, line) in lines.iter().enumerate() {
        if let Some(name) = line.strip_prefix("impl ") {
            of = name.strip_suffix(" {");
        }
        let is_list = line.starts_with("    ") && line.contains("const ALL: [Self; ");
        let Some(name) = of.filter(|_| is_list) else {
            continue;
        };
        let Some(mut variants) = variants(lines, name) else {
            continue;
        };
        let mut listed = listed(&lines[number..]);
        listed.sort_unstable();
        variants.sort_unstable();
        if listed != variants {
            found.push(Incomplete { line: number + 1 });
        }
    }
    found
}

/// The variants of an enum in these lines; `None` where it is not here or one holds data.
fn variants<'a>(lines: &'a [String], name: &str) -> Option<Vec<&'a str>> {
    let begins = format!("enum {name} {{");
    let start = lines.iter().position(|line| line.ends_with(&begins))?;
    let inside = lines[start + 1..].iter().take_while(|line| *line != "}");
    let variants = inside.filter_map(|line| line.strip_prefix("    "));
    let variants = variants.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    variants
        .map(|line| {
            let end = line.find(|c: char| !c.is_alphanumeric())?;
            // A number may follow, but no fields.
            let rest = line[end..].trim_start();
            rest.starts_with([',', '=']).then(|| &line[..end])
        })
        .collect()
}

/// The entries of a list that begins in the first line.
fn listed(lines: &[String]) -> Vec<&str> {
    let mut listed = Vec::new();
    for line in lines {
        for part in line.split("Self::").skip(1) {
            let end = part.find(|c: char| !c.is_alphanumeric());
            listed.push(&part[..end.unwrap_or(part.len())]);
        }
        if line.ends_with("];") {
            break;
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[usize]) {
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let found: Vec<_> = incomplete(&lines).into_iter().map(|it| it.line).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn lists_are_complete() {
        let of = |list: &str| {
            format!(
                "pub enum A {{\n    /// It.\n    One,\n    Two = 2,\n}}\n\nimpl A {{\n{list}\n}}"
            )
        };
        check(
            &of("    pub const ALL: [Self; 2] = [Self::One, Self::Two];"),
            &[],
        );
        check(&of("    pub const ALL: [Self; 1] = [Self::One];"), &[8]);
        check(
            &of("    const ALL: [Self; 2] = [\n        Self::Two,\n        Self::One,\n    ];"),
            &[],
        );
        check(
            &of("    const ALL: [Self; 1] = [\n        Self::Two,\n    ];"),
            &[8],
        );
        check(&of("    const SOME: [Self; 1] = [Self::One];"), &[]);
        check(
            "enum B {\n    One(u8),\n}\nimpl B {\n    const ALL: [Self; 0] = [];\n}",
            &[],
        );
        check("impl C {\n    const ALL: [Self; 0] = [];\n}", &[]);
    }
}

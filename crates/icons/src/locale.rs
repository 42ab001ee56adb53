//! Chooses the translation of a name.

/// A language, with its country and script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Locale {
    /// Its names in the keys of desktop entries, the closest first.
    tags: Vec<String>,
}

impl Locale {
    /// The one of messages, from `LC_ALL`, `LC_MESSAGES` or `LANG` (locale(7)).
    pub fn current() -> Self {
        let variables = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let mut set = variables.iter().filter_map(|name| std::env::var(name).ok());
        Self::new(&set.find(|value| !value.is_empty()).unwrap_or_default())
    }

    /// From a name such as `de_AT.UTF-8@euro`; `C` and `POSIX` stand for none.
    ///
    /// The order is that of the Desktop Entry Specification, "Localized values for keys".
    pub fn new(name: &str) -> Self {
        let (rest, modifier) = match name.split_once('@') {
            Some((rest, modifier)) => (rest, Some(modifier)),
            None => (name, None),
        };
        let rest = rest.split('.').next().unwrap_or_default();
        let (language, country) = match rest.split_once('_') {
            Some((language, country)) => (language, Some(country)),
            None => (rest, None),
        };
        if matches!(language, "" | "C" | "POSIX") {
            return Self::default();
        }
        let mut tags = Vec::new();
        if let (Some(country), Some(modifier)) = (country, modifier) {
            tags.push(format!("{language}_{country}@{modifier}"));
        }
        tags.extend(country.map(|country| format!("{language}_{country}")));
        tags.extend(modifier.map(|modifier| format!("{language}@{modifier}")));
        tags.push(language.to_owned());
        Self { tags }
    }

    /// The distance of a translation, 0 for the closest; `None` if it is for another language.
    pub(crate) fn rank(&self, tag: &str) -> Option<usize> {
        self.tags.iter().position(|own| own == tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_translation_comes_first() {
        let check = |name, expected: &[&str]| assert_eq!(Locale::new(name).tags, expected);
        check("de_AT.UTF-8", &["de_AT", "de"]);
        check(
            "sr_RS.UTF-8@latin",
            &["sr_RS@latin", "sr_RS", "sr@latin", "sr"],
        );
        check("fr", &["fr"]);
        check("ca@valencia", &["ca@valencia", "ca"]);
        check("C.UTF-8", &[]);
        check("POSIX", &[]);
        check("", &[]);
    }
}

//! SVG: the cost of drawing a document, known before any drawing. Pure.
//!
//! A renderer follows references: a document of a few lines that refers to its own parts, ten
//! levels deep and ten each, has 10,000,000,000 elements. This counts them without making them.

mod inline;
mod lines;
mod scale;

use roxmltree::{Document, Node, ParsingOptions};

use scale::Scale;

/// The maximum number of elements and texts in the document itself.
const MAX_NODES: u32 = 50_000;
/// The maximum depth of elements: a renderer calls itself for each level.
const MAX_DEPTH: usize = 64;
/// The maximum number of drawn elements, with all references; some count as several.
const MAX_COST: u64 = 20_000;
/// The greatest width and height. Sizes in print are in hundreds or thousands.
const MAX_SIDE: f64 = 100_000.0;
/// The visible elements.
const SHAPES: [&str; 8] = [
    "circle", "ellipse", "image", "line", "path", "polygon", "polyline", "rect",
];

/// The reason why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is no document in XML: {0}")]
    Malformed(String),
    #[error("it is no SVG")]
    NoSvg,
    #[error("it declares entities")]
    Entities,
    #[error("its elements are nested too deeply")]
    Deep,
    #[error("it is larger than a picture is")]
    Huge,
    #[error("it draws nothing but texts, if anything")]
    Empty,
    #[error("its parts refer to each other in a circle")]
    Circle,
    #[error("it refers to something outside of it")]
    Outside,
    #[error("it would take too long to draw")]
    Costly,
}

/// Checks that drawing a document takes little time and memory. If not, returns the reason.
pub(super) fn weigh(text: &str) -> Result<(), Refusal> {
    // Only old programs write entities, and each may stand for many others.
    let mut declarations = text.split("<!DOCTYPE").skip(1);
    let declares = |rest: &str| rest.split('>').next().is_some_and(|it| it.contains('['));
    if text.contains("<!ENTITY") || declarations.any(declares) {
        return Err(Refusal::Entities);
    }
    if depth(text) > MAX_DEPTH {
        return Err(Refusal::Deep);
    }
    let options = ParsingOptions {
        allow_dtd: true,
        nodes_limit: MAX_NODES,
    };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| Refusal::Malformed(error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "svg" {
        return Err(Refusal::NoSvg);
    }
    check_size(root)?;
    let mut scale = Scale::of(&document)?;
    if scale.weight(root, 0)?.cost > MAX_COST {
        return Err(Refusal::Costly);
    }
    // Texts look different on each host, and are invisible without fonts.
    let mut elements = document.descendants().filter(Node::is_element);
    if !elements.any(|element| SHAPES.contains(&element.tag_name().name())) {
        return Err(Refusal::Empty);
    }
    Ok(())
}

/// How deeply elements are nested. Measured before any parser runs: a parser may call itself for
/// each.
fn depth(mut text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    while let Some((_, rest)) = text.split_once('<') {
        let after = |end: &str| rest.split_once(end).map_or("", |(_, rest)| rest);
        text = if rest.starts_with("!--") {
            after("-->")
        } else if rest.starts_with("![CDATA[") {
            after("]]>")
        } else if rest.starts_with('?') {
            after("?>")
        } else if rest.starts_with('!') {
            after(">")
        } else if rest.starts_with('/') {
            depth = depth.saturating_sub(1);
            after(">")
        } else {
            let (tag, rest) = rest.split_at(end_of_tag(rest));
            deepest = deepest.max(depth + 1);
            depth += usize::from(!tag.ends_with('/'));
            rest
        };
    }
    deepest
}

/// The end of a tag: the first `>` outside of values.
fn end_of_tag(text: &str) -> usize {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    text.len()
}

fn check_size(root: Node<'_, '_>) -> Result<(), Refusal> {
    let sizes = ["width", "height"].map(|name| root.attribute(name));
    let view = root.attribute("viewBox").unwrap_or_default();
    let view = view.split([' ', ',', '\n', '\t']);
    let numbers = sizes.into_iter().flatten().chain(view);
    for number in numbers.filter_map(leading_number) {
        if number.is_nan() || number.abs() > MAX_SIDE {
            return Err(Refusal::Huge);
        }
    }
    Ok(())
}

/// The number in `48px`.
fn leading_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_unit = |c: char| c == '%' || c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E');
    let text = text.trim_end_matches(is_unit);
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;

    fn document(inner: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x\">\
             <svg xmlns=\"http://www.w3.org/2000/svg\" \
             xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"48px\" height=\"100%\" \
             viewBox=\"0 0 48 48\">{inner}</svg>"
        )
    }

    #[track_caller]
    fn passes(inner: &str) {
        assert_eq!(weigh(&document(inner)), Ok(()), "{inner:.300}");
    }

    #[track_caller]
    fn refused(inner: &str, expected: &Refusal) {
        let found = weigh(&document(inner));
        assert_eq!(found.as_ref(), Err(expected), "{inner:.300}");
    }

    #[test]
    fn usual_pictures_pass() {
        passes("<rect/><g><path d='M0 0'/></g>");
        passes(
            "<defs><linearGradient id='a' xlink:href='#b'/><linearGradient id='b'/></defs>\
             <style>.x{fill:url(#a)}</style><path class='x' style='fill:url(#a);\
             filter:url(\"#missing\")'/>",
        );
        passes("<path style='stroke-dasharray:none' d='M0 0H9999999'/>");
        passes("<path stroke-dasharray='2, 1' d='M3 5H400v20a1 1 0 0 1 4 4'/>");
        refused("<text>x</text>", &Refusal::Empty);
        passes("<a href='https://example.org'><rect/></a>");
        passes(crate::tile("a", "b").as_str());
    }

    #[test]
    fn references_are_followed_without_being_drawn() {
        let bomb = |attribute: &str| {
            let mut inner = "<rect id='r0'/>".to_owned();
            for level in 1..12 {
                let before = level - 1;
                let uses = attribute.replace("ID", &format!("r{before}"));
                write!(inner, "<g id='r{level}'>{}</g>", uses.repeat(10)).unwrap();
            }
            inner
        };
        refused(&bomb("<use xlink:href='#ID'/>"), &Refusal::Costly);
        refused(&bomb("<use href=' #ID'/>"), &Refusal::Costly);
        refused(&bomb("<rect fill='url(#ID)'/>"), &Refusal::Costly);
        refused(
            &bomb("<rect style='x:y; mask:url( \"#ID\" )'/>"),
            &Refusal::Costly,
        );
        let circle = "<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g>";
        refused(circle, &Refusal::Circle);
        refused("<g id='a'><use href='#a'/></g>", &Refusal::Circle);
        let styled = "<style>rect{mask:url(#m)}</style><mask id='m'><rect/></mask><rect/>";
        refused(styled, &Refusal::Costly);
        let mut chain = "<rect id='c0'/>".to_owned();
        for link in 1..200 {
            write!(chain, "<use id='c{link}' href='#c{}'/>", link - 1).unwrap();
        }
        refused(&chain, &Refusal::Deep);
        let line = format!(
            "<marker id='m'>{}</marker><path marker-mid='url(#m)' d='{}'/>",
            "<rect/>".repeat(100),
            "M0 0".repeat(1_000)
        );
        refused(&line, &Refusal::Costly);
        let styled = line.replace(
            "marker-mid='url(#m)'",
            "style='fill:url(#m); marker-mid:url(#m)'",
        );
        refused(&styled, &Refusal::Costly);
        passes(&styled.replace("marker-mid:url(#m)", "marker:none"));
    }

    #[test]
    fn large_documents_are_refused() {
        refused(
            &"<rect/>".repeat(60_000),
            &Refusal::Malformed("nodes limit reached".into()),
        );
        let hidden = format!("{}{}", "<g>/>".repeat(40_000), "</g>".repeat(40_000));
        refused(&hidden, &Refusal::Deep);
        for hidden in [
            "<!--</g>-->",
            "<a b='/>'/>",
            "<![CDATA[</g>]]>",
            "<?x </g>?>",
        ] {
            let nested = format!("<g>{hidden}").repeat(40_000);
            refused(&nested, &Refusal::Deep);
        }
        let nested = format!("{}{}", "<g>".repeat(100_000), "</g>".repeat(100_000));
        refused(&nested, &Refusal::Deep);
        let style = format!(
            "<style>{}</style>{}",
            "a{}".repeat(2_000),
            "<a/>".repeat(2_000)
        );
        refused(&style, &Refusal::Costly);
        let huge = |size: &str| weigh(&document("<path/>").replace("48px", size));
        assert_eq!(huge("1e9"), Err(Refusal::Huge));
        assert_eq!(huge("210mm"), Ok(()));
        assert_eq!(
            weigh(&document("").replace("0 0 48 48", "0 0 1e38 1")),
            Err(Refusal::Huge)
        );
        refused("<feTurbulence numOctaves='1000000'/>", &Refusal::Costly);
        let line = "<path d='M0 0L9999-9999'/>";
        for dashes in [
            format!("<g stroke-dasharray='.001'>{line}</g>"),
            format!("<g style='a:b;stroke-dasharray : 0,.00.001'>{line}</g>"),
            format!("<style>path{{stroke-dasharray:1e-3}}</style>{line}"),
        ] {
            refused(&dashes, &Refusal::Costly);
        }
    }

    #[test]
    fn nothing_outside_is_referred_to() {
        refused("<image href='/dev/zero'/>", &Refusal::Outside);
        refused(
            "<image xlink:href='https://example.org/x.png'/>",
            &Refusal::Outside,
        );
        refused("<image href='data:image/svg+xml,x'/>", &Refusal::Outside);
        refused("<feImage href='x.png'/>", &Refusal::Outside);
        refused("<use href='other.svg#a'/>", &Refusal::Outside);
        refused("<rect fill='url(other.svg#a)'/>", &Refusal::Outside);
        let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
        passes(&format!("<image href='data:image/png;base64,{png}'/>"));
        // Blanks are no part of it; other characters are, and make it none.
        let (head, rest) = png.split_at(9);
        passes(&format!(
            "<image href='data:image/png;base64,{head}\n {rest}'/>"
        ));
        refused(
            &format!("<image href='data:image/png;base64,{head}*{rest}'/>"),
            &Refusal::Outside,
        );
        let large = png.replace("AAAAEAAAAB", "AAEAAAAAAB");
        refused(
            &format!("<image href='data:image/png;base64,{large}'/>"),
            &Refusal::Outside,
        );
    }

    #[test]
    fn other_documents_are_refused() {
        let laughs = "<!DOCTYPE svg [<!ENTITY a \"b\">]><svg xmlns='http://www.w3.org/2000/svg'/>";
        assert_eq!(weigh(laughs), Err(Refusal::Entities));
        let hidden = format!(
            "<!-- <!DOCTYPE svg> -->{}",
            laughs.replace("ENTITY", "ELEMENT")
        );
        assert_eq!(weigh(&hidden), Err(Refusal::Entities));
        assert_eq!(weigh("<html><svg/></html>"), Err(Refusal::NoSvg));
        assert!(matches!(weigh("<svg"), Err(Refusal::Malformed(_))));
    }

    proptest! {
        #[test]
        fn any_text_is_weighed(text in "(<svg>)?([<>/='\"# a-g!\\-\\[\\]&;]|url\\(#a\\)|<use href='#a'/>|<g id='a'>|</g>){0,60}") {
            let _any = weigh(&text);
            let _within = weigh(&document(&text));
        }
    }
}

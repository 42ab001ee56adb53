//! SVG: what it would take to draw a document, before anybody draws it. Pure.
//!
//! Whoever draws follows references: a document of a few lines that refers to its own
//! parts, ten levels deep and ten each, has 10,000,000,000 elements. They are counted here
//! without being made.

use std::collections::HashMap;

use roxmltree::{Document, Node, NodeId, ParsingOptions};

/// Elements and texts in the document itself.
const MAX_NODES: u32 = 50_000;
/// Elements within elements: who draws them calls itself for each.
const MAX_DEPTH: usize = 64;
/// As before, references followed.
const MAX_FOLLOWED_DEPTH: usize = 128;
/// Elements that are drawn, references followed; some count as several.
const MAX_COST: u64 = 20_000;
/// Rules of style times elements that they may be for.
const MAX_STYLE: usize = 2_000_000;
/// The greatest width and height. Sizes in print are in hundreds or thousands.
const MAX_SIDE: f64 = 100_000.0;
/// Pixels of a side of a picture within.
const MAX_PICTURE: u32 = 1_024;

/// What a filter costs: it goes over each pixel several times.
const FILTER: u64 = 200;
/// Dashes that cost as much as an element.
const DASHES: f64 = 100.0;
/// What can be seen.
const SHAPES: [&str; 8] = [
    "circle", "ellipse", "image", "line", "path", "polygon", "polyline", "rect",
];
/// Octaves of noise: each goes over each pixel.
const MAX_OCTAVES: u32 = 10;

/// Why a document is not drawn.
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

/// Whether a document is drawn in little time and memory; why not, if it is not.
pub(super) fn weigh(text: &str) -> Result<(), Refusal> {
    // Only old programs write any; each may stand for many others.
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
    // Texts look different everywhere, and like nothing where there are no fonts.
    let mut elements = document.descendants().filter(Node::is_element);
    if !elements.any(|element| SHAPES.contains(&element.tag_name().name())) {
        return Err(Refusal::Empty);
    }
    Ok(())
}

/// How deeply elements are nested. Found out before anybody parses them: a parser may call
/// itself for each.
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

/// Where a tag ends: at the first `>` that is in no value.
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

/// What it takes to draw an element and all in it.
#[derive(Debug, Clone, Copy)]
struct Weight {
    cost: u64,
    /// How deep it goes.
    depth: usize,
}

/// Weighs elements, each once.
struct Scale<'a, 'input> {
    by_id: HashMap<&'a str, Node<'a, 'input>>,
    /// `None` while it is weighed: whoever comes back to it goes in a circle.
    known: HashMap<NodeId, Option<Weight>>,
    /// What a style may give to any element: shades.
    of_style: u64,
    /// How long the shortest dashes are together that any line may have.
    dashes: Option<f64>,
}

impl<'a, 'input> Scale<'a, 'input> {
    fn of(document: &'a Document<'input>) -> Result<Self, Refusal> {
        let elements = document.descendants().filter(Node::is_element);
        let mut by_id = HashMap::new();
        let mut count = 0;
        let mut rules = 0;
        let mut styles = Vec::new();
        let mut dashes: Option<f64> = None;
        for element in elements {
            count += 1;
            // What is around others hands it down to them.
            if !SHAPES.contains(&element.tag_name().name()) {
                dashes = own_dashes(element)
                    .into_iter()
                    .chain(dashes)
                    .min_by(f64::total_cmp);
            }
            if let Some(id) = element.attribute("id") {
                by_id.entry(id).or_insert(element);
            }
            if element.tag_name().name() == "style" {
                let texts = element.children().filter_map(|child| child.text());
                for text in texts {
                    rules += text.matches(['{', ',']).count();
                    styles.push(text);
                }
            }
        }
        if rules.saturating_mul(count) > MAX_STYLE {
            return Err(Refusal::Costly);
        }
        let of_styles = styles.iter().filter_map(|text| dash_length(text));
        let dashes = of_styles.chain(dashes).min_by(f64::total_cmp);
        let mut of_style = 0;
        for id in styles.into_iter().flat_map(urls) {
            // Which elements are meant is not resolved here: what costs little may be for
            // all of them, the rest for none.
            let target = id?;
            let name = by_id.get(target).map(|node| node.tag_name().name());
            match name {
                Some("linearGradient" | "radialGradient") => of_style = 1,
                Some(_) => return Err(Refusal::Costly),
                None => {}
            }
        }
        Ok(Self {
            by_id,
            known: HashMap::new(),
            of_style,
            dashes,
        })
    }

    fn cost_of_dashes(&self, element: Node<'_, '_>) -> u64 {
        let lengths = self.dashes.into_iter().chain(own_dashes(element));
        let length = lengths
            .filter(|length| *length > 0.0)
            .min_by(f64::total_cmp);
        let Some(length) = length else {
            return 0;
        };
        let cost = line_length(element) / length / DASHES;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what is too much stays so"
        )]
        let cost = cost as u64;
        cost
    }

    /// The weight of an element, references followed. `above`: elements around it.
    fn weight(&mut self, element: Node<'a, 'input>, above: usize) -> Result<Weight, Refusal> {
        match self.known.get(&element.id()) {
            Some(Some(weight)) if above + weight.depth > MAX_FOLLOWED_DEPTH => {
                return Err(Refusal::Deep);
            }
            Some(Some(weight)) => return Ok(*weight),
            Some(None) => return Err(Refusal::Circle),
            None if above > MAX_FOLLOWED_DEPTH => return Err(Refusal::Deep),
            None => {}
        }
        self.known.insert(element.id(), None);
        let mut weight = Weight {
            cost: 1 + self.of_style + own_cost(element)? + self.cost_of_dashes(element),
            depth: 0,
        };
        let mut add = |part: Weight, times: u64| {
            let cost = part.cost.saturating_mul(times);
            weight.cost = weight.cost.saturating_add(cost);
            weight.depth = weight.depth.max(part.depth + 1);
        };
        for child in element.children().filter(Node::is_element) {
            add(self.weight(child, above + 1)?, 1);
        }
        for Reference { id, times } in references(element)? {
            if let Some(target) = self.by_id.get(id).copied() {
                add(self.weight(target, above + 1)?, times);
            }
        }
        self.known.insert(element.id(), Some(weight));
        Ok(weight)
    }
}

/// A part of the document that an element refers to.
struct Reference<'a> {
    id: &'a str,
    /// How often it is drawn.
    times: u64,
}

fn references<'a>(element: Node<'a, '_>) -> Result<Vec<Reference<'a>>, Refusal> {
    let mut found = Vec::new();
    for attribute in element.attributes() {
        let value = attribute.value();
        if attribute.name() == "href" {
            match value.trim().strip_prefix('#') {
                Some(id) => found.push(Reference { id, times: 1 }),
                None => check_outside(element, value.trim())?,
            }
            continue;
        }
        // One declaration of a style after the other.
        for declaration in value.split(';') {
            let property = declaration.trim_start();
            let is_marker =
                attribute.name().starts_with("marker") || property.starts_with("marker");
            for id in urls(declaration) {
                let times = if is_marker { corners(element) } else { 1 };
                found.push(Reference { id: id?, times });
            }
        }
    }
    Ok(found)
}

/// The parts that are named in `url(#part)`. What is outside of the document is an error.
fn urls(value: &str) -> impl Iterator<Item = Result<&str, Refusal>> {
    value.split("url(").skip(1).filter_map(|rest| {
        let inner = rest.split(')').next().unwrap_or_default();
        let inner = inner.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
        match inner.strip_prefix('#') {
            Some(id) => Some(Ok(id)),
            // Fonts, and the like, that are in the document.
            None if inner.is_empty() || inner.starts_with("data:") => None,
            None => Some(Err(Refusal::Outside)),
        }
    })
}

/// How often a marker may be drawn: at every corner of a line.
fn corners(element: Node<'_, '_>) -> u64 {
    let line = element
        .attribute("d")
        .or_else(|| element.attribute("points"));
    // Two characters at least are written for each.
    let length = line.unwrap_or_default().len() as u64;
    1 + length / 2
}

/// Pictures are drawn if they are in the document; other links lead nowhere when it is
/// drawn.
fn check_outside(element: Node<'_, '_>, link: &str) -> Result<(), Refusal> {
    match element.tag_name().name() {
        "image" | "feImage" if !is_small_png(link) => Err(Refusal::Outside),
        "use" => Err(Refusal::Outside),
        _ => Ok(()),
    }
}

/// `data:image/png;base64,…`, whose header tells a size that icons have.
fn is_small_png(link: &str) -> bool {
    let Some(data) = link.strip_prefix("data:image/png;base64,") else {
        return false;
    };
    let header = base64(data, 24);
    // Signature, length and name of the header, width, height.
    let side = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let is_small = |side: Option<u32>| side.is_some_and(|side| side <= MAX_PICTURE);
    is_small(side(16)) && is_small(side(20))
}

/// The first bytes of what is written in base64 (RFC 4648, 4).
fn base64(text: &str, length: usize) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.bytes().filter_map(digit) {
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count).to_le_bytes()[0]);
            if bytes.len() == length {
                break;
            }
        }
    }
    bytes
}

/// What an element costs by itself.
fn own_cost(element: Node<'_, '_>) -> Result<u64, Refusal> {
    let name = element.tag_name().name();
    let octaves = element.attribute("numOctaves").unwrap_or_default();
    if octaves
        .trim()
        .parse()
        .is_ok_and(|octaves: u32| octaves > MAX_OCTAVES)
    {
        return Err(Refusal::Costly);
    }
    let of_filter = if name.starts_with("fe") { FILTER } else { 0 };
    Ok(of_filter)
}

/// How long the shortest dashes are together that an element asks for.
fn own_dashes(element: Node<'_, '_>) -> Option<f64> {
    let of_attributes = element.attributes().filter_map(|it| match it.name() {
        "stroke-dasharray" => sum(it.value()),
        _ => dash_length(it.value()),
    });
    of_attributes.min_by(f64::total_cmp)
}

/// The same, that are asked for in a style.
fn dash_length(style: &str) -> Option<f64> {
    let lists = style.split("stroke-dasharray").skip(1);
    let lengths = lists.filter_map(|rest| {
        let value = rest.trim_start().strip_prefix(':')?;
        let end = value.find([';', '}']).unwrap_or(value.len());
        sum(&value[..end])
    });
    lengths.min_by(f64::total_cmp)
}

/// The sum of the numbers in a text, without their signs; `None` if there are none.
fn sum(mut text: &str) -> Option<f64> {
    let mut sum = None;
    while let Some(start) = text.find(|c: char| c.is_ascii_digit() || c == '.') {
        text = &text[start..];
        let end = end_of_number(text.as_bytes()).max(1);
        let number: Option<f64> = text[..end].parse().ok();
        sum = number.map(|number| number + sum.unwrap_or(0.0)).or(sum);
        text = &text[end..];
    }
    sum
}

/// Where a number ends: `1.5.5` is two, `1e-3` one, and `1em` has a unit.
fn end_of_number(text: &[u8]) -> usize {
    let digits = |start: usize| {
        let rest = text.get(start..).unwrap_or_default();
        start + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut end = digits(0);
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

/// How long the line of an element may be. A line is no longer than the way to all of its
/// points and back; an arc, no longer than seven times its radius.
fn line_length(element: Node<'_, '_>) -> f64 {
    const SIZES: [&str; 11] = [
        "width", "height", "r", "rx", "ry", "x", "y", "x1", "x2", "y1", "y2",
    ];
    let lengths = element.attributes().filter_map(|attribute| {
        let value = attribute.value();
        let times = match attribute.name() {
            "d" if !value.contains(['a', 'A']) => 2.0,
            "points" => 2.0,
            name if name == "d" || SIZES.contains(&name) => 7.0,
            _ => return None,
        };
        Some(times * sum(value)?)
    });
    lengths.sum()
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
        let large = png.replace("AAAAEAAAAB", "AAEAAAAAAB");
        refused(
            &format!("<image href='data:image/png;base64,{large}'/>"),
            &Refusal::Outside,
        );
    }

    #[test]
    fn numbers_are_read_as_paths_have_them() {
        let check = |text, expected| assert_eq!(sum(text), expected, "{text}");
        check("M1-2.5.5e1L3", Some(11.5));
        check("1e-1+1e+1,.", Some(10.1));
        check("é1é", Some(1.0));
        check("none", None);
        check("2px, 1em", Some(3.0));
        check("0.5%", Some(0.5));
        check("e", None);
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

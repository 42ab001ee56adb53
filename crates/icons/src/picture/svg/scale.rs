//! What it takes to draw an element: its own cost, that of all in it, and of all that it
//! refers to.

use std::collections::HashMap;

use roxmltree::{Document, Node, NodeId};

use super::inline::is_small_png;
use super::lines::{dash_length, line_length, own_dashes};
use super::{Refusal, SHAPES};

/// References are followed so deep.
const MAX_FOLLOWED_DEPTH: usize = 128;
/// Rules of style times elements that they may be for.
const MAX_STYLE: usize = 2_000_000;
/// What a filter costs: it goes over each pixel several times.
const FILTER: u64 = 200;
/// To let grow or shrink what is there looks at all that is around each pixel.
const MORPHOLOGY: u64 = 20 * FILTER;
/// What each number of a matrix costs with which the pixels around each are weighted.
const CONVOLUTION: u64 = FILTER / 10;
/// Filters that are named where they are used, and defined nowhere (Filter Effects Module,
/// "Filter Functions").
const FUNCTIONS: [&str; 10] = [
    "blur(",
    "brightness(",
    "contrast(",
    "drop-shadow(",
    "grayscale(",
    "hue-rotate(",
    "invert(",
    "opacity(",
    "saturate(",
    "sepia(",
];
/// Bytes of a line that cost as much as an element.
const LINE: usize = 200;
/// Dashes that cost as much as an element.
const DASHES: f64 = 100.0;
/// Octaves of noise: each goes over each pixel.
const MAX_OCTAVES: u32 = 10;

/// What it takes to draw an element and all in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) cost: u64,
    /// How deep it goes.
    depth: usize,
}

/// Weighs elements, each once.
pub(super) struct Scale<'a, 'input> {
    by_id: HashMap<&'a str, Node<'a, 'input>>,
    /// `None` while it is weighed: a reference that comes back to it goes in a circle.
    known: HashMap<NodeId, Option<Weight>>,
    /// What a style may give to any element: shades, and filters.
    of_style: u64,
    /// How long the shortest dashes are together that any line may have.
    dashes: Option<f64>,
}

impl<'a, 'input> Scale<'a, 'input> {
    pub(super) fn of(document: &'a Document<'input>) -> Result<Self, Refusal> {
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
        // Which elements are meant is not resolved here, so the filters are for all.
        let filters: u64 = styles.iter().map(|text| functions(text)).sum();
        let mut shades = 0;
        for id in styles.into_iter().flat_map(urls) {
            // What costs little may be for all of them, too, the rest for none.
            let target = id?;
            let name = by_id.get(target).map(|node| node.tag_name().name());
            match name {
                Some("linearGradient" | "radialGradient") => shades = 1,
                Some(_) => return Err(Refusal::Costly),
                None => {}
            }
        }
        Ok(Self {
            by_id,
            known: HashMap::new(),
            of_style: filters + shades,
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
    pub(super) fn weight(
        &mut self,
        element: Node<'a, 'input>,
        above: usize,
    ) -> Result<Weight, Refusal> {
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
    // Two characters at least are written for each.
    let length = line(element).len() as u64;
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

/// What an element costs by itself.
fn own_cost(element: Node<'_, '_>) -> Result<u64, Refusal> {
    let octaves = element.attribute("numOctaves").unwrap_or_default();
    if octaves
        .trim()
        .parse()
        .is_ok_and(|octaves: u32| octaves > MAX_OCTAVES)
    {
        return Err(Refusal::Costly);
    }
    let of_element = match element.tag_name().name() {
        "feMorphology" => MORPHOLOGY,
        "feConvolveMatrix" => {
            // Two characters at least are written for each number.
            let matrix = element.attribute("kernelMatrix").unwrap_or_default();
            FILTER + CONVOLUTION * (1 + matrix.len() as u64 / 2)
        }
        name if name.starts_with("fe") => FILTER,
        _ => (line(element).len() / LINE) as u64,
    };
    let values = element.attributes().map(|attribute| attribute.value());
    Ok(of_element + values.map(functions).sum::<u64>())
}

/// What the filters cost that are named in a value or a style.
fn functions(text: &str) -> u64 {
    let found = FUNCTIONS.iter().map(|name| text.matches(name).count());
    FILTER * found.sum::<usize>() as u64
}

/// What a line is written as.
fn line<'a>(element: Node<'a, '_>) -> &'a str {
    let line = element
        .attribute("d")
        .or_else(|| element.attribute("points"));
    line.unwrap_or_default()
}

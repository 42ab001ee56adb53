//! The cost of drawing an element: its own, that of all elements in it, and of all to which it
//! refers.

use std::collections::HashMap;

use roxmltree::{Document, Node, NodeId};

use super::inline::is_small_png;
use super::lines::{dash_length, line_length, own_dashes};
use super::{Refusal, SHAPES};

/// The maximum depth to which references are followed.
const MAX_FOLLOWED_DEPTH: usize = 128;
/// The maximum of style rules times the elements to which they may apply.
const MAX_STYLE: usize = 2_000_000;
/// The cost of a filter: it goes over each pixel several times.
const FILTER: u64 = 200;
/// The cost of morphology: to grow or shrink shapes, it reads all pixels around each pixel.
const MORPHOLOGY: u64 = 20 * FILTER;
/// The cost of each number of a convolution matrix, which weights the pixels around each pixel.
const CONVOLUTION: u64 = FILTER / 10;
/// Filters that a document can use by name without a definition (Filter Effects Module, "Filter
/// Functions").
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
/// The bytes of a line that cost as much as an element.
const LINE: usize = 200;
/// The number of dashes that cost as much as an element.
const DASHES: f64 = 100.0;
/// The maximum number of octaves of noise: each goes over each pixel.
const MAX_OCTAVES: u32 = 10;

/// The cost of drawing an element and all elements in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    pub(super) cost: u64,
    /// Its depth of nesting.
    depth: usize,
}

/// Weighs elements, each once.
pub(super) struct Scale<'a, 'input> {
    by_id: HashMap<&'a str, Node<'a, 'input>>,
    /// `None` during the weighing of an element: a reference that comes back to it is a circle.
    known: HashMap<NodeId, Option<Weight>>,
    /// The cost that a style may add to any element: gradients and filters.
    of_style: u64,
    /// The length of the shortest dash pattern that any line may have.
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
            // Elements hand it down to the elements inside them.
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
        // This does not resolve to which elements a rule applies, so the filters count for all.
        let filters: u64 = styles.iter().map(|text| functions(text)).sum();
        let mut shades = 0;
        for id in styles.into_iter().flat_map(urls) {
            // Cheap references may apply to all elements as well, expensive ones to none.
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

    /// The weight of an element with its references. `above`: the number of elements around it.
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
    /// How often the renderer draws it.
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

/// The parts named in `url(#part)`. A reference out of the document is an error.
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

/// How often the renderer may draw a marker: at every corner of a line.
fn corners(element: Node<'_, '_>) -> u64 {
    // Each corner takes at least two characters.
    let length = line(element).len() as u64;
    1 + length / 2
}

/// The renderer draws pictures that are in the document; other links lead nowhere.
fn check_outside(element: Node<'_, '_>, link: &str) -> Result<(), Refusal> {
    match element.tag_name().name() {
        "image" | "feImage" if !is_small_png(link) => Err(Refusal::Outside),
        "use" => Err(Refusal::Outside),
        _ => Ok(()),
    }
}

/// The cost of an element by itself.
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
            // Each number takes at least two characters.
            let matrix = element.attribute("kernelMatrix").unwrap_or_default();
            FILTER + CONVOLUTION * (1 + matrix.len() as u64 / 2)
        }
        name if name.starts_with("fe") => FILTER,
        _ => (line(element).len() / LINE) as u64,
    };
    let values = element.attributes().map(|attribute| attribute.value());
    Ok(of_element + values.map(functions).sum::<u64>())
}

/// The cost of the filters named in a value or a style.
fn functions(text: &str) -> u64 {
    let found = FUNCTIONS.iter().map(|name| text.matches(name).count());
    FILTER * found.sum::<usize>() as u64
}

/// The text that describes a line.
fn line<'a>(element: Node<'a, '_>) -> &'a str {
    let line = element
        .attribute("d")
        .or_else(|| element.attribute("points"));
    line.unwrap_or_default()
}

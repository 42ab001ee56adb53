//! SVG to pixels, with the feature `render`.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::{Data, Icon, Pixels};

/// Pixels of the longest side.
const MAX_SIDE: u32 = 1_024;

impl Icon {
    /// The picture in pixels: an SVG drawn with its longer side `size` pixels long, 1,024 at
    /// most; anything else as it is. `None` if it cannot be drawn, or nothing of it is seen.
    ///
    /// Takes about a millisecond, and is bounded in time and memory as only a document that
    /// was weighed is an icon. Texts in a document are not drawn, nor are pictures.
    ///
    /// With the feature `render` only.
    #[must_use]
    #[cfg_attr(docsrs, doc(cfg(feature = "render")))]
    pub fn rendered(&self, size: u32) -> Option<Self> {
        let Data::Svg(bytes) = &self.data else {
            return Some(self.clone());
        };
        let pixels = render(bytes, size.clamp(1, MAX_SIDE))?;
        Some(Self {
            path: self.path.clone(),
            ..Self::of_pixels(pixels)
        })
    }
}

fn render(bytes: &[u8], size: u32) -> Option<Pixels> {
    let tree = Tree::from_data(bytes, &Options::default()).ok()?;
    let of_tree = tree.size();
    let (width, height) = (of_tree.width(), of_tree.height());
    #[expect(clippy::cast_precision_loss, reason = "1,024 at most")]
    let scale = size as f32 / width.max(height);
    let pixels_of = |length: f32| {
        let pixels = (length * scale).round().clamp(1.0, 1_024.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 1 to 1,024"
        )]
        let pixels = pixels as u32;
        pixels
    };
    let (width, height) = (pixels_of(width), pixels_of(height));
    let mut pixmap = Pixmap::new(width, height)?;
    let transform = Transform::from_scale(scale, scale);
    resvg::render(&tree, transform, &mut pixmap.as_mut());
    if pixmap.pixels().iter().all(|pixel| pixel.alpha() == 0) {
        return None;
    }
    let pixels = pixmap.pixels().iter();
    let bytes = pixels.flat_map(|pixel| {
        let pixel = pixel.demultiply();
        [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()]
    });
    Some(Pixels {
        width,
        height,
        bytes: bytes.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_has_its_colour_and_its_letter() {
        let tile = Icon::of_svg(crate::tile("key", "T").as_bytes(), 48);
        let drawn = tile.rendered(96).unwrap();
        let Data::Rgba {
            width,
            height,
            pixels,
        } = &drawn.data
        else {
            panic!("{drawn:?}");
        };
        assert_eq!((*width, *height, drawn.size), (96, 96, 96));
        let at = |x: usize, y: usize| &pixels[4 * (y * 96 + x)..][..4];
        assert_eq!(at(0, 0), [0, 0, 0, 0]);
        assert_eq!(at(10, 48)[3], 255);
        assert_eq!(at(48, 60), [255, 255, 255, 255]);
        assert!(drawn.to_png().unwrap().len() > 100);
    }

    #[test]
    fn any_proportions_are_drawn() {
        let drawn = |size: &str, asked| {
            let rect = "<rect width='100000' height='100000'/>";
            let svg = format!("<svg xmlns='http://www.w3.org/2000/svg' {size}>{rect}</svg>");
            let icon = Icon::decode(svg.as_bytes(), asked).unwrap();
            let Data::Rgba { width, height, .. } = icon.rendered(asked)?.data else {
                return None;
            };
            Some((width, height))
        };
        assert_eq!(drawn("width='100' height='50'", 48), Some((48, 24)));
        assert_eq!(drawn("width='100000' height='1'", 48), Some((48, 1)));
        assert_eq!(
            drawn("width='1' height='1'", u32::MAX),
            Some((1_024, 1_024))
        );
        assert_eq!(drawn("width='0' height='1'", 48), None);
        let clear = "width='9' height='9' opacity='0'";
        assert_eq!(drawn(clear, 48), None);
    }
}

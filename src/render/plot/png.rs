//! Charts as PNG at twice their size, with an embedded font, so that the image is the same on every
//! machine.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};
use thiserror::Error;

use super::{Plot, render_svg};

/// Pixels per unit of the drawing, high enough for modern screens and print.
const PIXELS_PER_UNIT: f32 = 2.0;
const REGULAR_FONT: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans.ttf");
const BOLD_FONT: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans-Bold.ttf");

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(REGULAR_FONT.to_vec());
    fonts.load_font_data(BOLD_FONT.to_vec());
    Arc::new(fonts)
});

/// Why a chart could not be drawn.
#[derive(Debug, Error)]
pub(crate) enum DrawError {
    /// The SVG could not be parsed.
    #[error("the drawing is not SVG")]
    Svg(#[from] resvg::usvg::Error),
    /// The image is too large.
    #[error("the drawing is too large")]
    Size,
    /// The image could not be encoded as PNG.
    #[error("failed to encode PNG: {0}")]
    Encode(String),
}

/// Returns the chart as PNG. Fails if the SVG cannot be parsed, or if the image is too large or
/// cannot be encoded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a drawing is some hundred units wide and high"
)]
pub(crate) fn render_png(figure: &Plot) -> Result<Vec<u8>, DrawError> {
    let options = Options { fontdb: Arc::clone(&FONTS), ..Options::default() };
    let tree = Tree::from_str(&render_svg(figure), &options)?;
    let size = tree.size();
    let to_pixels = |length: f32| (length * PIXELS_PER_UNIT).round() as u32;
    let image = Pixmap::new(to_pixels(size.width()), to_pixels(size.height()));
    let mut image = image.ok_or(DrawError::Size)?;
    resvg::render(
        &tree,
        Transform::from_scale(PIXELS_PER_UNIT, PIXELS_PER_UNIT),
        &mut image.as_mut(),
    );
    image.encode_png().map_err(|error| DrawError::Encode(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::{PlotLine, TrendPlot};
    use super::*;

    fn titled(title: &str) -> Vec<u8> {
        let course = TrendPlot {
            title: title.to_owned(),
            subtitle: String::new(),
            days: (String::new(), String::new()),
            lines: vec![PlotLine {
                name: "p50".to_owned(),
                points: vec![(0, 1.0, None), (1, 2.0, None)],
            }],
            changes: Vec::new(),
        };
        render_png(&Plot::Trend(course)).expect("a small drawing")
    }

    #[test]
    fn a_chart_has_twice_its_size_in_pixels_and_letters() {
        let image = Pixmap::decode_png(&titled("graphsage/batch/1")).expect("PNG");
        assert_eq!((image.width(), image.height()), (1600, 800));
        // The fonts of the machine are not used, so that the letters come from the embedded font.
        assert_ne!(titled("graphsage/batch/1"), titled("graphsage/batch/2"));
    }
}

//! Figures as files: SVG, PNG and PDF, in a font that comes with the program.

use super::theme::Theme;

/// The font of figures outside reports.
const FAMILY: &str = "DejaVu Sans";

/// A format of figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Names the font, for programs that have it.
    #[default]
    Svg,
    /// With two pixels per pixel of the figure. Needs the feature `figures`.
    Png,
    /// Contains the font. Needs the feature `figures`.
    Pdf,
}

/// A figure that could not be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The program was built without the feature `figures`.
    #[error("this program was built without the feature `figures`, which PNG and PDF need")]
    NotBuilt,
    /// The converter failed.
    #[error("cannot convert a figure: {0}")]
    Converter(String),
}

impl Format {
    /// Whether this build of the program can write it.
    pub const fn is_available(self) -> bool {
        matches!(self, Self::Svg) || cfg!(feature = "figures")
    }

    /// Ending of file names.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Pdf => "pdf",
        }
    }

    /// The content of a file with the figure `svg`, which was drawn for `theme`.
    ///
    /// # Errors
    /// If the format is not available, or the converter fails.
    pub fn encode(self, svg: &str, theme: Theme) -> Result<Vec<u8>, FormatError> {
        let named = svg.replace(
            "font-family=\"sans-serif\"",
            &format!("font-family=\"{FAMILY}, sans-serif\""),
        );
        match self {
            Self::Svg => Ok(named.into_bytes()),
            Self::Png => convert::png(&named),
            Self::Pdf => convert::pdf(&named, theme),
        }
    }
}

#[cfg(feature = "figures")]
mod convert {
    use super::{FAMILY, FormatError, Theme};
    use resvg::tiny_skia::{Pixmap, Transform};
    use resvg::usvg::{Options, Tree, fontdb};
    use std::fmt::Display;
    use std::sync::{Arc, LazyLock};
    use svg2pdf::{ConversionOptions, PageOptions};

    /// Pixels of a PNG per pixel of the figure.
    const SCALE: f32 = 2.0;

    static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(include_bytes!("fonts/DejaVuSans.ttf").to_vec());
        fonts.load_font_data(include_bytes!("fonts/DejaVuSans-Bold.ttf").to_vec());
        fonts.set_sans_serif_family(FAMILY);
        Arc::new(fonts)
    });

    fn tree(svg: &str) -> Result<Tree, FormatError> {
        let options = Options {
            fontdb: Arc::clone(&FONTS),
            font_family: FAMILY.to_owned(),
            ..Options::default()
        };
        Tree::from_str(svg, &options).map_err(failed)
    }

    fn failed(error: impl Display) -> FormatError {
        FormatError::Converter(error.to_string())
    }

    pub(super) fn png(svg: &str) -> Result<Vec<u8>, FormatError> {
        let tree = tree(svg)?;
        let size = tree.size().to_int_size().scale_by(SCALE);
        let size = size.ok_or_else(|| failed("it is too large"))?;
        let pixels = Pixmap::new(size.width(), size.height());
        let mut pixels = pixels.ok_or_else(|| failed("it is too large"))?;
        let scale = Transform::from_scale(SCALE, SCALE);
        resvg::render(&tree, scale, &mut pixels.as_mut());
        pixels.encode_png().map_err(failed)
    }

    pub(super) fn pdf(svg: &str, theme: Theme) -> Result<Vec<u8>, FormatError> {
        let page = PageOptions {
            dpi: theme.pixels_per_inch() as f32,
        };
        svg2pdf::to_pdf(&tree(svg)?, ConversionOptions::default(), page).map_err(failed)
    }
}

#[cfg(not(feature = "figures"))]
mod convert {
    use super::{FormatError, Theme};

    pub(super) const fn png(_: &str) -> Result<Vec<u8>, FormatError> {
        Err(FormatError::NotBuilt)
    }

    pub(super) const fn pdf(_: &str, _: Theme) -> Result<Vec<u8>, FormatError> {
        Err(FormatError::NotBuilt)
    }
}

#[cfg(all(test, feature = "figures"))]
mod tests {
    use super::*;
    use crate::analysis::fixture::{records, spec};
    use crate::analysis::{Cells, summarize};
    use crate::plot::curves_with_values;

    #[test]
    fn png_and_pdf_have_the_size_of_the_figure() {
        let spec = spec(2, 3, 5);
        let records = records(&spec);
        let cells = Cells::new(&spec, &records).unwrap();
        let summary = summarize(&spec, &records).unwrap();
        let theme = Theme::Paper;
        let svg = curves_with_values(&spec, &cells, &summary, theme)
            .unwrap()
            .remove(0)
            .1
            .svg;
        let height: u32 = svg
            .split("height=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let png = Format::Png.encode(&svg, theme).unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((side(16), side(20)), (2 * 480, 2 * height));
        let pdf = Format::Pdf.encode(&svg, theme).unwrap();
        assert!(pdf.starts_with(b"%PDF-"));
        let text = String::from_utf8_lossy(&pdf);
        let page = text.split("/MediaBox [0 0 ").nth(1).unwrap();
        let width: f64 = page.split(' ').next().unwrap().parse().unwrap();
        assert!((width - 8.5 / 2.54 * 72.0).abs() < 0.1, "{width} points");
        assert!(text.contains("DejaVuSans"), "the font is embedded");
    }
}

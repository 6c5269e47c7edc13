//! Interactions of pairs of units: one matrix per arm, of one trained net.

use super::canvas::{Anchor, Canvas, Type, shorten, text_width, wrap};
use super::drawing::{Drawing, Table};
use super::finished;
use super::page::Page;
use super::style::{BLUE, EDGE, SMALL, SOFT, TITLE_ROW, VERMILLION};
use super::theme::Theme;
use super::{FigureKind, PlotError, Section};
use crate::analysis::{Cells, Summary};
use crate::record::CellRecord;
use crate::spec::{Quantity, Spec, part_words};
use crate::stats::Sample;
use ablate_models::zoo::ModelConfig;
use plotters::style::RGBColor;

pub(super) const KIND: FigureKind = FigureKind {
    file: "matrices.svg",
    alt: "Interactions of pairs of units in one trained net per arm",
    section: Section::Probes,
};

const WITHIN: &str = "interaction_within";
const ACROSS: &str = "interaction_across";

const COLUMNS: usize = 3;
/// Least width of a matrix with the names at its left.
const LEAST: f64 = 200.0;
/// Space for the names of the layers at the left of a matrix.
const LEFT: f64 = 20.0;
const GAP: f64 = 18.0;
/// Space for the names of the layers below a matrix.
const FOOT: f64 = 26.0;
/// Shades per sign. Values below half of the first shade are white.
const SHADES: i32 = 8;
/// The darkest shade starts at this quantile of the absolute values.
const FULL: f64 = 0.98;
/// Smallest size of the names of the layers.
const SMALLEST: f64 = 10.0;
/// Width and height of a field of the key.
const KEY: (f64, f64) = (18.0, 12.0);

/// The interactions of `units` units of each layer of one net.
struct Net {
    layers: Vec<String>,
    units: usize,
    /// One matrix per layer, row by row. The diagonal has the change of the loss without the unit.
    within: Vec<Vec<f64>>,
    /// One matrix per pair of consecutive layers.
    across: Vec<Vec<f64>>,
}

impl Net {
    /// `None` if the record has no matrices, or their sizes differ.
    fn of(record: &CellRecord, model: &ModelConfig) -> Option<Self> {
        let matrix = |name: &str, path: &String| record.series.get(&format!("{name}.{path}"));
        let mut layers = Quantity::named(WITHIN)?.parts.of(model).1;
        layers.retain(|path| matrix(WITHIN, path).is_some());
        let within: Vec<Vec<f64>> = (layers.iter())
            .map(|path| matrix(WITHIN, path).cloned())
            .collect::<Option<_>>()?;
        let upper = layers.len().checked_sub(1)?;
        let across: Vec<Vec<f64>> = (layers[..upper].iter())
            .map(|path| matrix(ACROSS, path).cloned())
            .collect::<Option<_>>()?;
        let size = within[0].len();
        let units = size.isqrt();
        let fits = within.iter().chain(&across).all(|m| m.len() == size);
        (units > 0 && units * units == size && fits).then_some(Self {
            layers,
            units,
            within,
            across,
        })
    }

    /// The units of each layer, ordered by how much the loss changes without them, largest first.
    fn order(&self) -> Vec<Vec<usize>> {
        let n = self.units;
        let of_layer = |matrix: &Vec<f64>| {
            let mut order: Vec<usize> = (0..n).collect();
            let change = |unit: usize| matrix[unit * n + unit].abs();
            order.sort_by(|a, b| change(*b).total_cmp(&change(*a)));
            order
        };
        self.within.iter().map(of_layer).collect()
    }

    /// The interactions of all measured pairs, each with its row and column below the diagonal.
    fn pairs(&self) -> Vec<((usize, usize), f64)> {
        let (n, order) = (self.units, self.order());
        let mut out = Vec::new();
        for (layer, matrix) in self.within.iter().enumerate() {
            let from = layer * n;
            let place = |row: usize, column: usize| {
                let value = matrix[order[layer][row] * n + order[layer][column]];
                ((from + row, from + column), value)
            };
            out.extend((0..n).flat_map(|row| (0..row).map(move |column| place(row, column))));
        }
        for (layer, matrix) in self.across.iter().enumerate() {
            let place = |row: usize, column: usize| {
                let value = matrix[order[layer][column] * n + order[layer + 1][row]];
                (((layer + 1) * n + row, layer * n + column), value)
            };
            out.extend((0..n).flat_map(|row| (0..n).map(move |column| place(row, column))));
        }
        out
    }
}

/// Draws the interactions of units in one net per arm, the one with the smallest finished seed.
/// `None` if no probe measured any.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn matrices(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let mut seeds = Vec::new();
    let mut facets = Vec::new();
    for (arm, shown) in summary.arms.iter().enumerate() {
        let records = finished(spec, cells, summary, arm);
        let Some(first) = records.iter().min_by_key(|record| record.seed) else {
            continue;
        };
        let net = spec.arms[arm]
            .net()
            .and_then(|net| Net::of(first, &net.model));
        if let Some(net) = net {
            seeds.push(first.seed);
            facets.push(MatrixFacet::of(theme, &shown.label, &net));
        }
    }
    let Some(units) = facets.iter().map(|facet| facet.units).max() else {
        return Ok(None);
    };
    seeds.dedup();
    let which = match seeds[..] {
        [seed] => format!("the net of seed {seed}"),
        _ => "the net of the first seed".to_owned(),
    };
    let caption = format!(
        "Interaction of two units: increase of the loss without both, minus the increases without each \
         alone. Blue, negative: one cancels the effect of the other. Vermillion, positive: one replaces \
         the other. Up to {units} units per layer of {which}, ordered by how much the loss changes \
         without them. Only consecutive layers are measured."
    );
    let svg = draw(theme, &summary.title, &facets, &caption)?;
    let data = data(&facets);
    Ok(Some(Drawing { svg, data }))
}

/// A row per measured pair. Units are numbered from 1 in the order of the figure.
fn data(facets: &[MatrixFacet]) -> Table {
    let mut table = Table::new(&[
        "arm",
        "row_layer",
        "row_unit",
        "column_layer",
        "column_unit",
        "value",
    ]);
    for facet in facets {
        let place = |at: usize| (&facet.layers[at / facet.units], at % facet.units + 1);
        for ((row, column), value) in &facet.pairs {
            let (row, column) = (place(*row), place(*column));
            table.row([
                (&facet.label).into(),
                row.0.into(),
                row.1.into(),
                column.0.into(),
                column.1.into(),
                (*value).into(),
            ]);
        }
    }
    table
}

/// The matrix of one arm.
struct MatrixFacet {
    label: String,
    /// Width and height.
    side: f64,
    title: Vec<String>,
    layers: Vec<String>,
    units: usize,
    pairs: Vec<((usize, usize), f64)>,
}

impl MatrixFacet {
    fn of(theme: Theme, label: &str, net: &Net) -> Self {
        let side = side(theme);
        Self {
            label: label.to_owned(),
            side,
            title: wrap(&format!("{label} (n = 1 net)"), SMALL, side),
            layers: net.layers.iter().map(|path| part_words(path)).collect(),
            units: net.units,
            pairs: net.pairs(),
        }
    }

    fn draw(&self, canvas: &mut Canvas<'_>, left: f64, top: f64, full: f64) {
        canvas.title(&self.title, left + self.side / 2.0, top);
        let many = (self.units * self.layers.len()) as f64;
        let at = |place: usize| self.side * place as f64 / many;
        for ((row, column), value) in &self.pairs {
            if let Some(color) = color(*value, full) {
                let from = (left + at(*column), top + at(*row));
                let to = (left + at(column + 1), top + at(row + 1));
                canvas.rectangle(from, to, color);
            }
        }
        self.frame(canvas, left, top);
    }

    /// Draws the edges of the layers and their names.
    fn frame(&self, canvas: &mut Canvas<'_>, left: f64, top: f64) {
        let layers = self.layers.len();
        let at = |layer: usize| self.side * layer as f64 / layers as f64;
        let mut rule = |from: (f64, f64), to: (f64, f64)| {
            canvas.line(&[from, to], SOFT, 1.0, &[], "edge");
        };
        for edge in (0..=layers).map(at) {
            // Only the part below the diagonal is drawn.
            rule((left + edge, top + edge), (left + edge, top + self.side));
            rule((left, top + edge), (left + edge, top + edge));
        }
        rule((left, top), (left + self.side, top + self.side));
        for (layer, name) in self.layers.iter().enumerate() {
            let room = self.side / layers as f64;
            // Long names are smaller before they are cut.
            let size = (SMALL * room / text_width(name, SMALL))
                .clamp(canvas.theme().text(SMALLEST), SMALL);
            let name = shorten(name, size, room);
            let middle = (at(layer) + at(layer + 1)) / 2.0;
            let kind = Type::new(size, SOFT, Anchor::Middle);
            canvas.text(&name, (left + middle, top + self.side + 12.0), kind);
            canvas.text(&name, (left - 10.0, top + middle), kind.upright());
        }
    }
}

/// Matrices per row.
fn columns(theme: Theme) -> usize {
    theme.columns(COLUMNS, LEAST)
}

/// Width and height of a matrix.
fn side(theme: Theme) -> f64 {
    let columns = columns(theme) as f64;
    (theme.inner() - columns * LEFT - (columns - 1.0) * GAP) / columns
}

/// The absolute value at which the darkest shade starts.
fn full(facets: &[MatrixFacet]) -> f64 {
    let pairs = facets.iter().flat_map(|facet| &facet.pairs);
    let sizes = pairs.map(|(_, value)| value.abs()).collect();
    Sample::new(sizes).map_or(0.0, |sizes| sizes.quantile(FULL))
}

/// The shade of `value`, in `-SHADES..=SHADES`.
fn shade(value: f64, full: f64) -> i32 {
    match full > 0.0 {
        true => (value / full * f64::from(SHADES)).round() as i32,
        false => 0,
    }
    .clamp(-SHADES, SHADES)
}

/// `None` for white.
fn color(value: f64, full: f64) -> Option<RGBColor> {
    let shade = shade(value, full);
    (shade != 0).then(|| of_shade(shade))
}

fn of_shade(shade: i32) -> RGBColor {
    let RGBColor(r, g, b) = if shade < 0 { BLUE } else { VERMILLION };
    let share = f64::from(shade.abs()) / f64::from(SHADES);
    let mix = |c: u8| (255.0 - share * (255.0 - f64::from(c))).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}

/// `value` with two significant digits.
fn two_digits(value: f64) -> String {
    let decimals = (1.0 - value.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{value:.decimals$}")
}

/// Draws the matrices in rows, with a key of the shades below them.
fn draw(
    theme: Theme,
    heading: &str,
    facets: &[MatrixFacet],
    caption: &str,
) -> Result<String, PlotError> {
    let (full, columns, side) = (full(facets), columns(theme), side(theme));
    let titles = facets.iter().map(|facet| facet.title.len());
    let above = TITLE_ROW * titles.max().unwrap_or(1) as f64 + 10.0;
    let row = above + side + FOOT;
    let matrices = row * facets.len().div_ceil(columns) as f64 + 8.0;
    let title = format!("{heading}: interactions of units");
    let showing = "interaction of pairs of units (nats)";
    Page::new(theme, heading, None, caption)
        .showing(showing)
        .draw(&title, matrices + 40.0, |canvas, top| {
            for (k, facet) in facets.iter().enumerate() {
                let left = EDGE + LEFT + (k % columns) as f64 * (side + LEFT + GAP);
                let top = top + row * (k / columns) as f64;
                facet.draw(canvas, left, top + above, full);
            }
            key(canvas, top + matrices, full);
        })
}

fn key(canvas: &mut Canvas<'_>, top: f64, full: f64) {
    let fields = f64::from(2 * SHADES + 1);
    let left = (canvas.theme().width() - fields * KEY.0) / 2.0;
    for (k, shade) in (-SHADES..=SHADES).enumerate() {
        let from = (left + KEY.0 * k as f64, top);
        if shade != 0 {
            canvas.rectangle(from, (from.0 + KEY.0, top + KEY.1), of_shade(shade));
        }
    }
    let corners = [(0.0, 0.0), (fields * KEY.0, 0.0), (fields * KEY.0, KEY.1)];
    let corners = corners.into_iter().chain([(0.0, KEY.1), (0.0, 0.0)]);
    let outline: Vec<_> = corners.map(|(x, y)| (left + x, top + y)).collect();
    canvas.line(&outline, SOFT, 1.0, &[], "edge");
    let full = two_digits(full);
    let labels = [
        (0.5, format!("−{full} or less")),
        (fields / 2.0, "0 nats".to_owned()),
        (fields - 0.5, format!("{full} or more")),
    ];
    for (place, label) in labels {
        let at = (left + place * KEY.0, top + KEY.1 + 11.0);
        canvas.text(&label, at, Type::new(SMALL, SOFT, Anchor::Middle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_ordered_by_their_effect_on_the_loss() {
        let net = Net {
            layers: vec!["a".into(), "b".into()],
            units: 2,
            // The second unit of each layer changes more, so it comes first.
            within: vec![vec![1.0, -5.0, -5.0, -2.0], vec![3.0, 6.0, 6.0, 4.0]],
            // Rows: units of the first layer; columns: those of the second.
            across: vec![vec![10.0, 20.0, 30.0, 40.0]],
        };
        let expected = [
            ((1, 0), -5.0),
            ((3, 2), 6.0),
            ((2, 0), 40.0),
            ((2, 1), 20.0),
            ((3, 0), 30.0),
            ((3, 1), 10.0),
        ];
        assert_eq!(net.pairs(), expected);
    }

    #[test]
    fn layers_keep_the_order_of_the_net_beyond_ten() {
        let spec = crate::analysis::fixture::spec(1, 1, 1);
        let mut model = spec.arms[0].net().unwrap().model.clone();
        let ModelConfig::Mlp(mlp) = &mut model else {
            unreachable!("the fixture's model is an MLP")
        };
        mlp.hidden = vec![1; 12];
        let records = crate::analysis::fixture::records(&spec);
        let mut record = records[0].clone();
        for layer in 0..12 {
            for name in [WITHIN, ACROSS] {
                record
                    .series
                    .insert(format!("{name}.blocks.{layer}"), vec![1.0]);
            }
        }
        let net = Net::of(&record, &model).unwrap();
        let expected: Vec<String> = (0..12).map(|layer| format!("blocks.{layer}")).collect();
        assert_eq!(net.layers, expected);
    }

    #[test]
    fn shades_are_symmetric_and_bounded() {
        assert_eq!(
            [0.0, 0.01, 0.5, 1.0, 7.0].map(|v| shade(v, 1.0)),
            [0, 0, 4, 8, 8]
        );
        assert_eq!([-0.5, -7.0].map(|v| shade(v, 1.0)), [-4, -8]);
        assert_eq!(shade(1.0, 0.0), 0);
        assert_eq!(of_shade(-SHADES), BLUE);
        assert_eq!(color(0.01, 1.0), None);
        assert_eq!(
            [two_digits(0.01234), two_digits(1.25), two_digits(12.3)],
            ["0.012", "1.2", "12"]
        );
    }
}

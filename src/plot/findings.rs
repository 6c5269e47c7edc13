//! Colour and sign of a finding. The sign says the same as the colour.

use super::canvas::{Anchor, Canvas, Type};
use super::style::{BLUE, INK, RGBColor, SOFT, VERMILLION, WHITE};
use crate::stats::Finding;

/// Radius of the disc with the sign.
pub(crate) const DISC: f64 = 7.0;

/// Blue: better. Vermillion: worse. Black: no difference that matters. Grey: unclear.
pub(crate) fn color(finding: Finding) -> RGBColor {
    match finding {
        _ if finding.is_better() => BLUE,
        _ if finding.is_worse() => VERMILLION,
        Finding::NoDifferenceThatMatters => INK,
        _ => SOFT,
    }
}

/// `+`, `−`, `=` or `?`.
pub(crate) fn sign(finding: Finding) -> &'static str {
    match finding {
        _ if finding.is_better() => "+",
        _ if finding.is_worse() => "\u{2212}",
        Finding::NoDifferenceThatMatters => "=",
        _ => "?",
    }
}

/// Whether its seeds are open circles: nothing is shown.
pub(crate) fn is_open(finding: Finding) -> bool {
    finding == Finding::Unclear
}

/// Draws a disc in the colour of `finding` with its sign.
pub(crate) fn draw_sign(canvas: &mut Canvas<'_>, finding: Finding, at: (f64, f64)) {
    canvas.dot(at, DISC, color(finding), 1.0);
    let kind = Type::new(12.0, WHITE, Anchor::Middle).bold();
    canvas.text(sign(finding), at, kind);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_finding_has_its_own_color_and_sign() {
        let kinds = [
            Finding::Better,
            Finding::Worse,
            Finding::NoDifferenceThatMatters,
            Finding::Unclear,
        ];
        let looks = kinds.map(|f| (sign(f), color(f)));
        for (k, look) in looks.iter().enumerate() {
            for other in &looks[..k] {
                assert!(look.0 != other.0 && look.1 != other.1, "{look:?}");
            }
        }
        assert_eq!(sign(Finding::WorseTooSmall), sign(Finding::WorseByMore));
    }
}

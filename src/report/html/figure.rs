//! Figures inside a page: smaller, in the colors of the page's theme, with a name and a description for
//! screen readers.
//!
//! The drawing library writes every property of every element. Here elements that look alike share a
//! class, long lines become paths with relative coordinates, and colors become variables of the style
//! sheet.

use std::fmt::Write;

/// Looks of elements, which all figures of a page share.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Declarations of each class `f0`, `f1`, ...
    rules: Vec<String>,
}

/// Attributes that describe a look, with the value that needs no declaration.
const LOOK: [(&str, &str); 9] = [
    ("fill", ""),
    ("stroke", "none"),
    ("stroke-width", ""),
    ("stroke-dasharray", ""),
    ("text-anchor", "start"),
    ("font-size", ""),
    ("font-weight", ""),
    ("opacity", "1"),
    ("stroke-opacity", "1"),
];

/// Attributes that the style sheet replaces.
const DROPPED: [&str; 3] = ["class", "dy", "font-family"];

/// Colors of figures, with their variables in `page.css`.
const COLORS: [(&str, &str); 13] = [
    ("#FFFFFF", "paper"),
    ("#222222", "ink"),
    ("#555555", "soft"),
    ("#D4D4D4", "grid"),
    ("#E4E4E4", "shade"),
    ("#0072B2", "blue"),
    ("#D55E00", "vermillion"),
    ("#009E73", "green"),
    ("#CC79A7", "purple"),
    ("#000000", "black"),
    ("#E69F00", "orange"),
    ("#56B4E9", "sky"),
    ("none", ""),
];

impl Looks {
    /// The rules of a style sheet.
    pub(super) fn css(&self) -> String {
        let rules = self.rules.iter().enumerate();
        rules.map(|(k, rule)| format!(".f{k}{{{rule}}}")).collect()
    }

    fn class(&mut self, rule: String) -> usize {
        let known = self.rules.iter().position(|other| *other == rule);
        known.unwrap_or_else(|| {
            self.rules.push(rule);
            self.rules.len() - 1
        })
    }

    /// `svg`, a figure of `plot`, as an element of the page. `id` is unique in the page; `description` is
    /// read to those who do not see the figure.
    pub(super) fn inline(&mut self, svg: &str, id: &str, description: &str) -> String {
        let mut drawing = Drawing::default();
        let mut background = true;
        let mut skipped = false;
        for piece in svg.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            let out = &mut drawing.out;
            match name {
                "svg" => {
                    let extent = attribute(attributes, "viewBox").unwrap_or_default();
                    let paper = if is_on_paper(svg) {
                        " class=\"paper\""
                    } else {
                        ""
                    };
                    let _ = write!(
                        out,
                        "<svg{paper} viewBox=\"{extent}\" role=\"img\" aria-labelledby=\"{id}-t\" \
                         aria-describedby=\"{id}-d\">"
                    );
                }
                "title" => {
                    let _ = write!(out, "<title id=\"{id}-t\">{}", text.trim());
                }
                "/title" => {
                    let description = escaped(description);
                    let _ = write!(out, "</title><desc id=\"{id}-d\">{description}</desc>");
                }
                "/svg" => {
                    drawing.flush();
                    drawing.out.push_str("</svg>");
                }
                // The first rectangle is the background, which the page has.
                "rect" if background => (background, skipped) = (false, true),
                "/rect" if skipped => skipped = false,
                _ if name.starts_with('/') => {}
                _ => self.element(&mut drawing, name, attributes, text.trim()),
            }
        }
        drawing.out
    }

    fn element(&mut self, drawing: &mut Drawing, name: &str, attributes: &str, text: &str) {
        let mut rule = String::new();
        let mut others = String::new();
        let mut points = None;
        for (key, value) in pairs(attributes) {
            if let Some((_, default)) = LOOK.iter().find(|(known, _)| *known == key) {
                if value != *default {
                    declare(&mut rule, key, value);
                }
            } else if key == "points" {
                points = Some(value);
            } else if !DROPPED.contains(&key) {
                let _ = write!(others, " {key}=\"{value}\"");
            }
        }
        let is_series = attribute(attributes, "data-series").is_some();
        if name == "text" {
            let class = self.class(rule);
            drawing
                .texts
                .push((class, format!("<text{others}>{text}</text>")));
        } else if name == "circle" && !is_series && attribute(attributes, "stroke") == Some("none")
        {
            let at = |key| attribute(attributes, key).unwrap_or_default();
            let radius = at("r").parse::<f64>().unwrap_or(1.0);
            let class = self.class(dots(&rule, radius));
            drawing.path(class, &format!("M{},{}h0", at("cx"), at("cy")));
        } else if let Some(path) = points.and_then(|points| path(name, points)) {
            let class = self.class(rule);
            match is_series || name == "polygon" {
                true => drawing.shape(&format!("<path class=\"f{class}\"{others} d=\"{path}\"/>")),
                false => drawing.path(class, &path),
            }
        } else {
            let class = self.class(rule);
            let points = points.map_or(String::new(), |points| format!(" points=\"{points}\""));
            drawing.shape(&format!("<{name} class=\"f{class}\"{others}{points}/>"));
        }
    }
}

/// The elements of a figure. Lines that look alike become one path, and texts that look alike one group.
/// Texts stand above the lines between which they were drawn.
#[derive(Default)]
struct Drawing {
    out: String,
    /// The class and the data of the open path.
    open: Option<(usize, String)>,
    /// The class and the element of the texts since it was opened.
    texts: Vec<(usize, String)>,
}

impl Drawing {
    /// Adds lines of a class.
    fn path(&mut self, class: usize, data: &str) {
        match &mut self.open {
            Some((open, path)) if *open == class => path.push_str(data),
            _ => {
                self.flush();
                self.open = Some((class, data.to_owned()));
            }
        }
    }

    /// Adds any other element.
    fn shape(&mut self, element: &str) {
        self.flush();
        self.out.push_str(element);
    }

    fn flush(&mut self) {
        if let Some((class, path)) = self.open.take() {
            let _ = write!(self.out, "<path class=\"f{class}\" d=\"{path}\"/>");
        }
        for group in self.texts.chunk_by(|a, b| a.0 == b.0) {
            let _ = write!(self.out, "<g class=\"f{}\">", group[0].0);
            for (_, text) in group {
                self.out.push_str(text);
            }
            self.out.push_str("</g>");
        }
        self.texts.clear();
    }
}

/// The look of filled circles as round ends of lines without length.
fn dots(rule: &str, radius: f64) -> String {
    let stroke = rule.replace("fill:", "stroke:");
    let stroke = stroke
        .split(';')
        .filter(|part| !part.is_empty() && !part.starts_with("stroke-width"));
    let stroke: Vec<&str> = stroke.collect();
    format!(
        "{};stroke-width:{};stroke-linecap:round;",
        stroke.join(";"),
        2.0 * radius
    )
}

/// Whether a figure keeps its white background in every theme, because it shades areas.
fn is_on_paper(svg: &str) -> bool {
    let fills = svg
        .split(" fill=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let known = |fill: &str| COLORS.iter().any(|(color, _)| *color == fill);
    fills.into_iter().any(|fill| !known(fill))
}

fn declare(rule: &mut String, key: &str, value: &str) {
    let color = COLORS.iter().find(|(color, _)| *color == value);
    let _ = match color {
        Some((_, variable)) if !variable.is_empty() => write!(rule, "{key}:var(--{variable});"),
        _ => write!(rule, "{key}:{}{};", number(value), unit(key)),
    };
}

/// The unit that a style sheet demands.
fn unit(key: &str) -> &'static str {
    if key == "font-size" { "px" } else { "" }
}

/// A number without the tail that floating point leaves; other text as it is.
fn number(value: &str) -> String {
    match value.parse::<f64>() {
        Ok(number) => ((number * 100.0).round() / 100.0).to_string(),
        Err(_) => value.to_owned(),
    }
}

/// The data of a path through `points`, with relative coordinates; `None` if they are no whole numbers.
fn path(name: &str, points: &str) -> Option<String> {
    let numbers = points.split([' ', ',']).filter(|part| !part.is_empty());
    let numbers: Vec<i32> = numbers
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let points: Vec<(i32, i32)> = (numbers.chunks_exact(2))
        .map(|pair| (pair[0], pair[1]))
        .collect();
    let points = corners(&points);
    let (first, rest) = points.split_first()?;
    let mut path = format!("M{},{}", first.0, first.1);
    match *rest {
        [(x, y)] if y == first.1 => drop(write!(path, "H{x}")),
        [(x, y)] if x == first.0 => drop(write!(path, "V{y}")),
        _ => {
            path.push('l');
            let mut last = *first;
            for (k, &(x, y)) in rest.iter().enumerate() {
                let (dx, dy) = (x - last.0, y - last.1);
                let space = if k > 0 && dx >= 0 { " " } else { "" };
                let comma = if dy >= 0 { "," } else { "" };
                let _ = write!(path, "{space}{dx}{comma}{dy}");
                last = (x, y);
            }
        }
    }
    if name == "polygon" {
        path.push('z');
    }
    Some(path)
}

/// `points` without those between two others on a straight line.
fn corners(points: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let mut out: Vec<(i32, i32)> = Vec::with_capacity(points.len());
    for &(x, y) in points {
        if let [.., before, last] = out[..] {
            let (a, b) = (i64::from(last.0 - before.0), i64::from(last.1 - before.1));
            let (c, d) = (i64::from(x - last.0), i64::from(y - last.1));
            if a * d == b * c && a * c + b * d >= 0 {
                out.pop();
            }
        }
        out.push((x, y));
    }
    out
}

/// The attributes of a tag.
fn pairs(attributes: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut parts = attributes.split('"');
    std::iter::from_fn(move || {
        let key = parts.next()?.trim().strip_suffix('=')?;
        Some((key, parts.next()?))
    })
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    pairs(attributes).find_map(|(key, value)| (key == name).then_some(value))
}

fn escaped(text: &str) -> String {
    minijinja::HtmlEscape(text).to_string()
}

//! The template engine. Templates are files beside this one; everything that they insert is escaped,
//! unless they say that it is HTML already.

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use std::sync::LazyLock;

/// Names and texts of the templates.
const TEMPLATES: [(&str, &str); 5] = [
    ("page.html", include_str!("templates/page.html")),
    ("macros.html", include_str!("templates/macros.html")),
    ("experiment.html", include_str!("templates/experiment.html")),
    ("claim.html", include_str!("templates/claim.html")),
    ("index.html", include_str!("templates/index.html")),
];

const STYLE: &str = include_str!("templates/page.css");
const SCRIPT: &str = include_str!("templates/page.js");

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::Html);
    engine.set_trim_blocks(true);
    engine.set_lstrip_blocks(true);
    for (name, text) in TEMPLATES {
        // A test renders every template.
        engine
            .add_template(name, text)
            .expect("a committed template is valid");
    }
    engine.add_global("style", without_comments(STYLE));
    engine.add_global("script", SCRIPT);
    engine
});

/// A page cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the page `{page}`: {source}")]
pub struct PageError {
    /// The template.
    page: &'static str,
    /// Error of the template engine.
    source: minijinja::Error,
}

/// Fills the template `page`. Control characters, which HTML forbids, are left out, and a number stays on
/// one line with its percent sign.
///
/// # Errors
/// If a template uses a value that `content` does not have.
pub(super) fn render(page: &'static str, content: impl Serialize) -> Result<String, PageError> {
    let made = ENGINE
        .get_template(page)
        .and_then(|template| template.render(content));
    let mut made = made.map_err(|source| PageError { page, source })?;
    made.retain(|c| !c.is_control() || c == '\n');
    Ok(made.replace(" %", "\u{a0}%"))
}

fn without_comments(style: &str) -> String {
    let lines = style.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("/*"));
    lines.collect::<Vec<_>>().join("\n")
}

//! Markdown of reports as HTML. HTML in it is text, except for the few tags that reports write
//! themselves.

use minijinja::HtmlEscape;
use pulldown_cmark::{Alignment, Event, Options, Parser, Tag, TagEnd, html};
use std::collections::BTreeMap;

/// Converts the texts of one page.
#[derive(Debug, Default)]
pub(super) struct Prose {
    /// Figures as elements, by the file names under which the texts show them.
    pub(super) figures: BTreeMap<String, String>,
    tables: usize,
}

impl Prose {
    /// Whole paragraphs, lists and tables.
    pub(super) fn html(&mut self, markdown: &str) -> String {
        let events: Vec<Event<'_>> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
        let mut out = Vec::with_capacity(events.len());
        let mut place = Place::default();
        let mut rest = events.as_slice();
        while let Some((event, after)) = rest.split_first() {
            rest = after;
            if let Some((figure, after)) = self.figure(event, after) {
                out.push(Event::Html(figure.into()));
                rest = after;
                continue;
            }
            self.event(event, after, &mut place, &mut out);
        }
        let mut page = String::with_capacity(2 * markdown.len());
        html::push_html(&mut page, out.into_iter());
        page
    }

    /// One line, without a paragraph around it.
    pub(super) fn inline(&mut self, markdown: &str) -> String {
        let page = self.html(markdown);
        let page = page.trim();
        let inner = page
            .strip_prefix("<p>")
            .and_then(|page| page.strip_suffix("</p>"));
        inner.unwrap_or(page).to_owned()
    }

    /// A paragraph that consists of a known figure, and what follows it.
    fn figure<'e, 'a>(
        &self,
        event: &Event<'a>,
        after: &'e [Event<'a>],
    ) -> Option<(String, &'e [Event<'a>])> {
        let Event::Start(Tag::Paragraph) = event else {
            return None;
        };
        let Some(Event::Start(Tag::Image { dest_url, .. })) = after.first() else {
            return None;
        };
        let figure = self.figures.get(&**dest_url)?;
        let end = after
            .iter()
            .position(|e| *e == Event::End(TagEnd::Paragraph))?;
        Some((figure.clone(), &after[end + 1..]))
    }

    fn event<'a>(
        &mut self,
        event: &Event<'a>,
        after: &[Event<'a>],
        place: &mut Place,
        out: &mut Vec<Event<'a>>,
    ) {
        let mut tag = |text: String| out.push(Event::Html(text.into()));
        match event {
            Event::Html(text) | Event::InlineHtml(text) => match own_tag(text) {
                Some(own) => tag(own),
                None => out.push(Event::Text(text.clone())),
            },
            Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            Event::Start(Tag::Table(aligned)) => {
                self.tables += 1;
                let number = self.tables;
                let right = aligned
                    .iter()
                    .zip(1..)
                    .filter(|(a, _)| **a == Alignment::Right);
                let classes: Vec<String> = right.map(|(_, k)| format!("r{k}")).collect();
                tag(format!(
                    "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Table {number}\">\
                     <table class=\"{}\">",
                    classes.join(" ")
                ));
            }
            Event::End(TagEnd::Table) => tag("</tbody></table></div>\n".to_owned()),
            Event::Start(Tag::TableHead) => {
                (place.head, place.column) = (true, 0);
                tag("<thead><tr>".to_owned());
            }
            Event::End(TagEnd::TableHead) => {
                place.head = false;
                tag("</tr></thead><tbody>".to_owned());
            }
            Event::Start(Tag::TableRow) => {
                place.column = 0;
                tag("<tr>".to_owned());
            }
            Event::End(TagEnd::TableRow) => tag("</tr>\n".to_owned()),
            Event::Start(Tag::TableCell) => tag(place.cell()),
            Event::End(TagEnd::TableCell) => {
                tag(format!("</{}>", place.element()));
                place.column += 1;
            }
            Event::Start(Tag::Heading { level, .. }) => {
                let words: String = after.iter().map_while(word).collect();
                tag(format!("<{level} id=\"{}\">", slug(&words)));
            }
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => {}
            Event::Start(Tag::Link { dest_url, .. }) => {
                let target = link(dest_url);
                place.links.push(target.is_some());
                if let Some(target) = target {
                    tag(format!("<a href=\"{}\">", HtmlEscape(&target)));
                }
            }
            Event::End(TagEnd::Link) => {
                if place.links.pop() == Some(true) {
                    tag("</a>".to_owned());
                }
            }
            other => out.push(other.clone()),
        }
    }
}

/// Where in a table or link the text is.
#[derive(Default)]
struct Place {
    head: bool,
    column: usize,
    /// Whether each open link is written.
    links: Vec<bool>,
}

impl Place {
    fn element(&self) -> &'static str {
        if self.head || self.column == 0 {
            "th"
        } else {
            "td"
        }
    }

    fn cell(&self) -> String {
        // The first cell of a row is its header without saying so.
        let scope = if self.head { " scope=\"col\"" } else { "" };
        format!("<{}{scope}>", self.element())
    }
}

/// The tags that reports write; anything else is text.
fn own_tag(text: &str) -> Option<String> {
    let line = text.trim_end();
    let inner = line
        .strip_prefix("<summary>")
        .and_then(|rest| rest.strip_suffix("</summary>"));
    match (line, inner) {
        ("<details>" | "</details>" | "<br>", _) => Some(line.to_owned()),
        (_, Some(words)) => Some(format!("<summary>{}</summary>", HtmlEscape(words))),
        _ => None,
    }
}

/// The target of a link: pages link to pages. `None` for targets that are neither files nor web pages.
fn link(target: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") || target.starts_with('#') {
        return Some(target.to_owned());
    }
    if target.contains(':') {
        return None;
    }
    Some(match target.strip_suffix(".md") {
        Some(stem) => format!("{stem}.html"),
        None => target.to_owned(),
    })
}

/// The text of an event; `None` for the end of a heading.
fn word<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    match event {
        Event::Text(text) | Event::Code(text) => Some(text),
        Event::End(TagEnd::Heading(_)) => None,
        _ => Some(""),
    }
}

/// `words` as the name of a place in the page.
pub(super) fn slug(words: &str) -> String {
    let lower = words.to_lowercase();
    let parts = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty());
    let slug = parts.collect::<Vec<_>>().join("-");
    // The names of parts of the pages have no such start.
    format!("about-{slug}")
}

/// Text of Markdown as it is read, with no mark of Markdown.
pub(super) fn plain(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::empty());
    let text = |event: Event<'_>| match event {
        Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
            text.into_string()
        }
        Event::SoftBreak | Event::HardBreak => " ".to_owned(),
        _ => String::new(),
    };
    events.map(text).collect()
}

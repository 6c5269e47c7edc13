//! Names and texts of an experiment are text in a page, whatever they hold.

use super::*;
use crate::report::html::prose::{Prose, plain};
use crate::report::html::{claim_html, index_html};

const NASTY: &str =
    "<script>alert(1)</script> <img src=x onerror=alert(1)> </title> \u{1}\u{7f} & \"q\" 'p'";

/// Fails if the marks of `NASTY` are anything but text in `page`.
fn assert_text(page: &str) {
    assert!(page.contains("&lt;script&gt;alert(1)&lt;"), "{page}");
    let bad = ["<script>alert", "<img", "\u{1}", "\u{7f}"];
    for bad in bad {
        assert!(!page.contains(bad), "{bad:?}");
    }
    assert_eq!(
        page.matches("</title>").count() - page.matches("<svg").count(),
        1
    );
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn texts_of_an_experiment_are_text() {
    let mut spec = fixture::spec(2, 8, 3);
    for text in [
        &mut spec.title,
        &mut spec.question,
        &mut spec.reading,
        &mut spec.arms[0].label,
        &mut spec.contrasts[0].note,
    ] {
        *text = NASTY.to_owned();
    }
    spec.sentence = Some(NASTY.to_owned());
    assert_text(&page(&spec, &fixture::records(&spec)));
}

#[test]
fn texts_of_a_claim_are_text() {
    let mut claim = fixture::claim("C6", &[]);
    (claim.short, claim.sentence) = (NASTY.to_owned(), NASTY.to_owned());
    claim.limits = vec![NASTY.to_owned()];
    claim.in_practice.supported = NASTY.to_owned();
    let mut summary = summary();
    summary.question = NASTY.to_owned();
    assert_text(&claim_html(&claim, std::slice::from_ref(&summary), None).unwrap());
    let all = [summary];
    assert_text(&index_html(&[(&claim, None)], &all, &all).unwrap());
}

#[test]
fn names_of_lines_cannot_end_the_script() {
    let mut spec = fixture::spec(2, 8, 3);
    spec.arms[0].label = "</script><b>".to_owned();
    let page = page(&spec, &fixture::records(&spec));
    let [json] = between(&page, "class=\"values\">", "</script>")[..] else {
        panic!("{page}");
    };
    let values: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(values["labels"][0][1], "</script><b>");
}

#[test]
fn targets_that_run_code_are_no_links() {
    let html =
        Prose::default().html("[a](javascript:alert(1)) [b](data:text/html,x) [c](x/report.md)");
    assert_eq!(
        html.trim(),
        "<p>a b <a href=\"x&#x2f;report.html\">c</a></p>"
    );
}

#[test]
fn images_are_their_words() {
    let html = Prose::default().html("![a picture](http://example.org/x.png)");
    assert_eq!(html.trim(), "<p>a picture</p>");
}

#[test]
fn tags_of_reports_stay_and_others_are_text() {
    let html = Prose::default()
        .html("<details>\n<summary>More & more</summary>\n\n*in* <b>it</b><br>here\n\n</details>");
    let expected = "<details><summary>More &amp; more</summary><p><em>in</em> &lt;b&gt;it&lt;/b&gt;<br>here</p>\n\
                    </details>";
    assert_eq!(
        html.trim().replace(">\n<", "><"),
        expected.replace(">\n<", "><")
    );
}

#[test]
fn plain_text_has_no_marks() {
    assert_eq!(
        plain("a `code` and **bold** <b> text"),
        "a code and bold <b> text"
    );
}

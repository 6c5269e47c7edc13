//! What a page holds, and in which order.

use super::*;
use crate::report::html::figure::Looks;
use crate::report::html::index_html;
use crate::report::html::prose::Prose;
use std::collections::HashSet;

#[test]
fn answer_comes_before_everything_else() {
    let page = demo();
    let order = [
        "<h1>Is the bias needed?</h1>",
        "id=\"answer\"",
        "improvement in test accuracy",
        "id=\"differences\"",
        "id=\"arms\"",
        "id=\"contrasts\"",
        "id=\"curves\"",
        "id=\"seed-pairs\"",
        "id=\"checks\"",
        "id=\"design\"",
        "id=\"raw\"",
    ];
    let places: Vec<Option<usize>> = order.iter().map(|part| page.find(part)).collect();
    assert!(places.iter().all(Option::is_some), "{places:?}\n{page}");
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn first_sentence_has_effect_interval_pairs_and_advice() {
    let page = demo();
    let lead = between(&page, "class=\"lead\">", "</p>")[0];
    for part in [
        "B label against a label: improvement in test accuracy ",
        "\u{a0}% interval ",
        "8 pairs, margin 0.25 points",
        "<strong>",
    ] {
        assert!(lead.contains(part), "{part}: {lead}");
    }
}

#[test]
fn first_table_has_tie_groups_and_detectable_differences() {
    let page = demo();
    let table = between(&page, "<table>", "</table>")[0];
    assert!(
        table.contains(">tie group<") && table.contains(">detectable (points)<"),
        "{table}"
    );
    assert_eq!(table.matches("<td class=\"letters\">").count(), 3);
}

#[test]
fn page_needs_nothing_from_outside() {
    let page = demo();
    for outside in [
        " src=", "url(", "@import", "<link", "http:", "https:", "fetch(", "XMLHttp",
    ] {
        let found = page.matches(outside).count();
        // The namespace of SVG is a name, not an address.
        let names = page.matches("http://www.w3.org/2000/svg").count();
        let allowed = if outside == "http:" { names } else { 0 };
        assert_eq!(found, allowed, "{outside}");
    }
}

#[test]
fn every_place_has_one_name_and_every_link_a_place() {
    let page = demo();
    let ids = between(&page, " id=\"", "\"");
    let unique: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "{ids:?}");
    for target in between(&page, "href=\"#", "\"") {
        assert!(unique.contains(target), "{target}");
    }
    for names in between(&page, "aria-labelledby=\"", "\"") {
        assert!(unique.contains(names), "{names}");
    }
}

#[test]
fn page_holds_its_scores_as_csv() {
    let spec = fixture::spec(3, 8, 5);
    let page = page(&spec, &fixture::records(&spec));
    let [address] = between(&page, "href=\"data:text/csv;charset=utf-8,", "\"")[..] else {
        panic!("{page}");
    };
    let csv = address.replace("%0A", "\n");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + 3 * 8);
    assert!(lines[0].starts_with("arm,seed,learning_rate,chosen,outcome,epoch,train_loss,"));
    assert!(lines[1].starts_with("a,0,0.01,yes,done,5,"), "{}", lines[1]);
    let columns = |line: &&str| line.split(',').count();
    assert!(lines.iter().all(|line| columns(line) == 13));
}

#[test]
fn tables_name_their_rows_and_columns() {
    let html = Prose::default().html("| arm | score |\n| --- | ---: |\n| a | 1 |");
    assert!(
        html.contains(
            "<table class=\"r2\"><thead><tr><th scope=\"col\">arm</th><th scope=\"col\">score</th>"
        ),
        "{html}"
    );
    assert!(html.contains("<th>a</th><td>1</td>"), "{html}");
}

#[test]
fn figure_keeps_its_texts_and_has_a_name() {
    let spec = fixture::spec(3, 8, 5);
    let derived = derive(
        &spec,
        &fixture::records(&spec),
        None,
        None,
        Vec::new(),
        &Default::default(),
    )
    .unwrap();
    for (kind, svg) in &derived.figures {
        let mut looks = Looks::default();
        let drawn = looks.inline(svg, "here", "What it shows");
        let texts = |svg: &str| -> Vec<String> {
            let texts = svg.split("<text ").skip(1);
            let text = |part: &str| part.split(['>', '<']).nth(1).map(|t| t.trim().to_owned());
            texts.filter_map(text).collect()
        };
        assert_eq!(texts(svg), texts(&drawn), "{}", kind.file);
        assert!(drawn.contains("<title id=\"here-t\">"), "{drawn}");
        assert!(
            drawn.contains("<desc id=\"here-d\">What it shows</desc>"),
            "{drawn}"
        );
        assert!(
            3 * drawn.len() < 2 * svg.len(),
            "{} of {}",
            drawn.len(),
            svg.len()
        );
        let css = looks.css();
        assert!(
            css.contains("var(--ink)") && !css.contains("#222222"),
            "{css}"
        );
    }
}

#[test]
fn long_lines_keep_their_points() {
    let svg = "<svg viewBox=\"0 0 9 9\">\n<title>\nt</title><rect x=\"0\"/>\
               <polyline points=\"1,2 3,1 7,9 6,9 \"/><polygon points=\"1,2 3,1 7,9 6,9 \"/></svg>";
    let drawn = Looks::default().inline(svg, "x", "");
    assert!(drawn.contains(" d=\"M1,2l2-1 4,8-1,0\"/>"), "{drawn}");
    assert!(drawn.contains(" d=\"M1,2l2-1 4,8-1,0z\"/>"), "{drawn}");
}

#[test]
fn points_on_a_straight_line_are_left_out() {
    let svg = "<svg viewBox=\"0 0 9 9\"><title>t</title><rect x=\"0\"/>\
               <polyline points=\"0,0 1,1 2,2 4,0 8,0 2,0 \"/></svg>";
    let drawn = Looks::default().inline(svg, "x", "");
    assert!(drawn.contains(" d=\"M0,0l2,2 2-2 4,0-6,0\"/>"), "{drawn}");
}

#[test]
fn like_lines_and_like_texts_share_an_element() {
    let svg = "<svg viewBox=\"0 0 9 9\"><title>t</title><rect x=\"0\"/>\
               <polyline stroke=\"#222222\" points=\"1,2 8,2 \"/><text fill=\"#222222\" x=\"1\">a</text>\
               <polyline stroke=\"#222222\" points=\"1,4 1,8 \"/><text fill=\"#222222\" x=\"2\">b</text>\
               <circle cx=\"3\" cy=\"4\" r=\"2\" fill=\"#222222\" stroke=\"none\"/>\
               <circle cx=\"5\" cy=\"6\" r=\"2\" fill=\"#222222\" stroke=\"none\"/></svg>";
    let mut looks = Looks::default();
    let drawn = looks.inline(svg, "x", "");
    let expected = "<path class=\"f0\" d=\"M1,2H8M1,4V8\"/>\
                    <g class=\"f1\"><text x=\"1\">a</text><text x=\"2\">b</text></g>\
                    <path class=\"f2\" d=\"M3,4h0M5,6h0\"/></svg>";
    assert!(drawn.ends_with(expected), "{drawn}");
    assert!(
        looks
            .css()
            .contains(".f2{stroke:var(--ink);stroke-width:4;stroke-linecap:round;}")
    );
}

#[test]
fn index_lists_claims_and_experiments() {
    let claim = fixture::claim("C6", &[]);
    let all = [summary()];
    let page = index_html(&[(&claim, None)], &all, &all).unwrap();
    for part in [
        "<a href=\"claims&#x2f;C6.html\"><strong>C6</strong></a> A short sentence",
        "<a href=\"demo&#x2f;report.html\">demo</a>",
        "id=\"search\"",
        "Does a bias before batch norm change anything?",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn verdicts_have_a_sign_and_words_beside_the_color() {
    let page = demo();
    for badge in between(&page, "<span class=\"badge ", "</p>") {
        assert!(
            badge.contains("class=\"sign\" aria-hidden=\"true\">"),
            "{badge}"
        );
        assert!(
            badge.contains("upported")
                || badge.contains("ndecided")
                || badge.contains("ontradicted"),
            "{badge}"
        );
    }
}

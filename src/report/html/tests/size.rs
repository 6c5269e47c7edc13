//! Sizes of pages.

use super::*;

/// Largest page without the raw scores that it holds, in bytes.
const MOST: usize = 300 * 1024;

/// Size of `page` without its raw scores.
fn size(page: &str) -> usize {
    let raw: usize = between(page, "href=\"data:", "\"")
        .into_iter()
        .map(str::len)
        .sum();
    page.len() - raw
}

#[test]
fn page_of_200_cells_and_200_epochs_is_small() {
    let spec = fixture::spec(10, 20, 200);
    let page = page(&spec, &fixture::records(&spec));
    assert!(page.matches("data-series=").count() >= 30);
    assert!(size(&page) < MOST, "{}", size(&page));
}

#[test]
fn small_page_is_smaller_than_100_kilobytes() {
    let page = demo();
    assert!(page.len() < 100 * 1024, "{}", page.len());
}

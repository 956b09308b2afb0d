//! Replacing the measured part of a page that people write.

use std::fs;
use std::path::Path;

use crate::Error;

/// Puts `text` between the markers `<!-- NAME: begin -->` and `<!-- NAME: end -->` of a page.
///
/// # Errors
/// [`Error::NoMarkers`], and [`Error::File`].
pub(super) fn refresh(path: &Path, name: &str, text: &str) -> Result<(), Error> {
    let page = fs::read_to_string(path).map_err(Error::file("read", path))?;
    let no_markers = || Error::NoMarkers { path: path.to_owned(), name: name.to_owned() };
    let page = replaced(&page, name, text).ok_or_else(no_markers)?;
    fs::write(path, page).map_err(Error::file("write", path))
}

/// The page with another text between its markers; nothing if one of them is missing.
fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "top\n<!-- a: begin -->\nold\n<!-- a: end -->\nmiddle\n<!-- b: begin -->\n<!-- b: end -->\n";

    #[test]
    fn only_the_named_part_changes_and_a_second_time_nothing() {
        let once = replaced(PAGE, "a", "new\n").unwrap();
        assert_eq!(
            once,
            "top\n<!-- a: begin -->\n\nnew\n\n<!-- a: end -->\nmiddle\n<!-- b: begin -->\n<!-- b: end -->\n"
        );
        assert_eq!(replaced(&once, "a", "new").unwrap(), once);
    }

    #[test]
    fn a_page_without_both_markers_in_order_is_not_touched() {
        assert_eq!(replaced(PAGE, "c", "new"), None);
        assert_eq!(replaced("<!-- a: end -->\n<!-- a: begin -->\n", "a", "new"), None);
    }
}

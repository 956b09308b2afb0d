//! Where a list goes on: the header `Link` (RFC 8288, section 3).

use reqwest::header::{HeaderMap, LINK};

/// The address of the next page, as it is written; none where this page is the last.
pub(super) fn next_page(headers: &HeaderMap) -> Option<&str> {
    headers.get_all(LINK).iter().find_map(|value| next_in(value.to_str().ok()?))
}

/// The address in a header that may have several, `<ADDRESS>; rel="next", <ADDRESS>; rel="last"`.
fn next_in(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (address, after) =
            rest.trim_start_matches([' ', '\t', ',']).strip_prefix('<')?.split_once('>')?;
        let end = end_of_link(after);
        if parameters(&after[..end]).any(is_next) {
            return Some(address);
        }
        rest = &after[end..];
    }
}

/// Where the parameters of a link end: at a comma that is in no quotes.
fn end_of_link(text: &str) -> usize {
    let mut quoted = false;
    let end = text.find(|letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    });
    end.unwrap_or(text.len())
}

fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(';').filter_map(|parameter| parameter.split_once('='))
}

/// A link may have several relations, and their names have no case (section 3.3).
fn is_next((name, value): (&str, &str)) -> bool {
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_next_page_is_found_and_nothing_else() {
        for (header, next) in [
            (r#"</v2/x?n=2>; rel="next""#, Some("/v2/x?n=2")),
            ("<a>;rel=next", Some("a")),
            (r#"<a>; REL = "first NEXT""#, Some("a")),
            (r#"<a>; rel="prev", <b,c>; title="x, y"; rel="next""#, Some("b,c")),
            (r#"<a>; rel="last""#, None),
            (r#"<a>; rel="nextish""#, None),
            (r#"<a>; title="rel=next""#, None),
            ("a; rel=next", None),
            ("<a", None),
            ("<a>", None),
            ("", None),
        ] {
            assert_eq!(next_in(header), next, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_passed_over(header in "[<>a;=,\" a-zé]{0,40}") {
            let _ = next_in(&header);
        }
    }
}

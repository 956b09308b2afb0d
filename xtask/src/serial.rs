//! Reading what a machine said on its serial console.

/// The lines between the first line that ends with `begin` and the next one that ends with `end`.
///
/// A console is not only the program's: the terminal adds carriage returns, the firmware escape sequences before its
/// text, and the kernel whole lines of its own, which are left out. A marker may stand behind something that another
/// writer left on its line. Nothing if a marker is missing.
pub fn between(console: &str, begin: &str, end: &str) -> Option<String> {
    let mut lines = console.lines().map(str::trim_end);
    lines.find(|line| line.ends_with(begin))?;
    let mut text = String::new();
    for line in lines {
        if line.ends_with(end) {
            return Some(text);
        }
        if !is_of_kernel(line) {
            text.push_str(line);
            text.push('\n');
        }
    }
    None
}

/// Does the line begin with the kernel's time stamp, `[    1.234567]`? (`print_time` in kernel/printk/printk.c:
/// seconds in at least five places, six decimals.)
fn is_of_kernel(line: &str) -> bool {
    let stamp = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let figures = stamp.and_then(|(stamp, _)| stamp.trim_start().split_once('.'));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    figures.is_some_and(|(whole, part)| {
        !whole.is_empty() && all_digits(whole) && part.len() == 6 && all_digits(part)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(console: &str) -> Option<String> {
        between(console, "== BEGIN ==", "== END ==")
    }

    #[test]
    fn carriage_returns_and_kernel_lines_are_no_part_of_the_text() {
        let console = "\x1b[2J\x1b[01;01Hfirmware\r\n== BEGIN ==\r\n{\r\n[    4.512345] loop0: detected\r\n\
            \x20 \"a\": [1.5]\r\n[   10.000001][    T1] two stamps\r\n}\r\n== END ==\r\n{}\r\n";
        assert_eq!(status(console).as_deref(), Some("{\n  \"a\": [1.5]\n}\n"));
    }

    #[test]
    fn a_marker_may_follow_the_rest_of_another_line() {
        assert_eq!(status("\x1b[0m== BEGIN ==\n{}\n== END ==").as_deref(), Some("{}\n"));
    }

    #[test]
    fn json_is_never_taken_for_the_kernel() {
        for line in
            ["[1.5]", "[", "[]", "[1.123456", "[.123456]", "[1.1234567]", "[\"1.123456\"]", "[-1.123456]"]
        {
            assert!(!is_of_kernel(line), "{line}");
        }
        assert!(is_of_kernel("[12345.123456] x"));
    }

    #[test]
    fn a_missing_marker_is_nothing() {
        assert_eq!(status("== BEGIN ==\n{"), None);
        assert_eq!(status("{\n== END ==\n"), None);
        assert_eq!(status("== END ==\n== BEGIN ==\n"), None);
    }

    proptest! {
        #[test]
        fn no_console_makes_the_reader_panic(console in "(== BEGIN ==|== END ==|[\\n\\r\\[\\]. 0-9]|\\PC){0,80}") {
            status(&console);
        }
    }
}

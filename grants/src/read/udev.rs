//! Rules of udev: what they run, what they start, and what they set.

use spec::{GrantKind, TreePath};

use super::kernel::setting;
use crate::text::{self, CommentsInside, Joined, joined};
use crate::{At, Needs};

/// udev(7), and systemd's `udev-rules.c` for the syntax: keys with an operator and a value in quotes, separated by commas.
/// A file with rules needs `udev-rules` once; what they run needs a grant by its name.
pub(super) fn rules(path: &TreePath, text: &str, needs: &mut Needs) {
    let mut first = true;
    for line in joined(text, CommentsInside::Skipped) {
        let mut scan = Scan { line: &line, place: 0 };
        while let Some(token) = scan.token() {
            let token = match token {
                Ok(token) => token,
                Err((at, what)) => {
                    needs.refuse(
                        path,
                        Some(at),
                        what,
                        "write KEY==\"VALUE\", KEY=\"VALUE\", … as udev(7) says",
                    );
                    break;
                }
            };
            if std::mem::take(&mut first) {
                needs.add(path, Some(token.at), GrantKind::UdevRules, "");
            }
            judge(path, &token, needs);
        }
    }
}

/// One `KEY{ATTRIBUTE} OPERATOR "VALUE"`.
struct Token {
    key: String,
    attribute: String,
    /// `==` or `!=`: it asks, and does nothing. Programs run all the same.
    compares: bool,
    value: String,
    at: At,
}

fn judge(path: &TreePath, token: &Token, needs: &mut Needs) {
    let Token { key, attribute, compares, value, at } = token;
    let at = Some(*at);
    let run = |needs: &mut Needs| match program(value) {
        Some("") => {}
        Some(program) => needs.add(path, at, GrantKind::UdevRun, program),
        None => needs.refuse(
            path,
            at,
            "runs a program whose name has quotes or escapes inside",
            "write it plainly",
        ),
    };
    match (key.as_str(), attribute.as_str()) {
        // What a file says becomes properties, which can start units and load modules.
        ("PROGRAM", _) | ("RUN", _) | ("IMPORT", "program" | "file") => run(needs),
        // Of the built-in commands only this one acts outside of udev's database.
        ("IMPORT", "builtin") if program(value) == Some("kmod") => run(needs),
        ("ATTR", place) if !compares && (place.contains("..") || place.starts_with(['/', '['])) => {
            needs.refuse(
                path,
                at,
                "sets an attribute of something else than its device",
                "name one of the device",
            );
        }
        ("ENV", "SYSTEMD_WANTS" | "SYSTEMD_USER_WANTS") if !compares => {
            for unit in value.split_ascii_whitespace() {
                needs.add(path, at, GrantKind::Units, unit);
            }
        }
        // What it is set to is what the next rule has loaded (rules.d/80-drivers.rules of systemd).
        ("ENV", "MODALIAS") if !compares => needs.add(path, at, GrantKind::UdevRun, "kmod"),
        ("SYSCTL", key) if !compares => setting(path, at, key, needs),
        (key, _) if KEYS.contains(&key) => {}
        (key, _) => {
            let what = format!("has the key {:?}, which udev does not know", text::excerpt(key));
            needs.refuse(path, at, what, "take it out");
        }
    }
}

/// All other keys of rules (udev(7)).
const KEYS: [&str; 26] = [
    "ACTION",
    "DEVPATH",
    "KERNEL",
    "KERNELS",
    "NAME",
    "SYMLINK",
    "SUBSYSTEM",
    "SUBSYSTEMS",
    "DRIVER",
    "DRIVERS",
    "ATTR",
    "ATTRS",
    "SYSCTL",
    "ENV",
    "TAG",
    "TAGS",
    "TEST",
    "CONST",
    "RESULT",
    "IMPORT",
    "OWNER",
    "GROUP",
    "MODE",
    "SECLABEL",
    "LABEL",
    "GOTO",
];

/// The first word of a command, which may be in single quotes.
fn program(command: &str) -> Option<&str> {
    let command = command.trim_start();
    let word = match command.strip_prefix('\'') {
        Some(quoted) => {
            let (inside, behind) = quoted.split_once('\'')?;
            (behind.is_empty() || behind.starts_with(' ')).then_some(inside)?
        }
        None => command.split_ascii_whitespace().next().unwrap_or_default(),
    };
    (!word.contains(['\'', '"', '\\'])).then_some(word)
}

struct Scan<'l> {
    line: &'l Joined,
    place: usize,
}

impl Scan<'_> {
    fn rest(&self) -> &str {
        self.line.text.get(self.place..).unwrap_or_default()
    }

    fn skip(&mut self, is: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.place += rest.len() - rest.trim_start_matches(is).len();
    }

    fn token(&mut self) -> Option<Result<Token, (At, String)>> {
        self.skip(|c| c.is_whitespace() || c == ',');
        let at = self.line.at(self.place);
        match self.rest().is_empty() {
            true => None,
            false => Some(self.read(at).map_err(|what| (at, what))),
        }
    }

    fn read(&mut self, at: At) -> Result<Token, String> {
        let key = self.word(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit());
        let attribute = self.attribute()?;
        self.skip(char::is_whitespace);
        let operator = self.operator()?;
        self.skip(char::is_whitespace);
        let value = self.value()?;
        match key.is_empty() {
            true => Err("has a token without a key".to_owned()),
            false => Ok(Token { key, attribute, compares: matches!(operator, "==" | "!="), value, at }),
        }
    }

    fn word(&mut self, is: impl Fn(char) -> bool) -> String {
        let start = self.place;
        self.skip(is);
        self.line.text.get(start..self.place).unwrap_or_default().to_owned()
    }

    fn attribute(&mut self) -> Result<String, String> {
        let Some(rest) = self.rest().strip_prefix('{') else { return Ok(String::new()) };
        let Some((attribute, _)) = rest.split_once('}') else {
            return Err("has an attribute without an end".to_owned());
        };
        let attribute = attribute.to_owned();
        self.place += attribute.len() + 2;
        Ok(attribute)
    }

    fn operator(&mut self) -> Result<&'static str, String> {
        let rest = self.rest();
        let found =
            ["==", "!=", "+=", "-=", ":=", "="].into_iter().find(|operator| rest.starts_with(operator));
        let operator = found.ok_or_else(|| "has a key without an operator".to_owned())?;
        self.place += operator.len();
        Ok(operator)
    }

    /// The text between quotes. In `e"…"` escapes are those of C; in all others only `\"` means something.
    fn value(&mut self) -> Result<String, String> {
        let flags = self.word(|c| matches!(c, 'e' | 'i'));
        let Some(rest) = self.rest().strip_prefix('"') else {
            return Err("has a value without quotes".to_owned());
        };
        let mut value = String::new();
        let mut escaped = false;
        let mut length = 1;
        for c in rest.chars() {
            length += c.len_utf8();
            match (escaped, c) {
                (false, '"') => {
                    self.place += length;
                    // What a C escape stands for could be anything: it is not looked for in names of programs.
                    return match flags.contains('e') && value.contains('\\') {
                        true => Err("has a value with C escapes".to_owned()),
                        false => Ok(value),
                    };
                }
                (false, '\\') => escaped = true,
                (true, '"') => {
                    value.push('"');
                    escaped = false;
                }
                (true, other) => {
                    value.push('\\');
                    value.push(other);
                    escaped = false;
                }
                (false, other) => value.push(other),
            }
        }
        Err("has a value without an end".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{grants, refused};

    const FILE: &str = "/usr/lib/udev/rules.d/70-x.rules";

    #[test]
    fn what_rules_run_is_named() {
        let text = r#"# remark
KERNEL=="nvidia*", MODE="0660", GROUP="video"
ACTION=="add", KERNEL=="x", RUN+="/usr/bin/nvidia-smi -L", \
    RUN{builtin}="kmod load nvidia"
PROGRAM=="'/opt/a b/c' d", RESULT=="1"
IMPORT{program}="ata_id --export $devnode", IMPORT{builtin}="usb_id", IMPORT{builtin}="kmod load x"
"#;
        grants(
            FILE,
            &text.replace("/opt/a b/c", "/opt/c"),
            &[
                "2:1 udev-rules",
                "3:29 udev-run:/usr/bin/nvidia-smi",
                "4:5 udev-run:kmod",
                "5:1 udev-run:/opt/c",
                "6:1 udev-run:ata_id",
                "6:71 udev-run:kmod",
            ],
        );
        refused(FILE, text, "which no grant can name");
    }

    #[test]
    fn what_rules_start_and_set_is_named() {
        let text =
            r#"ENV{SYSTEMD_WANTS}+="a.service b.service", SYSCTL{net/core/x}="1", ENV{SYSTEMD_WANTS}=="x""#;
        grants(
            FILE,
            text,
            &["1:1 udev-rules", "1:1 units:a.service", "1:1 units:b.service", "1:44 sysctl:net.core.x"],
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, wanted) in [
            ("RUN+=\"'/usr/bin'/sh -c x\"", "quotes or escapes inside"),
            ("ATTR{../../x}=\"y\"", "something else than its device"),
            ("ATTR{[module/kvm]x}=\"y\"", "something else than its device"),
            ("\u{a0}# x", "is none"),
            ("KERNEL", "1:1 has a key without an operator"),
            ("KERNEL==x", "has a value without quotes"),
            ("KERNEL==\"x", "has a value without an end"),
            ("ATTR{x==\"y\"", "has an attribute without an end"),
            ("==\"x\"", "has a token without a key"),
            ("EXEC=\"x\"", "has the key \"EXEC\", which udev does not know"),
            ("RUN+=e\"\\x2fbin/sh\"", "has a value with C escapes"),
            ("kernel==\"x\"", "has a key without an operator"),
        ] {
            refused(FILE, text, wanted);
        }
    }

    #[test]
    fn quotes_inside_are_read_and_comments_hide_nothing() {
        grants(FILE, "KERNEL==\"a\\\"b\", MODE=\"0600\"\n", &["1:1 udev-rules"]);
        refused(FILE, "KERNEL==\"a\" # RUN+=\"x\"\n", "has a key without an operator");
        let around = "KERNEL==\"a\", \\\n  # \\\n  RUN+=\"/bin/y\"\n";
        grants(FILE, around, &["1:1 udev-rules", "3:3 udev-run:/bin/y"]);
        grants(FILE, "# RUN+=\"x\" \\\nRUN+=\"/bin/y\"\n", &["2:1 udev-rules", "2:1 udev-run:/bin/y"]);
    }
}

//! Settings of the kernel, as files of sysctl.d say them: read with the same code by who judges and by who applies.

use std::fmt;
use std::str::FromStr;

use crate::At;
use crate::text::{Line, lines};

/// The key of a setting: one or more names below `/proc/sys`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SettingKey(String);

/// The text leads to no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no key of a setting")]
pub struct NoSettingKey;

/// What a line of such a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<'t> {
    /// Its key, which may be a pattern or worse.
    pub key: &'t str,
    /// Its value; none where a line only takes the key away from patterns of other files.
    pub value: Option<&'t str>,
    /// It does not matter whether it can be set.
    pub may_fail: bool,
    /// Where the line begins.
    pub at: At,
}

/// The lines of a file (sysctl.d(5)): `KEY = VALUE`, `-KEY = VALUE` where a failure does not matter, and `-KEY`. A line
/// that is none of them is a line whose value is missing and must not be.
pub fn settings(text: &str) -> impl Iterator<Item = Setting<'_>> {
    lines(text, &['#', ';']).map(|line| setting(&line))
}

fn setting<'t>(line: &Line<'t>) -> Setting<'t> {
    let (key, value) = match line.text.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => (line.text.trim(), None),
    };
    let (key, may_fail) = key.strip_prefix('-').map_or((key, false), |key| (key.trim(), true));
    Setting { key, value, may_fail, at: line.start() }
}

impl SettingKey {
    /// Its path below `/proc/sys`.
    pub fn path(&self) -> String {
        self.0.chars().map(swapped).collect()
    }
}

impl FromStr for SettingKey {
    type Err = NoSettingKey;

    /// Reads a key with dots between its names or, where its first separator is a slash, with slashes (sysctl.d(5)).
    fn from_str(text: &str) -> Result<SettingKey, NoSettingKey> {
        let dotted: String = match text.find(['.', '/']).map(|place| text.as_bytes()[place]) {
            Some(b'/') => text.chars().map(swapped).collect(),
            _ => text.to_owned(),
        };
        let key = SettingKey(dotted);
        // `/proc/sys/..` has much that is no setting: sysrq-trigger, for one.
        let is_name = |name: &str| !matches!(name, "" | "." | "..");
        match key.path().split('/').all(is_name) {
            true => Ok(key),
            false => Err(NoSettingKey),
        }
    }
}

impl fmt::Display for SettingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A dot in a name of a directory is written as a slash where dots separate, and the other way round.
fn swapped(c: char) -> char {
    match c {
        '/' => '.',
        '.' => '/',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_form_and_leads_below_proc_sys() {
        for (text, key, path) in [
            ("kernel.sysrq", "kernel.sysrq", "kernel/sysrq"),
            ("kernel/sysrq", "kernel.sysrq", "kernel/sysrq"),
            (
                "net.ipv4.conf.eth0/1.forwarding",
                "net.ipv4.conf.eth0/1.forwarding",
                "net/ipv4/conf/eth0.1/forwarding",
            ),
            (
                "net/ipv4/conf/eth0.1/forwarding",
                "net.ipv4.conf.eth0/1.forwarding",
                "net/ipv4/conf/eth0.1/forwarding",
            ),
        ] {
            let parsed: SettingKey = text.parse().unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.path().as_str()), (key, path));
        }
        for text in
            ["", ".", "kernel.", ".kernel", "kernel..x", "kernel.//.x", "../x", "kernel/../../sysrq-trigger"]
        {
            assert_eq!(text.parse::<SettingKey>(), Err(NoSettingKey), "{text}");
        }
    }

    #[test]
    fn lines_say_a_key_and_mostly_a_value() {
        let said: Vec<_> = settings("# no\nkernel.sysrq = 1 \n-a.b=x=y\n - c.d\nbad\n")
            .map(|setting| (setting.key, setting.value, setting.may_fail, setting.at.line))
            .collect();
        let expected = [
            ("kernel.sysrq", Some("1"), false, 2),
            ("a.b", Some("x=y"), true, 3),
            ("c.d", None, true, 4),
            ("bad", None, false, 5),
        ];
        assert_eq!(said, expected);
    }
}

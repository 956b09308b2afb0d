//! Files and users that systemd makes.

use spec::{GrantKind, TreePath};

use crate::text::{Line, lines};
use crate::{At, Needs};

/// tmpfiles.d(5): `TYPE PATH MODE USER GROUP AGE ARGUMENT`. What is done to a path is not told apart: a line that makes a
/// link or removes a tree needs the same grant as one that makes a directory.
pub(super) fn tmpfiles(path: &TreePath, text: &str, needs: &mut Needs) {
    for line in lines(text, &['#']) {
        match second_word(&line) {
            Some((subject, at)) if subject.contains(['\\', '"', '\'']) => {
                needs.refuse(path, Some(at), "has a path with escapes or quotes inside", "write it plainly");
            }
            Some((subject, at)) => needs.add(path, Some(at), GrantKind::Tmpfiles, &subject),
            None => needs.refuse(path, Some(line.start()), "has a line without a path", "write TYPE PATH …"),
        }
    }
}

/// systemd.preset(5): `enable UNIT`, `disable UNIT`, `ignore UNIT`.
pub(super) fn presets(path: &TreePath, text: &str, needs: &mut Needs) {
    for line in lines(text, &['#', ';']) {
        match line.words().nth(1) {
            Some(unit) => needs.add(path, Some(unit.at), GrantKind::Units, unit.text),
            None => needs.refuse(path, Some(line.start()), "has a line without a unit", "write enable UNIT"),
        }
    }
}

/// sysusers.d(5): `TYPE NAME ID …`; a member has a user and a group.
pub(super) fn sysusers(path: &TreePath, text: &str, needs: &mut Needs) {
    for line in lines(text, &['#']) {
        let words: Vec<_> = line.words().collect();
        if words.iter().take(3).any(|word| word.text.contains(['\\', '"', '\''])) {
            needs.refuse(path, Some(line.start()), "has quotes or escapes around a name", "write it plainly");
            continue;
        }
        let names = match words.as_slice() {
            [kind, user, group, ..] if kind.text.starts_with('m') => vec![user, group],
            [_, name, ..] => vec![name],
            _ => {
                needs.refuse(path, Some(line.start()), "has a line without a name", "write TYPE NAME …");
                continue;
            }
        };
        for name in names {
            needs.add(path, Some(name.at), GrantKind::Sysusers, name.text);
        }
    }
}

/// The second word of a line, which may be in quotes. What is quoted and has blanks in it stays whole.
fn second_word(line: &Line<'_>) -> Option<(String, At)> {
    let word = line.words().nth(1)?;
    let start = word.text.as_ptr() as usize - line.text.as_ptr() as usize;
    let rest = line.text.get(start..)?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let subject = match quote {
        Some(quote) => match rest[1..].split_once(quote) {
            // What follows a quote belongs to the word: it stays with its quotes, and is refused.
            Some((inside, behind)) if behind.is_empty() || behind.starts_with([' ', '\t']) => inside,
            _ => word.text,
        },
        None => word.text,
    };
    Some((subject.to_owned(), word.at))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{grants, refused};

    #[test]
    fn paths_of_tmpfiles_are_named() {
        let text = "# x\nd /run/acme 0755 root root -\n  L+ \"/var/lib/acme\" - - - - /etc/shadow\n";
        grants("/usr/lib/tmpfiles.d/x.conf", text, &["2:3 tmpfiles:/run/acme", "3:6 tmpfiles:/var/lib/acme"]);
        refused("/usr/lib/tmpfiles.d/x.conf", "R /tmp/acme-*", "which no grant can name");
        refused("/usr/lib/tmpfiles.d/x.conf", "d '/run/a b'", "which no grant can name");
        refused("/usr/lib/tmpfiles.d/x.conf", "d /r\\x75n/x", "escapes");
        refused("/usr/lib/tmpfiles.d/x.conf", "f \"/e\"tc/ld.so.preload", "quotes inside");
        refused("/usr/lib/tmpfiles.d/x.conf", "d", "1:1 has a line without a path");
    }

    #[test]
    fn units_of_presets_are_named() {
        let file = "/usr/lib/systemd/system-preset/10-x.preset";
        grants(
            file,
            "# x\nenable acme.service\n disable sshd.service\n",
            &["2:8 units:acme.service", "3:10 units:sshd.service"],
        );
        refused(file, "enable *", "which no grant can name");
        refused(file, "enable", "1:1 has a line without a unit");
    }

    #[test]
    fn users_and_groups_are_named() {
        let text = "u acme - \"Acme daemon\"\nm acme kvm\ng render -\n";
        let wanted = ["1:3 sysusers:acme", "2:3 sysusers:acme", "2:8 sysusers:kvm", "3:3 sysusers:render"];
        grants("/usr/lib/sysusers.d/x.conf", text, &wanted);
        refused("/usr/lib/sysusers.d/x.conf", "u", "without a name");
        refused("/usr/lib/sysusers.d/x.conf", "\"m\" acme docker", "quotes or escapes");
    }
}

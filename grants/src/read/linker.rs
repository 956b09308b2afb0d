//! Where the dynamic linker looks for libraries.

use spec::{GrantKind, TreePath};

use crate::Needs;
use crate::text::lines;

/// ldconfig(8): directories, separated by blanks, commas and colons. glibc's `elf/ldconfig.c`, `parse_conf`, has the rest:
/// `#` anywhere begins a comment, `include` reads other files, and `hwcap` is passed over.
pub(super) fn directories(path: &TreePath, text: &str, needs: &mut Needs) {
    for line in lines(text, &['#']) {
        let said = line.text.split('#').next().unwrap_or_default();
        let mut words = said.split([' ', '\t', ',', ':']).filter(|word| !word.is_empty()).peekable();
        match words.peek() {
            Some(&"include") => {
                let hint = "name the directories here";
                needs.refuse(path, Some(line.start()), "includes other files, whatever they say", hint);
            }
            Some(&"hwcap") => {}
            _ => {
                for directory in words {
                    needs.add(path, Some(line.at(directory)), GrantKind::LdPath, directory);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{grants, refused};

    #[test]
    fn directories_are_named() {
        let text = "# x\n/opt/acme/lib # ours\n/usr/lib/a:/usr/lib/b\n";
        let wanted = ["2:1 ld-path:/opt/acme/lib", "3:1 ld-path:/usr/lib/a", "3:12 ld-path:/usr/lib/b"];
        grants("/usr/lib/ld.so.conf.d/x.conf", text, &wanted);
        refused("/usr/etc/ld.so.conf", "include /opt/*.conf", "1:1 includes other files");
    }
}

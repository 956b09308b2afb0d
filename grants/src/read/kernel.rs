//! What is said to the kernel: modules, settings, interpreters.

use spec::{GrantKind, TreePath};

use crate::setting::{NoSettingKey, Setting, SettingKey, settings};
use crate::text::{self, CommentsInside, Word, joined, lines};
use crate::{At, Needs};

/// modprobe.d(5), and kmod's `libkmod-config.c`, for the commands.
pub(super) fn modprobe(path: &TreePath, text: &str, needs: &mut Needs) {
    // To kmod a backslash hides whatever is behind it, the end of a line among others (libkmod-config.c).
    for (index, line) in text.lines().enumerate() {
        if line.strip_suffix('\\').unwrap_or(line).contains('\\') {
            let at = Some(At { line: index + 1, column: 1 });
            return needs.refuse(path, at, "has a backslash that continues no line", "take it out");
        }
    }
    for line in joined(text, CommentsInside::Joined) {
        let words = line.words();
        let Some((command, rest)) = words.split_first() else { continue };
        let (kind, module) = match command.text {
            "options" | "blacklist" | "softdep" | "weakdep" => (GrantKind::ModprobeOptions, rest.first()),
            // The name comes first, and may be a pattern; what it stands for is the module.
            "alias" => (GrantKind::ModprobeOptions, rest.get(1)),
            "install" | "remove" => (GrantKind::ModprobeInstall, rest.first()),
            _ => {
                unknown(path, command, "modprobe", needs);
                continue;
            }
        };
        match module {
            Some(module) => needs.add(path, Some(command.at), kind, module.text),
            None => {
                needs.refuse(path, Some(command.at), "names no module", "complete the line, or take it out")
            }
        }
    }
}

/// modules-load.d(5): a module a line.
pub(super) fn modules_load(path: &TreePath, text: &str, needs: &mut Needs) {
    for line in lines(text, &['#', ';']) {
        needs.add(path, Some(line.start()), GrantKind::ModulesLoad, line.text.trim());
    }
}

/// sysctl.d(5): see [`settings`]. `-KEY` alone takes a key away from the patterns of other files, and so it decides about
/// that key too.
pub(super) fn sysctl(path: &TreePath, text: &str, needs: &mut Needs) {
    for Setting { key, value, may_fail, at } in settings(text) {
        match value.is_none() && !may_fail {
            true => {
                let what = "has a line that sets nothing";
                needs.refuse(path, Some(at), what, "write KEY = VALUE, or take it out");
            }
            false => setting(path, Some(at), key, needs),
        }
    }
}

/// A setting by its key.
pub(super) fn setting(path: &TreePath, at: Option<At>, key: &str, needs: &mut Needs) {
    match key.parse::<SettingKey>() {
        Ok(key) => needs.add(path, at, GrantKind::Sysctl, &key.to_string()),
        Err(NoSettingKey) => {
            let what = format!("sets {:?}, which {NoSettingKey}", text::excerpt(key));
            needs.refuse(path, at, what, "name a file below /proc/sys, with dots for slashes");
        }
    }
}

/// binfmt.d(5), and Linux's admin-guide/binfmt-misc: `:NAME:TYPE:…`, where the first character separates.
pub(super) fn binfmt(path: &TreePath, text: &str, needs: &mut Needs) {
    for line in lines(text, &['#', ';']) {
        let rule = line.text.trim_start();
        let mut rest = rule.chars();
        let separator = rest.next().unwrap_or_default();
        let fields: Vec<&str> = rest.as_str().split(separator).collect();
        match fields.as_slice() {
            [name, _, _, _, _, _, ..] => needs.add(path, Some(line.start()), GrantKind::Binfmt, name),
            _ => needs.refuse(
                path,
                Some(line.start()),
                "has a rule with too few fields",
                "write :NAME:TYPE:OFFSET:MAGIC:MASK:INTERPRETER:FLAGS",
            ),
        }
    }
}

fn unknown(path: &TreePath, word: &Word<'_>, reader: &str, needs: &mut Needs) {
    let what = format!("says {:?}, which {reader} does not know", text::excerpt(word.text));
    needs.refuse(path, Some(word.at), what, "take the line out");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{grants, refused};

    #[test]
    fn modprobe_options_and_commands_are_told_apart() {
        let text = "\
# a remark
options nvidia NVreg_DeviceFileMode=0660 \\
    NVreg_Other=1
  blacklist nouveau
alias char-major-195* nvidia
softdep nvidia pre: ecdh_generic
install evil /bin/sh -c 'id'
remove evil /bin/true
";
        grants(
            "/usr/lib/modprobe.d/x.conf",
            text,
            &[
                "2:1 modprobe-options:nvidia",
                "4:3 modprobe-options:nouveau",
                "5:1 modprobe-options:nvidia",
                "6:1 modprobe-options:nvidia",
                "7:1 modprobe-install:evil",
                "8:1 modprobe-install:evil",
            ],
        );
        refused(
            "/usr/lib/modprobe.d/x.conf",
            "include /etc/x",
            "1:1 says \"include\", which modprobe does not know",
        );
        refused("/usr/lib/modprobe.d/x.conf", "options", "1:1 names no module");
        refused("/usr/lib/modprobe.d/x.conf", "blacklist *", "which no grant can name");
    }

    #[test]
    fn nothing_hides_behind_a_backslash() {
        let file = "/usr/lib/modprobe.d/x.conf";
        refused(file, "options foo a=b\\\\\ninstall kvm /bin/sh", "1:1 has a backslash");
        refused(file, "options fo\\o a", "1:1 has a backslash");
        refused(file, "\u{a0}# \\\ninstall evil /bin/sh", "is none");
    }

    /// A comment does not go on at the next line, or what follows would be hidden.
    #[test]
    fn nothing_hides_behind_a_comment() {
        let text = "# harmless \\\ninstall evil /bin/sh";
        grants("/usr/lib/modprobe.d/x.conf", text, &["2:1 modprobe-install:evil"]);
    }

    #[test]
    fn modules_to_load_are_named() {
        grants(
            "/usr/lib/modules-load.d/x.conf",
            "; no\n\n kvm\nvhost_net ",
            &["3:2 modules-load:kvm", "4:1 modules-load:vhost_net"],
        );
        refused("/usr/lib/modules-load.d/x.conf", "two words", "which no grant can name");
    }

    #[test]
    fn settings_are_named_by_their_keys() {
        let text =
            "net.core.bpf_jit_harden = 1\n-kernel/sysrq=0\nnet/ipv4/conf/eth0.1/forwarding=1\n-net.ipv4.x\n";
        let wanted = [
            "1:1 sysctl:net.core.bpf_jit_harden",
            "2:1 sysctl:kernel.sysrq",
            "3:1 sysctl:net.ipv4.conf.eth0/1.forwarding",
            "4:1 sysctl:net.ipv4.x",
        ];
        grants("/usr/lib/sysctl.d/x.conf", text, &wanted);
        refused("/usr/lib/sysctl.d/x.conf", "net.*.forwarding=1", "which no grant can name");
        refused("/usr/lib/sysctl.d/x.conf", "-net.ipv4.*", "which no grant can name");
        refused("/usr/lib/sysctl.d/x.conf", "kernel.sysrq", "sets nothing");
        refused("/usr/lib/sysctl.d/x.conf", "kernel.//.x = 1", "1:1 sets \"kernel.//.x\", which is no key");
    }

    #[test]
    fn interpreters_are_named() {
        grants(
            "/usr/lib/binfmt.d/x.conf",
            "# x\n:qemu:M::\\x7f:\\xff:/usr/bin/qemu:F\n,wine,M,,MZ,,/x,",
            &["2:1 binfmt:qemu", "3:1 binfmt:wine"],
        );
        refused("/usr/lib/binfmt.d/x.conf", ":x:M", "too few fields");
        refused("/usr/lib/binfmt.d/x.conf", "::M::a:b:/x:", "which no grant can name");
    }
}

//! The guest: busybox, a few modules, and a script that is its `/init`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::super::inputs::Inputs;
use super::{END, Guest, LOADED};
use crate::{Error, vm};

/// Writes the archive into `dir`: the guest is to measure so many disks so often.
///
/// # Errors
/// [`Error::File`], and those of cpio.
pub(super) fn write(
    guest: &Guest,
    inputs: &Inputs,
    disks: usize,
    runs: usize,
    dir: &Path,
) -> Result<PathBuf, Error> {
    let root = dir.join("root");
    for below in ["bin", "needed", "proc", "dev", "image"] {
        let below = root.join(below);
        fs::create_dir_all(&below).map_err(Error::file("create", &below))?;
    }
    copy(&inputs.busybox(), &root.join("bin/busybox"))?;
    let modules = inputs.modules().join(inputs.release());
    for path in &guest.needed {
        copy(&modules.join(path), &root.join("needed").join(file_name(path)))?;
    }
    let in_image: Vec<String> =
        guest.measured.iter().map(|path| format!("/image/{}/{path}", inputs.release())).collect();
    let in_reverse: Vec<String> = in_image.iter().rev().cloned().collect();
    let needed: Vec<String> =
        guest.needed.iter().map(|path| format!("/needed/{}", file_name(path))).collect();
    let lines = |paths: &[String]| paths.join("\n") + "\n";
    let texts = [
        ("load", lines(&in_image)),
        // rmmod takes a path for the name in it.
        ("unload", lines(&in_reverse)),
        ("needed/order", lines(&needed)),
        ("init", script(disks, runs)),
    ];
    for (name, text) in texts {
        let path = root.join(name);
        fs::write(&path, text).map_err(Error::file("write", path))?;
    }
    let init = root.join("init");
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).map_err(Error::file("change", &init))?;

    let archive = dir.join("initramfs.cpio");
    vm::pack_initramfs(&root, &archive)?;
    Ok(archive)
}

/// `/proc/uptime` counts hundredths of a second and is read without another process.
fn script(disks: usize, runs: usize) -> String {
    let letters: Vec<String> = ('a'..='z').take(disks).map(String::from).collect();
    let (disks, runs) = (letters.join(" "), vec!["run"; runs].join(" "));
    format!(
        r#"#!/bin/busybox sh
fail() {{
    echo "{LOADED} failed: $*"
    end
}}
end() {{
    echo "{END}"
    poweroff -f
}}
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
while read module; do insmod "$module" || fail "$module"; done < /needed/order
for run in {runs}; do
    disk=0
    for letter in {disks}; do
        echo 3 > /proc/sys/vm/drop_caches
        read before idle < /proc/uptime
        mount -t squashfs -o ro /dev/vd$letter /image || fail "disk $disk"
        while read module; do insmod "$module" || fail "$module"; done < /load
        read after idle < /proc/uptime
        echo "{LOADED} $disk $before $after"
        while read module; do rmmod "$module" || fail "without $module"; done < /unload
        umount /image
        disk=$((disk + 1))
    done
done
end
"#
    )
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to).map(drop).map_err(Error::file("copy", from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_measures_every_disk_in_every_run() {
        let script = script(3, 2);
        assert!(script.contains("for letter in a b c; do"), "{script}");
        assert!(script.contains("for run in run run; do"), "{script}");
        assert!(script.ends_with("done\nend\n"), "{script}");
    }
}

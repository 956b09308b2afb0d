//! A machine for a few seconds: a Debian kernel in QEMU, an initramfs of Debian's own programs, and disks to look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Context, inputs};

/// The modules for virtio disks, dm-verity and squashfs, each after those that it depends on.
const MODULES: [&str; 11] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "dm-mod",
    "dm-bufio",
    "reed_solomon",
    "dm-verity",
    "squashfs",
];

/// Runs before the script of a test. The kernel prints nothing below an emergency, so that it does not write into
/// what the script says; its messages are in `dmesg`.
const PROLOGUE: &str = "\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/sbin
mkdir -p /proc /sys /dev /run /tmp
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
for module in /modules/*; do insmod $module; done
";

/// Emulation takes 5 seconds where nothing else runs.
const LIMIT_SECONDS: &str = "120";

/// Boots, runs `script` in a shell as root with `programs` of this system at hand, and turns the machine off. The
/// disks are `/dev/vda` and so on, and cannot be written. Returns what the script printed.
pub(crate) fn run(context: &Context, programs: &[&str], script: &str, disks: &[&Path]) -> String {
    let initramfs = initramfs(context, programs, script);
    // coreutils' timeout ends a machine that hangs.
    let mut qemu = Command::new("timeout");
    qemu.args(["--signal=KILL", LIMIT_SECONDS, "qemu-system-x86_64", "-accel", "tcg,thread=multi"]);
    qemu.args(["-machine", "q35", "-cpu", "max", "-m", "512", "-nodefaults", "-display", "none"]);
    qemu.args(["-serial", "stdio", "-no-reboot", "-append", "console=ttyS0 panic=-1 loglevel=1"]);
    qemu.arg("-kernel").arg(kernel_file("boot", |name| name.starts_with("vmlinuz-")));
    qemu.arg("-initrd").arg(initramfs);
    for disk in disks {
        qemu.args(["-drive", &format!("if=virtio,format=raw,readonly=on,file={}", disk.display())]);
    }
    let said = context.run(&mut qemu);
    assert!(said.stdout.contains("== END =="), "the machine did not come to the end of the script: {said}");
    said.stdout.replace('\r', "")
}

fn initramfs(context: &Context, programs: &[&str], script: &str) -> PathBuf {
    let busybox = inputs().join("debs/busybox-static.deb");
    context.run(Command::new("dpkg-deb").arg("--extract").arg(busybox).arg(context.dir().join("guest"))).ok();
    let init = context.write("guest/init", format!("{PROLOGUE}{script}\necho == END ==\npoweroff -f\n"));
    context.run(Command::new("chmod").arg("+x").arg(init)).ok();
    for (number, module) in MODULES.iter().enumerate() {
        let file = kernel_file("lib/modules", |name| name == format!("{module}.ko"));
        context.write(&format!("guest/modules/{number:02}.ko"), fs::read(file).expect("it was found"));
    }
    for program in programs {
        bring(context, program);
    }
    let archive = "cd guest && find . | cpio --quiet -o -H newc > ../initramfs.cpio";
    context.run(Command::new("sh").args(["-c", archive])).ok();
    context.dir().join("initramfs.cpio")
}

/// Copies a program into the initramfs, and the libraries that it is linked with, each to the place that it has here.
fn bring(context: &Context, program: &str) {
    let libraries = context.run(Command::new("ldd").arg(program)).ok();
    let files = libraries.split_whitespace().filter(|word| word.starts_with('/')).chain([program]);
    for file in files {
        context.run(Command::new("sh").args(["-c", "cp -L --parents \"$1\" guest", "sh", file])).ok();
    }
}

/// The file below a directory of the kernel whose name is wanted.
fn kernel_file(dir: &str, wanted: impl Fn(&str) -> bool) -> PathBuf {
    let mut waiting = vec![inputs().join("kernel").join(dir)];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).expect("the directory can be read") {
            let entry = entry.expect("the directory can be read");
            if entry.file_type().expect("its type is known").is_dir() {
                waiting.push(entry.path());
            } else if wanted(&entry.file_name().to_string_lossy()) {
                return entry.path();
            }
        }
    }
    panic!("the kernel lacks a file that the guest needs, in {dir}");
}

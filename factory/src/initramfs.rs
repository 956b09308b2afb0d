//! What is in memory when the kernel starts: the boot program and everything that it believes without a signature.

use std::io;

use spec::TreePath;
use spec::boot::initramfs::{BASE, INIT, MODULES, TRUST};

use crate::base::Base;
use crate::cpio::{self, Entries, Entry};

/// Places where file systems are mounted before there is a root.
const MOUNT_POINTS: [&str; 5] = ["/dev", "/proc", "/run", "/sys", "/sysroot"];
/// Standard streams of the first process until `/dev` is mounted (linux/init/main.c, `console_on_rootfs`).
const CONSOLE: &str = "/dev/console";
/// Its numbers (linux/Documentation/admin-guide/devices.txt).
const CONSOLE_DEVICE: Entry = Entry::CharacterDevice { major: 5, minor: 1 };
/// zstd's default is 3; 15 makes the archive a tenth smaller in about a second, and it is unpacked as fast.
const LEVEL: i32 = 15;

/// The files of the initramfs for a base.
pub fn entries(base: &Base, trust: String, runtime: Vec<u8>) -> Entries {
    let mut files = vec![
        (place(INIT), Entry::Program(runtime)),
        (place(CONSOLE), CONSOLE_DEVICE),
        (place(BASE), Entry::File(base.description_json.clone())),
        (place(TRUST), Entry::File(trust.into_bytes())),
    ];
    for (name, module) in &base.modules {
        files.push((place(&format!("{MODULES}/{name}.ko")), Entry::File(module.clone())));
    }
    let mut entries: Entries = MOUNT_POINTS.into_iter().map(|path| (place(path), Entry::Directory)).collect();
    for (path, _) in &files {
        let above =
            std::iter::successors(path.parent(), TreePath::parent).filter(|path| *path != TreePath::root());
        entries.extend(above.map(|directory| (directory, Entry::Directory)));
    }
    entries.extend(files);
    entries
}

/// The archive as the kernel unpacks it (`CONFIG_RD_ZSTD`).
pub fn pack(entries: &Entries) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    cpio::write(entries, &mut encoder)?;
    encoder.finish()
}

fn place(path: &str) -> TreePath {
    path.parse().expect("constant paths, and module names in them, are sound")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[test]
    fn the_kernel_gets_what_it_needs_in_an_order_that_it_can_unpack() {
        let world = World::new();
        let base = Base::open(&world.path("base")).unwrap();
        let entries = entries(&base, "keys".into(), b"program".to_vec());
        let listing: Vec<&str> = entries.keys().map(TreePath::as_str).collect();
        assert_eq!(
            listing,
            [
                "/dev",
                "/dev/console",
                "/init",
                "/proc",
                "/run",
                "/sys",
                "/sysroot",
                "/tenon",
                "/tenon/base.json",
                "/tenon/modules",
                "/tenon/modules/isofs.ko",
                "/tenon/modules/sr_mod.ko",
                "/tenon/trust.yaml",
            ]
        );
        assert_eq!(entries[&place("/init")], Entry::Program(b"program".to_vec()));
        assert_eq!(entries[&place("/tenon/trust.yaml")], Entry::File(b"keys".to_vec()));
    }

    #[test]
    fn zstd_unpacks_the_archive() {
        let entries: Entries = [(place("/a"), Entry::File(vec![7; 100_000]))].into();
        let packed = pack(&entries).unwrap();
        assert!(packed.len() < 1000);
        let mut plain = Vec::new();
        cpio::write(&entries, &mut plain).unwrap();
        assert!(zstd::decode_all(packed.as_slice()).unwrap() == plain);
    }
}

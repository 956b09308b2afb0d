//! The writers that are compared, each as the command that a user would type.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::table::block_size;

/// One writer with its arguments.
#[derive(Debug, Clone)]
pub(super) struct Contender {
    /// Which of them.
    pub who: Who,
    /// For people.
    pub name: String,
    /// The command line, with the words `TREE`, `IMAGE`, `COLD` and `WARM` for the places of this machine.
    pub line: String,
    /// What it writes; a file by this name is removed before each run.
    pub image: PathBuf,
}

/// The writers, in the order of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Ours with its own choice of settings, and without a cache.
    Tenon,
    /// The same without the hash tree that no peer writes.
    TenonBare,
    /// The same with a cache that is empty.
    TenonEmptyCache,
    /// The same with a cache that knows all files but one.
    TenonRebuild,
    /// mksquashfs as Talos calls it.
    Talos,
    /// mksquashfs with the settings of our image.
    Mksquashfs,
    /// gensquashfs with the settings of our image.
    Gensquashfs,
    /// mkfs.erofs.
    Erofs,
}

/// Block size and level of an image, read from one that Tenon wrote without being told any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    /// In bytes.
    pub block_size: u64,
    /// Of zstd.
    pub level: u32,
}

impl Settings {
    /// Reads what `unsquashfs -s` prints. It names a level only if it is not zstd's default in squashfs, 15
    /// (`SQUASHFS_ZSTD_DEFAULT_LEVEL` in mksquashfs's zstd_wrapper.h).
    pub(super) fn from_unsquashfs(text: &str) -> Option<Settings> {
        let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label));
        let level = after("compression-level ").map_or(Some(15), |level| level.trim().parse().ok())?;
        Some(Settings { block_size: after("Block size ")?.trim().parse().ok()?, level })
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and level {}", block_size(self.block_size), self.level)
    }
}

/// Where the contenders find what they pack and put what they write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    /// Our program.
    pub extbuild: &'a Path,
    /// What is packed.
    pub tree: &'a Path,
    /// Images and caches.
    pub out: &'a Path,
}

impl Places<'_> {
    /// The cache that is removed before each run.
    pub(super) fn cold_cache(&self) -> PathBuf {
        self.out.join("cold-cache")
    }

    /// The cache that stays.
    pub(super) fn warm_cache(&self) -> PathBuf {
        self.out.join("warm-cache")
    }

    /// Every writer.
    pub(super) fn all(&self, settings: Settings, erofs: ErofsZstd) -> Vec<Contender> {
        vec![
            self.tenon(),
            self.extbuild(Who::TenonBare, "Tenon, no verity", "bare.sqfs", "--no-cache --no-verity"),
            self.extbuild(Who::TenonEmptyCache, "Tenon, empty cache", "cold.sqfs", "--cache-dir COLD"),
            self.tenon_rebuild(),
            self.talos(),
            self.mksquashfs(settings),
            self.gensquashfs(settings),
            self.erofs(settings, erofs),
        ]
    }

    /// Tenon with its own choice of settings.
    pub(super) fn tenon(&self) -> Contender {
        self.extbuild(Who::Tenon, "Tenon", "tenon.sqfs", "--no-cache")
    }

    /// Tenon with the cache that stays.
    pub(super) fn tenon_rebuild(&self) -> Contender {
        self.extbuild(Who::TenonRebuild, "Tenon, one file changed", "rebuild.sqfs", "--cache-dir WARM")
    }

    fn extbuild(&self, who: Who, name: &str, file: &str, more: &str) -> Contender {
        self.contender(who, name, file, format!("extbuild image pack TREE -o IMAGE {more}"))
    }

    /// The arguments of Talos (siderolabs/talos, internal/pkg/extensions/compress.go).
    fn talos(&self) -> Contender {
        let line = "mksquashfs TREE IMAGE -all-root -noappend -no-progress -comp zstd -Xcompression-level 18";
        self.contender(Who::Talos, "mksquashfs, arguments of Talos", "talos.sqfs", line.to_owned())
    }

    /// mksquashfs with the settings of our image.
    pub(super) fn mksquashfs(&self, settings: Settings) -> Contender {
        let Settings { block_size, level } = settings;
        let line = format!(
            "mksquashfs TREE IMAGE -all-root -noappend -no-progress -comp zstd -Xcompression-level {level} \
             -b {block_size}"
        );
        self.contender(Who::Mksquashfs, &format!("mksquashfs, {settings}"), "mksquashfs.sqfs", line)
    }

    fn gensquashfs(&self, settings: Settings) -> Contender {
        let Settings { block_size, level } = settings;
        let jobs = thread::available_parallelism().map_or(1, |cores| cores.get());
        let line = format!(
            "gensquashfs -q -f -k --all-root -j {jobs} -c zstd -X level={level} -b {block_size} -D TREE IMAGE"
        );
        self.contender(Who::Gensquashfs, &format!("gensquashfs, {settings}"), "gensquashfs.sqfs", line)
    }

    fn erofs(&self, settings: Settings, zstd: ErofsZstd) -> Contender {
        let (algorithm, level, cluster) = match zstd {
            ErofsZstd::Has => ("zstd", settings.level, settings.block_size),
            // Its usual level: the highest, 12, takes four times as long for half a percent. Its usual cluster is a
            // page, which would make the image still larger.
            ErofsZstd::Lacks => ("lz4hc", 9, 64 << 10),
        };
        let line = format!("mkfs.erofs --quiet -z{algorithm},{level} -C{cluster} -T0 --all-root IMAGE TREE");
        self.contender(Who::Erofs, &format!("mkfs.erofs, {algorithm} {level}"), "image.erofs", line)
    }

    fn contender(&self, who: Who, name: &str, file: &str, line: String) -> Contender {
        Contender { who, name: name.to_owned(), line, image: self.out.join(file) }
    }

    /// The command of a contender on this machine.
    pub(super) fn command(&self, contender: &Contender) -> Command {
        let mut words = contender.line.split_whitespace().map(|word| match word {
            "extbuild" => self.extbuild.as_os_str().to_owned(),
            "TREE" => self.tree.as_os_str().to_owned(),
            "IMAGE" => contender.image.as_os_str().to_owned(),
            "COLD" => self.cold_cache().into_os_string(),
            "WARM" => self.warm_cache().into_os_string(),
            word => OsString::from(word),
        });
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
    }
}

/// Can mkfs.erofs compress with zstd? erofs-utils can since 1.8; Debian 12 has 1.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErofsZstd {
    /// It can.
    Has,
    /// It cannot, and does what it can do best.
    Lacks,
}

impl ErofsZstd {
    /// Reads the help of mkfs.erofs, which lists what it was built with.
    pub(super) fn from_help(text: &str) -> ErofsZstd {
        let mut lines = text.lines().skip_while(|line| !line.contains("vailable compressors"));
        if lines.any(|line| line.contains("zstd")) { ErofsZstd::Has } else { ErofsZstd::Lacks }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_settings_of_an_image_are_read_as_unsquashfs_prints_them() {
        let text = "Found a valid SQUASHFS 4:0 superblock on x.\nCompression zstd\n\tcompression-level 9\n\
            Block size 1048576\nFilesystem is exportable via NFS\n";
        let settings = Settings { block_size: 1 << 20, level: 9 };
        assert_eq!(Settings::from_unsquashfs(text), Some(settings));
        let usual = text.replace("\tcompression-level 9\n", "");
        assert_eq!(Settings::from_unsquashfs(&usual), Some(Settings { level: 15, ..settings }));
        assert_eq!(Settings::from_unsquashfs("Can't find a valid SQUASHFS superblock"), None);
    }

    #[test]
    fn a_place_with_a_blank_in_it_stays_one_argument() {
        let out = Path::new("/a b/out");
        let places = Places { extbuild: Path::new("/a b/extbuild"), tree: Path::new("/a b/tree"), out };
        let command = places.command(&places.tenon_rebuild());
        assert_eq!(command.get_program(), "/a b/extbuild");
        let args: Vec<_> = command.get_args().collect();
        assert_eq!(
            args,
            [
                "image",
                "pack",
                "/a b/tree",
                "-o",
                "/a b/out/rebuild.sqfs",
                "--cache-dir",
                "/a b/out/warm-cache"
            ]
        );
    }

    #[test]
    fn every_contender_packs_the_tree_into_an_image_of_its_own() {
        let place = Path::new("/x");
        let places = Places { extbuild: place, tree: place, out: place };
        let all = places.all(Settings { block_size: 1 << 20, level: 9 }, ErofsZstd::Lacks);
        for contender in &all {
            assert!(contender.line.contains("TREE") && contender.line.contains("IMAGE"), "{contender:?}");
        }
        let images: BTreeSet<_> = all.iter().map(|contender| &contender.image).collect();
        assert_eq!(images.len(), all.len());
    }

    #[test]
    fn zstd_is_used_where_mkfs_erofs_has_it() {
        let old = "usage: mkfs.erofs\n -zX\n\nAvailable compressors are: lz4hc, lz4\n";
        assert_eq!(ErofsZstd::from_help(old), ErofsZstd::Lacks);
        let new = "\nAvailable compressors and their levels:\n    lz4\n    zstd [<0-22>]\n";
        assert_eq!(ErofsZstd::from_help(new), ErofsZstd::Has);
    }
}

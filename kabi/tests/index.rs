//! The module index against kmod and busybox: depmod writes the same bytes about the same tree, and the modprobe of
//! both finds modules with our files alone.

// clippy.toml allows it in test functions; these are their helpers.
#![allow(clippy::unwrap_used)]

mod inputs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use inputs::{Kernel, read_bytes, real_input, text};
use kabi::index::{self, Inputs};
use kabi::{Module, Record};
use spec::{KernelRelease, TreePath};
use tempfile::TempDir;

/// Files of the kernel's build, which depmod reads and leaves alone.
const OF_THE_BUILD: [&str; 3] = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];

/// A file of a kernel and the path that it has in an image.
#[derive(Clone)]
struct Placed {
    file: PathBuf,
    path: TreePath,
}

/// All modules where the kernel's package has them.
fn in_place(kernel: &Kernel) -> Vec<Placed> {
    kernel.files.iter().map(|file| Placed { file: file.clone(), path: kernel.image_path(file) }).collect()
}

/// The same files in an extension of that name.
fn in_extension(name: &str, kernel: &Kernel, modules: &[Placed]) -> Vec<Placed> {
    let moved = |placed: &Placed| {
        let file = placed.path.file_name().unwrap();
        let path = format!("/usr/lib/modules/{}/extra/{name}/{file}", kernel.release).parse().unwrap();
        Placed { path, ..placed.clone() }
    };
    modules.iter().map(moved).collect()
}

/// A file that the kernel's build has written.
fn of_build(kernel: &Kernel, name: &str) -> PathBuf {
    kernel.root.canonicalize().unwrap().join(format!("lib/modules/{}/{name}", kernel.release))
}

fn build_text(kernel: &Kernel, name: &str) -> String {
    fs::read_to_string(of_build(kernel, name)).unwrap()
}

fn record(modules: &[Placed]) -> Record {
    let read = |placed: &Placed| {
        let module = Module::parse(&placed.path, &read_bytes(&placed.file));
        module.unwrap_or_else(|error| panic!("{error}"))
    };
    // As a boot has it: from the document.
    Record::parse(&Record::new(modules.iter().map(read).collect()).unwrap().to_json()).unwrap()
}

/// A root with modules, and with an index of somebody.
struct Root {
    directory: TempDir,
    release: KernelRelease,
}

impl Root {
    fn with(release: &KernelRelease, modules: &[Placed]) -> Root {
        let root = Root { directory: tempfile::tempdir().unwrap(), release: release.clone() };
        fs::create_dir_all(root.modules()).unwrap();
        symlink("usr/lib", root.path().join("lib")).unwrap();
        for Placed { file, path } in modules {
            let link = root.path().join(path.as_str().trim_start_matches('/'));
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(file.canonicalize().unwrap(), link).unwrap();
        }
        root
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn modules(&self) -> PathBuf {
        self.path().join(format!("usr/lib/modules/{}", self.release))
    }

    fn depmod(&self) {
        text(
            Command::new("depmod")
                .args(["-C", "/dev/null", "-b"])
                .arg(self.path())
                .arg(self.release.as_str()),
        );
    }

    /// The files that depmod wrote.
    fn index(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.modules()).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let files = entries.filter(|path| path.is_file() && !OF_THE_BUILD.contains(&&*name(path)));
        files.map(|path| (name(&path), fs::read(path).unwrap())).collect()
    }

    fn write(&self, files: &BTreeMap<&'static str, Vec<u8>>) {
        for (name, bytes) in files {
            fs::write(self.modules().join(name), bytes).unwrap();
        }
    }

    /// What modprobe would load for a name, as paths below the directory of modules.
    fn modprobe(&self, name: &str) -> Vec<String> {
        let mut modprobe = Command::new("modprobe");
        modprobe.args(["-C", "/dev/null", "--show-depends", "-d"]).arg(self.path());
        let said = text(modprobe.args(["-S", self.release.as_str(), name]));
        let directory = format!("{}/lib/modules/{}/", self.path().display(), self.release);
        said.lines().map(|line| line.trim_end().replace(&directory, "")).collect()
    }

    /// Brings busybox, which looks into the directory of the kernel that runs, wherever it is told to look.
    fn with_busybox(self) -> Root {
        text(
            Command::new("dpkg-deb")
                .arg("--extract")
                .arg(real_input("debs/busybox-static.deb"))
                .arg(self.path().join("busybox")),
        );
        symlink(self.release.as_str(), self.path().join("usr/lib/modules").join(running_release())).unwrap();
        self
    }

    /// The same as [`Root::modprobe`], said by busybox.
    fn busybox_modprobe(&self, name: &str) -> Vec<String> {
        let mut busybox = Command::new("chroot");
        busybox.arg(self.path()).args(["/busybox/bin/busybox", "modprobe", "-D", name]);
        let directory = format!("/lib/modules/{}/", running_release());
        text(&mut busybox).lines().map(|line| line.trim_end().replace(&directory, "")).collect()
    }
}

fn running_release() -> String {
    text(Command::new("uname").arg("-r")).trim_end().to_owned()
}

#[track_caller]
fn assert_same(ours: &BTreeMap<&'static str, Vec<u8>>, mut theirs: BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in ours {
        let depmods = theirs.remove(*name);
        // kmod writes this one since version 33.
        assert!(depmods.is_some() || *name == "modules.weakdep", "depmod writes no {name}");
        if let Some(depmods) = depmods {
            assert!(
                bytes == &depmods,
                "{name}\nours: {}\ntheirs: {}",
                excerpt(bytes, &depmods),
                excerpt(&depmods, bytes)
            );
        }
    }
    // What it writes without having anything to say.
    theirs.retain(|_, bytes| {
        bytes.split(|byte| *byte == b'\n').any(|line| !line.is_empty() && line[0] != b'#')
    });
    assert_eq!(theirs.keys().collect::<Vec<_>>(), [""; 0], "only depmod writes these");
}

/// The place where two files begin to differ.
fn excerpt(bytes: &[u8], other: &[u8]) -> String {
    let same = bytes.iter().zip(other).take_while(|(a, b)| a == b).count();
    bytes[same.saturating_sub(80)..bytes.len().min(same + 80)].escape_ascii().to_string()
}

fn whole_kernel(kernel: &Kernel) -> BTreeMap<&'static str, Vec<u8>> {
    let modules = in_place(kernel);
    let root = Root::with(&kernel.release, &modules);
    for name in OF_THE_BUILD {
        symlink(of_build(kernel, name), root.modules().join(name)).unwrap();
    }
    root.depmod();
    let inputs = Inputs {
        release: &kernel.release,
        base: &record(&modules),
        extensions: &[],
        order: Some(&build_text(kernel, "modules.order")),
        builtin: Some(&build_text(kernel, "modules.builtin")),
        builtin_modinfo: Some(&fs::read(of_build(kernel, "modules.builtin.modinfo")).unwrap()),
    };
    let ours = index::build(&inputs).unwrap().files;
    assert_same(&ours, root.index());
    assert!(ours.contains_key("modules.builtin.bin") && ours.contains_key("modules.builtin.alias.bin"));
    ours
}

fn lines(files: &BTreeMap<&'static str, Vec<u8>>, name: &str) -> usize {
    files[name].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
}

#[test]
fn the_index_of_a_kernel_is_that_of_depmod() {
    let files = whole_kernel(&Kernel::plain());
    assert_eq!(lines(&files, "modules.dep"), 1121);
    assert!(lines(&files, "modules.alias") > 2000 && lines(&files, "modules.symbols") > 4000);
    assert!(lines(&files, "modules.softdep") > 10 && lines(&files, "modules.devname") > 10);
}

#[test]
fn the_index_of_a_kernel_with_modules_in_xz_is_that_of_depmod() {
    let files = whole_kernel(&Kernel::packed());
    assert_eq!(lines(&files, "modules.dep"), 1138);
    assert!(files["modules.dep"].starts_with(b"kernel/") && lines(&files, "modules.alias") > 2000);
}

/// A base without some of its modules, which are in two extensions instead.
struct Split {
    kernel: Kernel,
    base: Vec<Placed>,
    net: Vec<Placed>,
    storage: Vec<Placed>,
}

impl Split {
    fn new() -> Split {
        let kernel = Kernel::plain();
        let (net, rest): (Vec<_>, Vec<_>) =
            in_place(&kernel).into_iter().partition(|module| is_below(module, "drivers/net"));
        let is_storage =
            |module: &Placed| ["fs", "drivers/md", "drivers/block"].iter().any(|part| is_below(module, part));
        let (storage, base): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_storage);
        let (net, storage) = (in_extension("net", &kernel, &net), in_extension("storage", &kernel, &storage));
        assert!(net.len() > 40 && storage.len() > 40 && base.len() > 500, "{} {}", net.len(), storage.len());
        Split { base, net, storage, kernel }
    }

    fn all(&self) -> Vec<Placed> {
        [&self.base[..], &self.net, &self.storage].concat()
    }

    fn index(&self, order: Option<&str>) -> BTreeMap<&'static str, Vec<u8>> {
        let [base, net, storage] = [&self.base, &self.net, &self.storage].map(|modules| record(modules));
        let extensions = [&net, &storage];
        let release = &self.kernel.release;
        let inputs = Inputs {
            release,
            base: &base,
            extensions: &extensions,
            order,
            builtin: None,
            builtin_modinfo: None,
        };
        let ours = index::build(&inputs).unwrap();
        // Who comes first is nobody's choice.
        let reversed = [&storage, &net];
        assert_eq!(index::build(&Inputs { extensions: &reversed, ..inputs }).unwrap(), ours);
        ours.files
    }
}

fn is_below(module: &Placed, directory: &str) -> bool {
    module.path.as_str().contains(&format!("/kernel/{directory}/"))
}

#[test]
fn base_and_extensions_have_one_index_that_is_depmods() {
    let split = Split::new();
    let root = Root::with(&split.kernel.release, &split.all());
    root.depmod();
    assert_same(&split.index(None), root.index());
    let order = build_text(&split.kernel, "modules.order");
    fs::write(root.modules().join("modules.order"), &order).unwrap();
    root.depmod();
    let ours = split.index(Some(&order));
    assert_same(&ours, root.index());

    let dep = str::from_utf8(&ours["modules.dep"]).unwrap();
    let modules: BTreeSet<&str> = dep.lines().filter_map(|line| line.split(':').next()).collect();
    assert!(modules.contains("extra/net/wireguard.ko") && modules.contains("extra/storage/dm-mod.ko"));
    assert!(
        dep.lines().next().unwrap().starts_with("kernel/")
            && dep.lines().last().unwrap().starts_with("extra/")
    );
}

#[test]
fn modprobe_finds_modules_of_two_extensions_with_our_files_alone() {
    let split = Split::new();
    let (ours, theirs) =
        (Root::with(&split.kernel.release, &split.all()), Root::with(&split.kernel.release, &split.all()));
    ours.write(&split.index(None));
    theirs.depmod();
    let wireguard = ours.modprobe("rtnl-link-wireguard");
    assert_eq!(wireguard.last().map(String::as_str), Some("insmod extra/net/wireguard.ko"));
    assert!(wireguard.iter().any(|line| line.starts_with("insmod kernel/lib/crypto/")), "{wireguard:?}");
    let mapper = ours.modprobe("devname:mapper/control");
    assert_eq!(mapper.last().map(String::as_str), Some("insmod extra/storage/dm-mod.ko"));
    for name in [
        "rtnl-link-wireguard",
        "devname:mapper/control",
        "devname:net/tun",
        "char-major-10-234",
        "fs-btrfs",
        "btrfs",
        "dm_mod",
        "dm-mod",
        "symbol:dm_register_target",
        "virtio:d00000001v00001AF4",
        "pci:v00001D0Fd0000EC20sv00001D0Fsd0000EC20bc02sc00i00",
        "nfsd",
        "cifs",
    ] {
        assert_eq!(ours.modprobe(name), theirs.modprobe(name), "{name}");
    }
}

#[test]
fn busybox_finds_modules_of_two_extensions_with_our_files_alone() {
    let split = Split::new();
    let root = Root::with(&split.kernel.release, &split.all()).with_busybox();
    root.write(&split.index(None));
    // Soft dependencies are kmod's own.
    fs::remove_file(root.modules().join("modules.softdep")).unwrap();
    let wireguard = root.busybox_modprobe("rtnl-link-wireguard");
    assert_eq!(wireguard.last().map(String::as_str), Some("insmod extra/net/wireguard.ko"));
    assert!(wireguard.len() > 3, "{wireguard:?}");
    for name in [
        "wireguard",
        "devname:mapper/control",
        "char-major-10-234",
        "dm_mod",
        "dm-mod",
        "virtio:d00000001v00001AF4",
        "pci:v00001D0Fd0000EC20sv00001D0Fsd0000EC20bc02sc00i00",
        "nfsd",
    ] {
        let busybox = root.busybox_modprobe(name);
        assert_eq!(busybox, root.modprobe(name), "{name}");
        assert!(busybox.last().is_some_and(|line| line.starts_with("insmod ")), "{name}: {busybox:?}");
    }
}

#[test]
fn without_modules_there_is_an_index_of_none() {
    let release: KernelRelease = "6.1.0".parse().unwrap();
    let root = Root::with(&release, &[]);
    let none = Record::default();
    let inputs = |builtin, builtin_modinfo| Inputs {
        release: &release,
        base: &none,
        extensions: &[],
        order: None,
        builtin,
        builtin_modinfo,
    };
    root.depmod();
    assert_same(&index::build(&inputs(None, None)).unwrap().files, root.index());
    fs::write(root.modules().join("modules.builtin"), "").unwrap();
    root.depmod();
    assert_same(&index::build(&inputs(Some(""), None)).unwrap().files, root.index());
}

#[test]
fn what_is_built_in_is_found_by_its_names() {
    let kernel = Kernel::plain();
    let root = Root::with(&kernel.release, &[]);
    let none = Record::default();
    let modinfo = fs::read(of_build(&kernel, "modules.builtin.modinfo")).unwrap();
    let inputs = Inputs {
        release: &kernel.release,
        base: &none,
        extensions: &[],
        order: None,
        builtin: Some(&build_text(&kernel, "modules.builtin")),
        builtin_modinfo: Some(&modinfo),
    };
    root.write(&index::build(&inputs).unwrap().files);
    for name in ["ext4", "fs-ext4", "crypto-aes-generic"] {
        assert!(root.modprobe(name)[0].starts_with("builtin "), "{name}");
    }
}

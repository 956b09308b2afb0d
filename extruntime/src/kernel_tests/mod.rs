//! Trials on the kernel of this machine: what is mounted is what was checked, and nothing else shows.
//!
//! Each test runs itself again in a mount namespace of its own, so that nothing stays behind. They need root, a loop
//! device, squashfs, overlay and `mksquashfs`, and they fail where one is missing.

mod hostile_disk;
mod in_place;
#[path = "../../tests/world/mod.rs"]
mod world;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use rustix::mount::MountFlags;
use spec::artifact::ContentFacts;
use spec::listing::{Kind, Listing};
use spec::status::{State, Status};
use spec::{Digest, ReasonCode};
use squash::{Content, Mode, Node, Promise, Tree};
use tempfile::TempDir;
use world::{Extension, World};

use crate::admit::Unopened;
use crate::clock::Clock;
use crate::content::Expected;
use crate::held::{Means, Way};
use crate::image::ImageError;
use crate::layer::Layer;
use crate::{boot, mounts};

/// Set in the process that has a mount namespace of its own.
const ALONE: &str = "TENON_TEST_ALONE";

/// Runs the test `name` of this module again where it can mount; true in the process that is to do the work.
fn alone(name: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    assert!(rustix::process::geteuid().is_root(), "this test mounts images: run it as root");
    let scratch = tempfile::tempdir().unwrap();
    let again = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("kernel_tests::{name}"), "--nocapture"])
        .env(ALONE, "1")
        .env("TMPDIR", scratch.path()) // the process cannot tidy up what lies below its mounts
        .output()
        .expect("unshare of util-linux is there");
    let said =
        format!("{}{}", String::from_utf8_lossy(&again.stdout), String::from_utf8_lossy(&again.stderr));
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
    false
}

fn expected(bytes: &[u8]) -> Expected {
    Expected { digest: Digest::of(bytes), size: bytes.len() as u64, verity: None, signature: None }
}

/// Opens an image as that of an extension.
fn open(image: &[u8], listing: &Listing) -> Result<Layer, ReasonCode> {
    let facts = ContentFacts { inodes: 1000, bytes: 1 << 20 };
    let promise = Promise { facts: &facts, listing };
    layer(world::open(image), image, promise).map_err(|error| error.reason().code)
}

/// Opens a file, which must have these bytes, as the image of an extension.
fn layer(file: File, image: &[u8], promise: Promise<'_>) -> Result<Layer, ImageError> {
    let grants = world::plain_grants();
    let image = Unopened {
        name: &"test".parse().unwrap(),
        file,
        expected: expected(image),
        promise,
        grants: &grants,
    };
    Layer::extension(&image, &Means::find(Way::Copy), &Clock::start())
}

#[test]
fn what_was_sealed_is_what_is_served() {
    if !alone("what_was_sealed_is_what_is_served") {
        return;
    }
    let content: Vec<u8> =
        (0..1_000_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let mut tree = Tree::new();
    let node = Node::File { mode: Mode::FILE, content: Content::Bytes(content.clone()) };
    tree.insert("/usr/large".parse().unwrap(), node).unwrap();
    let image = world::pack(&tree);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("image");
    fs::write(&file, &image).unwrap();

    let source = File::open(&file).unwrap();
    let promise = Promise { facts: &tree.facts(), listing: &tree.listing() };
    let layer = layer(source, &image, promise).unwrap();
    let writer = File::options().write(true).open(&file).unwrap();
    writer.write_all_at(&vec![0; image.len()], 0).unwrap();
    let at = dir.path().join("layer");
    layer.attach(&at).unwrap();
    assert!(fs::read(at.join("usr/large")).unwrap() == content, "bytes from after the check are served");
    assert_eq!(fs::write(at.join("usr/new"), "x").unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
}

/// A directory tree on disk and the squashfs that mksquashfs makes of it.
struct Forged {
    dir: TempDir,
}

impl Forged {
    /// A tree with `/usr/file`.
    fn new() -> Forged {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("tree/usr")).unwrap();
        fs::write(dir.path().join("tree/usr/file"), "content").unwrap();
        let forged = Forged { dir };
        forged.chmod("", 0o755);
        forged.chmod("usr", 0o755);
        forged.chmod("usr/file", 0o644);
        forged
    }

    fn path(&self, relative: &str) -> std::path::PathBuf {
        self.dir.path().join("tree").join(relative)
    }

    fn chmod(&self, relative: &str, mode: u32) {
        fs::set_permissions(self.path(relative), PermissionsExt::from_mode(mode)).unwrap();
    }

    fn run(&self, program: &str, args: &[&str]) {
        let said = Command::new(program).args(args).current_dir(self.path("")).output().unwrap();
        assert!(said.status.success(), "{program}: {}", String::from_utf8_lossy(&said.stderr));
    }

    fn squashed(&self) -> Vec<u8> {
        self.run("mksquashfs", &[".", "../image", "-noappend", "-quiet", "-no-progress"]);
        fs::read(self.dir.path().join("image")).unwrap()
    }

    /// What becomes of the image with a listing of `/usr/` and these.
    fn opened(&self, leaves: &[&str]) -> Result<(), ReasonCode> {
        let mut listing = Listing::parse("/usr/\n").unwrap();
        for leaf in leaves {
            listing.insert(leaf.parse().unwrap(), Kind::Leaf);
        }
        open(&self.squashed(), &listing).map(drop)
    }
}

#[test]
fn only_what_an_extension_may_have_is_mounted() {
    if !alone("only_what_an_extension_may_have_is_mounted") {
        return;
    }
    let malformed = Err(ReasonCode::MalformedArtifact);
    let with_file = ["/usr/file"];
    assert_eq!(Forged::new().opened(&with_file), Ok(()));
    assert_eq!(Forged::new().opened(&[]), malformed, "a file that the listing does not have");
    assert_eq!(Forged::new().opened(&["/usr/absent", "/usr/file"]), malformed, "a file that is not there");

    let link = Forged::new();
    symlink("file", link.path("usr/link")).unwrap();
    assert_eq!(link.opened(&["/usr/file", "/usr/link"]), Ok(()));

    for target in ["/usr/file", "../etc/shadow", "../../file", "file/../../etc/shadow"] {
        let astray = Forged::new();
        symlink(target, astray.path("usr/link")).unwrap();
        assert_eq!(astray.opened(&["/usr/file", "/usr/link"]), malformed, "a link to {target}");
    }
    let unreadable = Forged::new();
    symlink(OsStr::from_bytes(b"\xff"), unreadable.path("usr/link")).unwrap();
    assert_eq!(unreadable.opened(&["/usr/file", "/usr/link"]), malformed, "a link that is not UTF-8");

    let whiteout = Forged::new();
    whiteout.run("mknod", &["usr/sh", "c", "0", "0"]);
    assert_eq!(whiteout.opened(&["/usr/file", "/usr/sh"]), malformed, "a whiteout");

    let device = Forged::new();
    device.run("mknod", &["usr/disk", "b", "8", "0"]);
    assert_eq!(device.opened(&["/usr/disk", "/usr/file"]), malformed, "a device");

    let pipe = Forged::new();
    pipe.run("mkfifo", &["usr/pipe"]);
    assert_eq!(pipe.opened(&["/usr/file", "/usr/pipe"]), malformed, "a pipe");

    for mode in [0o4755, 0o2755, 0o1644, 0o666, 0o664] {
        let bits = Forged::new();
        bits.chmod("usr/file", mode);
        assert_eq!(bits.opened(&with_file), malformed, "a file of mode {mode:o}");
    }
    let locked = Forged::new();
    locked.chmod("usr", 0o700);
    assert_eq!(locked.opened(&with_file), malformed, "a directory that is closed");

    let owned = Forged::new();
    chown(owned.path("usr/file"), Some(1000), None).unwrap();
    assert_eq!(owned.opened(&with_file), malformed, "a file of a user");

    let opaque = Forged::new();
    let (name, value) = ("user.tenon", "y");
    rustix::fs::setxattr(opaque.path("usr"), name, value.as_bytes(), rustix::fs::XattrFlags::empty())
        .unwrap();
    assert_eq!(opaque.opened(&with_file), malformed, "an extended attribute");
}

#[test]
fn what_is_no_squashfs_is_refused() {
    if !alone("what_is_no_squashfs_is_refused") {
        return;
    }
    assert_eq!(open(&[0xff; 8192], &Listing::new()).map(drop), Err(ReasonCode::MalformedArtifact));
    assert_eq!(open(b"short", &Listing::new()).map(drop), Err(ReasonCode::MalformedArtifact));
    let mut image = Forged::new().squashed();
    let half = image.len() / 2;
    image[96..half].fill(0xff);
    assert!(open(&image, &Listing::parse("/usr/\n/usr/file\n").unwrap()).is_err());
}

/// A root directory in memory with what an initramfs and a medium have, after the medium was mounted.
struct Machine {
    world: World,
    root: TempDir,
}

impl Machine {
    fn new() -> Machine {
        Machine { world: World::new(), root: tempfile::tempdir().unwrap() }
    }

    /// Changes root into the machine and boots it as far as it goes without becoming its init.
    fn boot(&self) -> Status {
        let root = self.root.path();
        mounts::kernel("tmpfs", &root.display().to_string(), MountFlags::empty(), "mode=0755").unwrap();
        for shared in ["dev", "proc"] {
            fs::create_dir(root.join(shared)).unwrap();
            rustix::mount::mount_bind_recursive(Path::new("/").join(shared), root.join(shared)).unwrap();
        }
        fs::create_dir(root.join("tmp")).unwrap();
        self.world.furnish(root);
        let medium = root.join("run/tenon/medium");
        fs::create_dir_all(&medium).unwrap();
        rustix::mount::mount_bind(self.world.medium(), medium).unwrap();
        rustix::process::chroot(root).unwrap();
        rustix::process::chdir("/").unwrap();
        boot::rehearse().unwrap_or_else(|error| panic!("{}", spec::sentence(&error)))
    }
}

fn states(status: &Status) -> Vec<(&str, State)> {
    status.extensions.iter().map(|extension| (extension.name.as_str(), extension.state)).collect()
}

/// The mount options of a mount point, as /proc/self/mounts has them.
fn options(at: &str) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(at)).unwrap();
    line.split(' ').nth(3).unwrap().to_owned()
}

#[test]
fn a_whole_boot_shows_base_and_sound_extensions_read_only() {
    if !alone("a_whole_boot_shows_base_and_sound_extensions_read_only") {
        return;
    }
    let machine = Machine::new();
    let release = world::running();
    machine.world.publish(&Extension::new("tool"));
    machine.world.publish(&Extension::new("driver").module("driver", &release, "0x92997ed8"));
    machine.world.publish(&Extension::new("thief").file("/usr/bin/sh"));
    let mut liar = Extension::new("liar");
    liar.forged = Some((liar.image().0, Listing::parse("/usr/\n").unwrap()));
    machine.world.publish(&liar);
    machine.world.want(&["tool", "liar", "driver", "thief"]);
    let status = machine.boot();

    use State::{Active, Refused};
    let expected = [("tool", Active), ("liar", Refused), ("driver", Active), ("thief", Refused)];
    assert_eq!(states(&status), expected);
    assert_eq!(status.extensions[1].reasons[0].code, ReasonCode::MalformedArtifact);
    assert_eq!(fs::read_to_string("/sysroot/usr/bin/tool").unwrap(), "the program tool");
    assert_eq!(fs::read_to_string("/sysroot/usr/bin/sh").unwrap(), "the shell");
    assert!(!Path::new("/sysroot/usr/bin/liar").exists());
    let index = Path::new("/sysroot/usr/lib/modules").join(&release);
    assert!(fs::read_to_string(index.join("modules.dep")).unwrap().starts_with("extra/driver/driver.ko:"));
    for (name, part) in
        [("modules.dep.bin", "driver.ko"), ("modules.builtin.bin", "xt4"), ("modules.order", "ext4")]
    {
        let bytes = fs::read(index.join(name)).unwrap();
        assert!(
            bytes.windows(part.len()).any(|bytes| bytes == part.as_bytes()),
            "{name} does not know {part}"
        );
    }

    let options = options("/sysroot");
    for wanted in ["ro", "nosuid", "nodev"] {
        assert!(options.split(',').any(|option| option == wanted), "{wanted} is not in {options}");
    }
    let error = fs::write("/sysroot/usr/bin/new", "x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
    let error = fs::write("/run/tenon/sets/0/index/x", "x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
    // The files of the base's directories keep their permissions.
    assert_eq!(fs::metadata("/sysroot/usr/lib").unwrap().permissions().mode() & 0o7777, 0o755);
}

#[test]
fn a_base_boots_alone_without_a_machine_config() {
    if !alone("a_base_boots_alone_without_a_machine_config") {
        return;
    }
    let status = Machine::new().boot();
    assert!(status.extensions.is_empty());
    assert!(status.notes[0].starts_with("the base runs alone: "), "{:?}", status.notes);
    assert_eq!(fs::read_to_string("/sysroot/usr/bin/sh").unwrap(), "the shell");
}

#[test]
fn a_base_boots_alone_without_a_store_and_says_why() {
    if !alone("a_base_boots_alone_without_a_store_and_says_why") {
        return;
    }
    let machine = Machine::new();
    machine.world.want(&["tool"]);
    fs::remove_dir_all(machine.world.store_dir()).unwrap();
    let status = machine.boot();
    assert_eq!(states(&status), [("tool", State::Refused)]);
    assert_eq!(status.extensions[0].reasons[0].code, ReasonCode::NotFound);
    assert_eq!(fs::read_to_string("/sysroot/usr/bin/sh").unwrap(), "the shell");
    let options = options("/sysroot");
    assert!(options.split(',').any(|option| option == "nosuid"), "{options}");
}

/// What a panic ends in: whatever is half made at the new root goes, and the base shows.
#[test]
fn after_a_bug_the_base_shows() {
    if !alone("after_a_bug_the_base_shows") {
        return;
    }
    mounts::kernel("tmpfs", "/run", MountFlags::empty(), "mode=0755").unwrap();
    let root = tempfile::tempdir().unwrap();
    assert!(boot::show_base(root.path()).is_err(), "there is no base yet");
    let base = Path::new("/run/tenon/base");
    for (number, half) in [base, root.path(), root.path()].into_iter().enumerate() {
        mounts::memory(half).unwrap();
        fs::write(half.join(number.to_string()), "").unwrap();
    }
    boot::show_base(root.path()).unwrap();
    let shown: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(shown, ["0"]);
}

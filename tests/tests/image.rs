//! `extbuild image`, as users run it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::{Context, Said, from_xtask, inputs};

/// A directory with a bit of everything.
fn author(context: &Context) {
    context.write("tree/usr/bin/tool", "#!/bin/sh\n");
    context.write("tree/usr/share/text", "line\n".repeat(100_000));
    symlink("text", context.dir().join("tree/usr/share/link")).expect("a link can be made");
    fs::hard_link(context.dir().join("tree/usr/bin/tool"), context.dir().join("tree/usr/bin/again"))
        .expect("a hard link can be made");
    for dir in ["tree", "tree/usr", "tree/usr/bin", "tree/usr/share"] {
        chmod(context, dir, 0o755);
    }
    chmod(context, "tree/usr/bin/tool", 0o755);
    chmod(context, "tree/usr/share/text", 0o644);
}

fn chmod(context: &Context, path: &str, mode: u32) {
    fs::set_permissions(context.dir().join(path), fs::Permissions::from_mode(mode)).expect("our own file");
}

fn json(said: Said) -> Value {
    serde_json::from_str(&said.ok()).expect("--json prints JSON")
}

#[test]
fn a_directory_is_packed_checked_and_read() {
    let context = Context::new();
    author(&context);
    let packed = json(context.extbuild(&["image", "pack", "tree", "-o", "image", "--json"]));
    let size = fs::metadata(context.dir().join("image")).expect("the image is there").len();
    assert_eq!((&packed["size"], &packed["content"]["inodes"]), (&Value::from(size), &Value::from(7)));

    let checked = json(context.extbuild(&["image", "check", "image", "--files", "--data", "--json"]));
    assert_eq!(checked["verity"], packed["verity"]);
    assert_eq!(checked["findings"], Value::Array(Vec::new()));
    let files = checked["files"].as_array().expect("there are files");
    let told: Vec<(&str, &str, u64)> = files
        .iter()
        .map(|file| {
            let text = |key: &str| file[key].as_str().unwrap_or_default();
            (text("path"), text("mode"), file["links"].as_u64().unwrap_or_default())
        })
        .collect();
    assert_eq!(told[3], ("/usr/bin/again", "0755", 2));
    assert_eq!(told[4], ("/usr/bin/tool", "0755", 2));
    assert_eq!(context.extbuild(&["image", "cat", "image", "/usr/bin/tool"]).ok(), "#!/bin/sh");
}

#[test]
fn an_archive_of_the_directory_makes_the_same_image() {
    let context = Context::new();
    author(&context);
    context.run(Command::new("tar").args(["-czf", "tree.tar.gz", "--sort=name", "-C", "tree", "."])).ok();
    let digest = |source: &str, output: &str| context.extbuild(&["image", "pack", source, "-o", output]).ok();
    assert_eq!(digest("tree", "one"), digest("tree.tar.gz", "two"));
}

#[test]
fn a_debian_package_is_packed() {
    let context = Context::new();
    let deb = inputs().join("debs/firmware-realtek.deb");
    let deb = deb.to_str().expect("the path is text");
    context.extbuild(&["image", "pack", deb, "-o", "image"]).ok();
    let listed = context.extbuild(&["image", "check", "image", "--files"]).ok();
    assert!(listed.contains("/lib/firmware/rtl_nic/"), "{listed}");
}

#[test]
fn options_are_what_the_image_is_made_with() {
    let context = Context::new();
    author(&context);
    for (method, level, block) in
        [("gzip", "1", "4K"), ("xz", "0", "64K"), ("lz4", "0", "1M"), ("zstd", "19", "256K")]
    {
        let args =
            ["--compression", method, "--level", level, "--block-size", block, "--no-verity", "--no-cache"];
        context.extbuild(&[&["image", "pack", "tree", "-o", "image"][..], &args].concat()).ok();
        let checked = json(context.extbuild(&["image", "check", "image", "--json"]));
        let kib = checked["blockSize"].as_u64().unwrap_or_default() >> 10;
        let wanted =
            if block == "1M" { 1024 } else { block.trim_end_matches('K').parse().unwrap_or_default() };
        assert_eq!((checked["compression"].as_str(), kib), (Some(method), wanted));
        assert_eq!(checked["verity"], Value::Null);
    }
    let kept = fs::read_dir(context.cache()).expect("the cache is there").count();
    assert_eq!(kept, 0, "--no-cache leaves nothing behind");
}

#[test]
fn what_an_image_cannot_hold_is_refused_and_nothing_is_written() {
    let context = Context::new();
    author(&context);
    context.run(Command::new("mkfifo").arg("tree/usr/pipe")).ok();
    insta::assert_snapshot!("image_of_a_fifo", context.extbuild(&["image", "pack", "tree", "-o", "image"]));
    fs::remove_file(context.dir().join("tree/usr/pipe")).expect("our own file");
    chmod(&context, "tree/usr/bin/tool", 0o4755);
    insta::assert_snapshot!(
        "image_of_a_setuid_file",
        context.extbuild(&["image", "pack", "tree", "-o", "image"])
    );
    assert!(!context.dir().join("image").exists());
}

#[test]
fn rules_that_a_foreign_image_breaks_are_named() {
    let context = Context::new();
    author(&context);
    chmod(&context, "tree/usr/share/text", 0o666);
    chmod(&context, "tree/usr/bin/tool", 0o4755);
    context.run(Command::new("mknod").args(["tree/usr/share/gone", "c", "0", "0"])).ok();
    let args = ["tree", "image", "-quiet", "-no-progress", "-all-root", "-no-xattrs"];
    context.run(Command::new("mksquashfs").args(args)).ok();
    let said = context.extbuild(&["image", "check", "image"]);
    insta::with_settings!({filters => vec![(r"\d+\.\d kB in", "[SIZE] in"), (r"squashfs( +)\d.*B", "squashfs [SIZE]")]}, {
        insta::assert_snapshot!("image_of_somebody_else", said);
    });
}

#[test]
fn a_flipped_byte_is_found() {
    let context = Context::new();
    author(&context);
    let numbers: Vec<u8> =
        (0..100_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    context.write("tree/numbers", numbers);
    context.extbuild(&["image", "pack", "tree", "-o", "image"]).ok();
    let path = context.dir().join("image");
    let mut bytes = fs::read(&path).expect("the image is there");
    bytes[200] ^= 1;
    fs::write(&path, bytes).expect("our own file");
    let said = context.extbuild(&["image", "check", "image"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("block 0"), "{said}");
}

/// A small file system of its own, gone with the value.
struct SmallDisk<'a>(&'a Context);

impl<'a> SmallDisk<'a> {
    fn new(context: &'a Context) -> SmallDisk<'a> {
        fs::create_dir(context.dir().join("small")).expect("the directory can be made");
        context.run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs", "small"])).ok();
        SmallDisk(context)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = self.0.run(Command::new("umount").args(["--lazy", "small"]));
    }
}

#[test]
fn a_full_disk_leaves_what_was_there_and_nothing_half_written() {
    let context = Context::new();
    author(&context);
    let mut noise = fs::File::open("/dev/urandom")
        .map(|file| std::io::Read::take(file, 3 << 20))
        .expect("there is noise");
    let mut file = fs::File::create(context.dir().join("tree/noise")).expect("our own file");
    std::io::copy(&mut noise, &mut file).expect("there is room");
    let _disk = SmallDisk::new(&context);
    context.write("small/image", "what was there");
    let said = context.extbuild(&["image", "pack", "tree", "-o", "small/image"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(said.stderr.contains("No space left on device"), "{said}");
    assert_eq!(fs::read(context.dir().join("small/image")).expect("it is there"), b"what was there");
    assert_eq!(fs::read_dir(context.dir().join("small")).expect("it is there").count(), 1);
}

#[test]
fn a_killed_build_leaves_no_file_and_a_cache_that_later_builds_can_believe() {
    let context = Context::new();
    author(&context);
    for n in 0..40u32 {
        let bytes: Vec<u8> =
            (0..200_000u32).flat_map(|at| (at.wrapping_mul(n + 3) >> 7).to_le_bytes()).collect();
        context.write(&format!("tree/data/{n}"), bytes);
    }
    let args = ["image", "pack", "tree", "--level", "15", "--block-size", "4K", "-o"];
    let without = context.extbuild(&[&args[..], &["expected", "--no-cache"]].concat()).ok();
    fs::create_dir(context.dir().join("out")).expect("our own directory");
    let mut killed = 0;
    for delay in (0..10).map(|n| Duration::from_millis(20 + n * 60)) {
        let mut build = Command::new(from_xtask("TENON_EXTBUILD"));
        build.args(args).arg("out/image").current_dir(context.dir()).env("TENON_CACHE_DIR", context.cache());
        let mut build =
            build.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        std::thread::sleep(delay);
        build.kill().expect("it is our own");
        killed += usize::from(!build.wait().expect("it is our own").success());
        for left in fs::read_dir(context.dir().join("out")).expect("it is there") {
            let path = left.expect("it is there").path();
            assert_eq!(path.file_name(), Some("image".as_ref()), "after {delay:?}");
            fs::remove_file(path).expect("our own file");
        }
    }
    assert!(killed > 0, "no build was slow enough to be killed");
    assert_eq!(context.extbuild(&[&args[..], &["image"]].concat()).ok(), without);
}

//! The kernel believes what `extbuild` says about an image: dm-verity opens it with the root hash that was printed,
//! and gives no byte of a block that was changed since.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

mod guest;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tests::{Context, inputs};

/// Where Debian's cryptsetup-bin has it.
const VERITYSETUP: &str = "/usr/sbin/veritysetup";

/// Opens the first disk with a wrong root hash, and then both with the right one; says what it sees as `TEST: WORDS`.
const SCRIPT: &str = "\
open() {
    mkdir /$1
    veritysetup open --hash-offset=$hash_offset $2 $1 $2 $3 2>&1 | sed \"s/^/$1: open: /\"
    mount -t squashfs -o ro /dev/mapper/$1 /$1 2>&1 && echo \"$1: mounted\"
}
open wrong /dev/vda $wrong_hash
veritysetup close wrong

open good /dev/vda $root_hash
cd /good
find . -type f -exec sha256sum {} + | sed 's/^/good: /'

open flipped /dev/vdb $root_hash
cd /flipped
sha256sum ./sound | sed 's/^/flipped: /'
cat ./damaged 2>&1 >/dev/null | sed 's/^/flipped: /'

dmesg | sed -n 's/.* verity: [0-9:]* /kernel: /p' | sort -u
";

/// Bytes that no compressor makes smaller, so that they can be found in the image again (xorshift64).
fn incompressible(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state)
    };
    std::iter::from_fn(next).flat_map(u64::to_le_bytes).take(len).collect()
}

/// An image on disk and what `extbuild` said about it.
struct Packed {
    path: PathBuf,
    root_hash: String,
    hash_offset: u64,
}

/// Packs `tree`, which has two files of ours and the kernel's symbols and configuration.
fn pack(context: &Context) -> Packed {
    context.write("tree/damaged", incompressible(1 << 20));
    context.write("tree/sound", "a line of text that compresses well\n".repeat(9000));
    let boot = inputs().join("kernel/boot").display().to_string();
    let copy = format!("cp -r {boot} tree/ && rm tree/boot/vmlinuz*");
    context.run(Command::new("sh").args(["-c", &copy])).ok();
    let said = context.extbuild(&["image", "pack", "tree", "-o", "good.squashfs", "--json"]).ok();
    let facts: serde_json::Value = serde_json::from_str(&said).expect("the facts are JSON");
    let verity = &facts["verity"];
    let root_hash = verity["rootHash"].as_str().and_then(|root| root.strip_prefix("sha256:"));
    Packed {
        path: context.dir().join("good.squashfs"),
        root_hash: root_hash.expect("there is a root hash").to_owned(),
        hash_offset: verity["hashOffset"].as_u64().expect("there is an offset"),
    }
}

/// A copy of the image in which one byte in the middle of the file `damaged` is another; says in which block.
fn flipped(context: &Context, image: &Packed) -> (PathBuf, usize) {
    let mut bytes = fs::read(&image.path).unwrap();
    let content = incompressible(1 << 20);
    let middle = &content[content.len() / 2..][..64];
    let at = bytes.windows(middle.len()).position(|window| window == middle).expect("it is stored as it is");
    bytes[at] ^= 1;
    (context.write("flipped.squashfs", bytes), at / 4096)
}

#[test]
fn the_kernel_reads_the_image_through_verity_and_nothing_that_was_changed() {
    let context = Context::new();
    let image = pack(&context);
    let (flipped, block) = flipped(&context, &image);
    let wrong_hash: String = image.root_hash.chars().rev().collect();
    let variables = format!(
        "root_hash={}\nwrong_hash={wrong_hash}\nhash_offset={}\n",
        image.root_hash, image.hash_offset
    );
    let console = guest::run(&context, &[VERITYSETUP], &(variables + SCRIPT), &[&image.path, &flipped]);
    let said = |test: &str| sorted(console.lines().filter_map(|line| line.strip_prefix(test)));

    let sums = "cd tree && find . -type f -exec sha256sum {} +";
    let sums = context.run(Command::new("sh").args(["-c", sums])).ok();
    assert_eq!(said("good: "), sorted(sums.lines().chain(["mounted"])), "{console}");

    let sound = sums.lines().find(|line| line.ends_with("./sound")).unwrap();
    assert_eq!(
        said("flipped: "),
        sorted([sound, "cat: read error: Input/output error", "mounted"]),
        "{console}"
    );

    assert!(!said("wrong: ").contains(&"mounted"), "{console}");
    let top_of_tree = format!("metadata block {} is corrupted", image.hash_offset / 4096 + 1);
    let changed = format!("data block {block} is corrupted");
    assert_eq!(said("kernel: "), [changed, top_of_tree], "{console}");
}

fn sorted<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut lines: Vec<&str> = lines.into_iter().collect();
    lines.sort_unstable();
    lines
}

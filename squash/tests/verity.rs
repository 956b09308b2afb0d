//! The verity area is the one that `veritysetup` of cryptsetup makes, and damage is seen by both.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;
use spec::Digest;
use spec::verity::{Salt, VerityFacts};
use squash::verity::{self, BLOCK, HashTree, Superblock, VerityFault};

/// An image of that many blocks, each of them another one.
fn image(blocks: usize) -> Vec<u8> {
    let mut image = vec![0; blocks * BLOCK];
    for (number, block) in image.chunks_mut(BLOCK).enumerate() {
        block[..8].copy_from_slice(&(number as u64 + 1).to_le_bytes());
        block[BLOCK - 1] = 0xff;
    }
    image
}

fn salt() -> Salt {
    verity::salt(Digest::of(b"a test"))
}

fn tree(image: &[u8]) -> HashTree {
    HashTree::of(image, salt()).unwrap()
}

fn area(tree: &HashTree) -> Vec<u8> {
    let mut area = Vec::new();
    tree.write(&mut area).unwrap();
    area
}

/// A file with an image and its verity area, as the writer makes it.
struct Sealed {
    dir: tempfile::TempDir,
    facts: VerityFacts,
}

impl Sealed {
    fn new(blocks: usize) -> Sealed {
        let dir = tempfile::tempdir().unwrap();
        let image = image(blocks);
        let tree = tree(&image);
        fs::write(dir.path().join("image"), [image, area(&tree)].concat()).unwrap();
        Sealed { dir, facts: tree.facts() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn check(&self) -> Result<(), VerityFault> {
        verity::check(&File::open(self.path()).unwrap(), &self.facts)
    }

    fn flip(&self, at: u64) {
        let file = OpenOptions::new().read(true).write(true).open(self.path()).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }

    fn veritysetup_verify(&self) -> Output {
        let offset = format!("--hash-offset={}", self.facts.hash_offset);
        veritysetup(&self.path(), &["verify"], &[&self.facts.root_hash.hex(), &offset])
    }
}

/// Runs `veritysetup` with one file for data and hashes.
fn veritysetup(file: &Path, action: &[&str], rest: &[&str]) -> Output {
    Command::new("veritysetup").args(action).args([file, file]).args(rest).output().unwrap()
}

/// What `veritysetup format` makes of the image, and the root hash that it prints.
fn formatted(image: &[u8], like: &VerityFacts, uuid: [u8; 16]) -> (Vec<u8>, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    fs::write(&path, image).unwrap();
    let uuid: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    let uuid = [&uuid[..8], &uuid[8..12], &uuid[12..16], &uuid[16..20], &uuid[20..]].join("-");
    let options = ["--data-block-size=4096", "--hash-block-size=4096"];
    let ours = [
        format!("--salt={}", like.salt),
        format!("--uuid={uuid}"),
        format!("--hash-offset={}", like.hash_offset),
    ];
    let output =
        veritysetup(&path, &["format"], &[&options[..], &ours.each_ref().map(String::as_str)].concat());
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let root = said.lines().find_map(|line| line.strip_prefix("Root hash:")).unwrap().trim().to_owned();
    (fs::read(&path).unwrap(), root)
}

fn assert_like_veritysetup(blocks: usize) {
    let image = image(blocks);
    let tree = tree(&image);
    let area = area(&tree);
    let superblock = Superblock::read(area.first_chunk().unwrap()).unwrap();
    let (theirs, root) = formatted(&image, &tree.facts(), superblock.uuid);
    assert_eq!(tree.facts().root_hash.hex(), root, "{blocks} blocks");
    assert!(theirs == [image, area].concat(), "{blocks} blocks: other bytes");
}

#[test]
fn the_area_is_what_veritysetup_writes() {
    for blocks in [1, 2, 127, 128, 129, 255, 256, 257, 128 * 128 - 1, 128 * 128, 128 * 128 + 1] {
        assert_like_veritysetup(blocks);
    }
}

#[test]
fn veritysetup_and_we_accept_what_we_write() {
    for blocks in [1, 2, 128, 129, 128 * 128 + 1] {
        let sealed = Sealed::new(blocks);
        sealed.check().unwrap();
        let output = sealed.veritysetup_verify();
        assert!(output.status.success(), "{blocks} blocks: {output:?}");
        let file = File::open(sealed.path()).unwrap();
        assert_eq!(verity::claimed(&file, sealed.facts.hash_offset).unwrap(), sealed.facts);
    }
}

/// 300 blocks have two levels: three blocks of hashes below, and one above.
#[test]
fn a_flipped_byte_is_refused_wherever_it_is() {
    let sealed = Sealed::new(300);
    let block = BLOCK as u64;
    let data_end = sealed.facts.hash_offset;
    let (top, low) = (data_end + block, data_end + 2 * block);
    let data = |at: u64| format!("Data {{ block: {} }}", at / block);
    let tree = |at: u64| format!("Tree {{ at: {} }}", at / block * block);
    let super_block =
        |field: &str| format!("Superblock {{ at: {data_end}, source: SuperblockError({field:?}) }}");
    let places = [
        (0, data(0)),
        (128 * block, data(128 * block)),
        (data_end - 1, data(data_end - 1)),
        (data_end, super_block("signature")),
        (data_end + 20, super_block("UUID")),
        (data_end + 72, super_block("number of data blocks")),
        (data_end + 88, super_block("salt")),
        (data_end + 700, super_block("padding after the superblock")),
        (top + 65, tree(top)),
        (top + 3 * 32, tree(top)),
        (low, tree(low)),
        (low + 2 * block + 5, tree(low + 2 * block)),
        (low + 3 * block - 1, tree(low + 3 * block - 1)),
    ];
    for (at, fault) in places {
        sealed.flip(at);
        assert_eq!(format!("{:?}", sealed.check().unwrap_err()), fault, "byte {at}");
        // The kernel and veritysetup take no notice of the UUID and of what follows the superblock.
        let is_free = fault.contains("UUID") || fault.contains("padding");
        assert_eq!(sealed.veritysetup_verify().status.success(), is_free, "byte {at}");
        sealed.flip(at);
    }
    sealed.check().unwrap();
}

#[test]
fn no_byte_of_a_small_image_is_free() {
    let sealed = Sealed::new(3);
    for at in (0..fs::metadata(sealed.path()).unwrap().len()).step_by(7) {
        sealed.flip(at);
        assert!(sealed.check().is_err(), "byte {at}");
        sealed.flip(at);
    }
}

#[test]
fn another_length_and_other_facts_are_refused() {
    let sealed = Sealed::new(129);
    let file = OpenOptions::new().write(true).open(sealed.path()).unwrap();
    let len = file.metadata().unwrap().len();
    for wrong in [0, len - 1, len + 1] {
        file.set_len(wrong).unwrap();
        assert!(matches!(sealed.check(), Err(VerityFault::Length { wanted, .. }) if wanted == len));
    }
    let sealed = Sealed::new(129);
    let file = File::open(sealed.path()).unwrap();
    let facts = sealed.facts;
    let fault = |facts| verity::check(&file, &facts).unwrap_err();
    let other_root = VerityFacts { root_hash: Digest::of(b"other"), ..facts };
    assert!(matches!(fault(other_root), VerityFault::Superblock { .. }));
    let other_salt = VerityFacts { salt: Salt::new([0; 32]), ..facts };
    assert!(matches!(fault(other_salt), VerityFault::Superblock { .. }));
    for hash_offset in [0, 4097, facts.hash_offset + 1] {
        assert!(matches!(fault(VerityFacts { hash_offset, ..facts }), VerityFault::Offset(_)));
    }
    for hash_offset in [4096, facts.hash_offset + 4096, u64::MAX - 4095] {
        assert!(matches!(fault(VerityFacts { hash_offset, ..facts }), VerityFault::Length { .. }));
        assert!(matches!(verity::claimed(&file, hash_offset), Err(VerityFault::Length { .. })));
    }
}

#[test]
fn a_file_of_garbage_claims_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    fs::write(&path, vec![0x5a; 4 * BLOCK]).unwrap();
    let file = File::open(&path).unwrap();
    // Two blocks of data have a superblock and one block of hashes.
    let fault = verity::claimed(&file, 2 * BLOCK as u64).unwrap_err();
    assert_eq!(
        spec::sentence(&fault),
        "byte 8192: there is no verity superblock of the image: the signature of \
         the verity superblock is not the expected one"
    );
    fs::write(&path, area(&tree(&image(1)))).unwrap();
    let file = File::open(&path).unwrap();
    assert!(matches!(verity::claimed(&file, 0), Err(VerityFault::Offset(0))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_number_of_blocks_gives_what_veritysetup_writes(blocks in 1usize..3000) {
        assert_like_veritysetup(blocks);
    }
}

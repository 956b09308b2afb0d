//! A small world to attack: a base, a trust policy and a medium with extensions, made by the rooms that make real ones.
// Each test file uses its part of it, and a world that cannot be made is a failed test.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use catalog::{Descriptor, NewExtension, Store};
use kabi::Profile;
use signing::{DocumentKind, SigningKey, sign_document, sign_extension};
use spec::artifact::{CONFIG_SCHEMA, ExtensionConfig, Requirement};
use spec::base::{BaseDescription, BaseImage};
use spec::listing::{Kind, Listing};
use spec::{Arch, Digest, ExtensionName, Grant, TreePath, Version};
use squash::{Content, Means, Mode, Node, Options, Tree};
use tempfile::TempDir;

pub const KERNEL: &str = "6.1.0-test";
pub const BASE_PATHS: &str = "/usr/\n/usr/bin/\n/usr/bin/sh\n/usr/lib/\n/usr/lib/modules/\n/usr/lib64\n";
const EXPORT: &str = "0x92997ed8\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n";
const NO_MODULES: &str = r#"{"schemaVersion":1,"modules":[]}"#;

/// A key of the policy that may sign everything.
pub fn publisher() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

/// A key of the policy that may sign `net-*` only.
pub fn net_publisher() -> SigningKey {
    SigningKey::from_seed([2; 32])
}

/// A key that the policy does not have.
pub fn stranger() -> SigningKey {
    SigningKey::from_seed([3; 32])
}

/// What every extension may carry.
pub fn plain_grants() -> [Grant; 3] {
    ["modules", "firmware", "binaries"].map(|grant| grant.parse().unwrap())
}

/// An extension to be.
#[derive(Debug, Clone)]
pub struct Extension {
    pub config: ExtensionConfig,
    pub files: Vec<(String, Vec<u8>)>,
    pub kabi: Option<Vec<u8>>,
    /// An image and a listing that need not belong together, instead of those of `files`.
    pub forged: Option<(Vec<u8>, Listing)>,
}

impl Extension {
    /// A sound one with one file, `/usr/bin/NAME`.
    pub fn new(name: &str) -> Extension {
        let config = ExtensionConfig {
            schema_version: CONFIG_SCHEMA,
            name: name.parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            upstream: None,
            arch: Arch::Amd64,
            description: String::new(),
            license: None,
            kernel: None,
            requires: Vec::new(),
            load: Vec::new(),
            probes: Vec::new(),
            force: Vec::new(),
            grants: Vec::new(),
            generations: Default::default(),
            group: None,
            content: spec::artifact::ContentFacts { inodes: 0, bytes: 0 },
            verity: None,
            root_hash_signature: None,
        };
        let file = (format!("/usr/bin/{name}"), format!("the program {name}").into_bytes());
        Extension { config, files: vec![file], kabi: None, forged: None }
    }

    pub fn version(mut self, version: &str) -> Extension {
        self.config.version = version.parse().unwrap();
        self
    }

    pub fn file(mut self, path: &str) -> Extension {
        self.files.push((path.to_owned(), path.as_bytes().to_vec()));
        self
    }

    pub fn requires(mut self, name: &str, range: &str) -> Extension {
        let (name, version) = (name.parse().unwrap(), range.parse().unwrap());
        self.config.requires.push(Requirement { name, version });
        self
    }

    /// A module `NAME.ko` for `release` that imports `_printk` with this CRC; the file itself is none.
    pub fn module(mut self, name: &str, release: &str, crc: &str) -> Extension {
        let path = format!("/usr/lib/modules/{release}/extra/{}/{name}.ko", self.config.name);
        let record = format!(
            concat!(
                r#"{{"schemaVersion":1,"modules":[{{"name":"{name}","path":"{path}","arch":"amd64","#,
                r#""vermagic":"{release} SMP mod_unload modversions ","versioned":true,"license":"GPL","#,
                r#""imports":{{"_printk":{{"crc":"{crc}"}}}}}}]}}"#
            ),
            name = name,
            path = path,
            release = release,
            crc = crc
        );
        self.kabi = Some(record.into_bytes());
        self.config.kernel = Some(release.parse().unwrap());
        self.config.load.push(name.parse().unwrap());
        self.file(&path)
    }

    /// The image and the listing as they will be stored.
    pub fn image(&self) -> (Vec<u8>, Listing) {
        if let Some(forged) = &self.forged {
            return forged.clone();
        }
        let tree = self.tree();
        (pack(&tree), tree.listing())
    }

    /// The config as it will be stored: with what is in the image, unless a test has said what is.
    pub fn stored_config(&self) -> ExtensionConfig {
        let content = match self.config.content.inodes {
            0 => self.tree().facts(),
            _ => self.config.content,
        };
        let mut grants = [self.config.grants.clone(), plain_grants().to_vec()].concat();
        grants.sort_unstable();
        ExtensionConfig { content, grants, ..self.config.clone() }
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        for (path, bytes) in &self.files {
            let node = Node::File { mode: Mode::FILE, content: Content::Bytes(bytes.clone()) };
            tree.insert(path.parse().unwrap(), node).unwrap();
        }
        tree
    }
}

/// The release of the kernel that runs.
pub fn running() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim_end().to_owned()
}

/// The tree of a base for the running kernel, with the facts about itself.
fn base_tree() -> Tree {
    let release = running();
    let modules = format!("/usr/lib/modules/{release}");
    let mut tree = Tree::new();
    let mut file = |path: &str, bytes: Vec<u8>| {
        let node = Node::File { mode: Mode::FILE, content: Content::Bytes(bytes) };
        tree.insert(path.parse().unwrap(), node).unwrap();
    };
    file("/usr/bin/sh", "the shell".into());
    file(&format!("{modules}/modules.dep"), "stale".into());
    file(&format!("{modules}/modules.dep.bin"), "stale".into());
    file(&format!("{modules}/modules.order"), "kernel/fs/ext4/ext4.ko\n".into());
    file(&format!("{modules}/modules.builtin"), "kernel/fs/ext4/ext4.ko\n".into());
    file("/usr/lib/tenon/kabi.db", profile(&release));
    file("/usr/lib/tenon/modules.json", NO_MODULES.into());
    let paths: TreePath = "/usr/lib/tenon/paths".parse().unwrap();
    let mut listing = tree.listing();
    listing.insert(paths.clone(), Kind::Leaf);
    let content = Content::Bytes(listing.to_text().into_bytes());
    tree.insert(paths, Node::File { mode: Mode::FILE, content }).unwrap();
    tree
}

/// The squashfs image of a tree.
pub fn pack(tree: &Tree) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    squash::pack(tree, &Options::default(), Means::of_this_machine(), file.as_file_mut(), &mut |_| ())
        .unwrap();
    fs::read(file.path()).unwrap()
}

/// Directories `base` and `medium`, and `trust.yaml`.
#[derive(Debug)]
pub struct World {
    dir: TempDir,
}

impl World {
    pub fn new() -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        let base = world.base();
        fs::create_dir(&base).unwrap();
        let description = format!(
            concat!(
                r#"{{"schemaVersion":1,"name":"demo","version":"1.0.0","arch":"amd64","kernel":"{}","#,
                r#""root":{{"digest":"{}","size":0}},"bootModules":[]}}"#
            ),
            KERNEL,
            Digest::of(b"")
        );
        fs::write(base.join("base.json"), description).unwrap();
        fs::write(base.join("kabi.db"), profile(KERNEL)).unwrap();
        fs::write(base.join("modules.json"), NO_MODULES).unwrap();
        fs::write(base.join("paths"), BASE_PATHS).unwrap();
        fs::create_dir_all(world.medium().join("tenon")).unwrap();
        Store::create_or_open(world.store_dir()).unwrap();
        fs::write(world.trust(), trust_policy()).unwrap();
        world
    }

    /// Makes the world one that this machine can boot: what an initramfs has goes to `root`, the base to the medium.
    pub fn furnish(&self, root: &Path) {
        let image = pack(&base_tree());
        fs::write(self.medium().join("tenon/root.squashfs"), &image).unwrap();
        let description = BaseDescription {
            schema_version: 1,
            name: "demo".parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            arch: Arch::Amd64,
            kernel: running().parse().unwrap(),
            root: BaseImage { digest: Digest::of(&image), size: image.len() as u64, verity: None },
            boot_modules: Vec::new(),
        };
        fs::create_dir_all(root.join("tenon")).unwrap();
        fs::write(root.join("tenon/base.json"), serde_json::to_vec(&description).unwrap()).unwrap();
        fs::copy(self.trust(), root.join("tenon/trust.yaml")).unwrap();
    }

    pub fn base(&self) -> PathBuf {
        self.dir.path().join("base")
    }

    pub fn medium(&self) -> PathBuf {
        self.dir.path().join("medium")
    }

    pub fn trust(&self) -> PathBuf {
        self.dir.path().join("trust.yaml")
    }

    pub fn store_dir(&self) -> PathBuf {
        self.medium().join("tenon/store")
    }

    pub fn store(&self) -> Store {
        Store::open(self.store_dir()).unwrap()
    }

    /// The file of a blob.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.store_dir().join("blobs/sha256").join(digest.hex())
    }

    /// Puts an extension on the medium without a signature.
    pub fn add(&self, extension: &Extension) -> Descriptor {
        let (image, paths) = extension.image();
        let mut file = open(&image);
        let new = NewExtension {
            config: &extension.stored_config(),
            image: &mut file,
            image_digest: Digest::of(&image),
            image_size: image.len() as u64,
            paths: &paths,
            kabi: extension.kabi.as_deref(),
        };
        self.store().assemble(new).unwrap()
    }

    /// Signs a manifest under a name.
    pub fn sign(&self, key: &SigningKey, name: &str, manifest: &Descriptor) {
        let bundle = sign_extension(key, &name.parse().unwrap(), &manifest.digest).unwrap().to_json();
        self.store().attach_signature(manifest, &bundle).unwrap();
    }

    /// Puts an extension on the medium as its publisher would.
    pub fn publish(&self, extension: &Extension) -> Descriptor {
        let manifest = self.add(extension);
        self.sign(&publisher(), extension.config.name.as_str(), &manifest);
        manifest
    }

    /// Lists a manifest again, as something that it need not be.
    pub fn relist(&self, manifest: &Descriptor, name: &str, version: &str) {
        let bytes = fs::read(self.blob(&manifest.digest)).unwrap();
        let name: ExtensionName = name.parse().unwrap();
        let version: Version = version.parse().unwrap();
        let listed = manifest.bare().of_extension(&name, &version, Arch::Amd64);
        let index = self.store_dir().join("index.json");
        let before = fs::read_to_string(&index).unwrap();
        fs::write(&index, before.replace(&manifest.digest.to_string(), &Digest::of(b"gone").to_string()))
            .unwrap();
        self.store().put_manifest(&bytes, listed).unwrap();
    }

    /// Lets every key that signs extensions let in these grants too.
    pub fn let_in(&self, grants: &str) {
        let text = fs::read_to_string(self.trust()).unwrap();
        let may = format!("\"]\n    may: [modules, firmware, binaries, {grants}]\n    publicKey:");
        fs::write(self.trust(), text.replace("\"]\n    publicKey:", &may)).unwrap();
    }

    /// Adds fields to the trust policy.
    pub fn amend_trust(&self, fields: &str) {
        let text = fs::read_to_string(self.trust()).unwrap();
        fs::write(self.trust(), format!("{text}{fields}\n")).unwrap();
    }

    /// Puts a document of trust on the medium, signed by `key`.
    pub fn update(&self, file: &str, kind: DocumentKind, text: &str, key: &SigningKey) {
        let dir = self.medium().join("tenon/trust");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("{file}.yaml")), text).unwrap();
        let bundle = sign_document(key, kind, text.as_bytes()).unwrap().to_json();
        fs::write(dir.join(format!("{file}.json")), bundle).unwrap();
    }

    /// Writes the machine config: names, and ranges after a blank.
    pub fn want(&self, extensions: &[&str]) {
        let mut text = "apiVersion: v1alpha1\nkind: ExtensionsConfig\nextensions:\n".to_owned();
        for wanted in extensions {
            let (name, range) = wanted.split_once(' ').unwrap_or((wanted, "*"));
            text += &format!("  - name: {name}\n    version: \"{range}\"\n");
        }
        fs::write(self.medium().join("tenon/machine.yaml"), text).unwrap();
    }
}

/// Flips the lowest bit of the last byte that is not a newline or a closing brace, so that JSON stays JSON.
pub fn flip_a_byte(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let place = bytes.iter().rposition(u8::is_ascii_alphanumeric).unwrap();
    bytes[place] ^= 1;
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

/// A file with these bytes, at its start.
pub fn open(bytes: &[u8]) -> File {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    file.reopen().unwrap()
}

/// The profile of a kernel that exports one symbol.
pub fn profile(release: &str) -> Vec<u8> {
    Profile::from_symvers(EXPORT, release.parse().unwrap(), Arch::Amd64).unwrap().to_bytes()
}

/// The operator of the policy, who signs sets and revocations.
pub fn operator() -> SigningKey {
    SigningKey::from_seed([4; 32])
}

fn trust_policy() -> String {
    let key = |name: &str, scope: &str, key: SigningKey| {
        let pem = key.public_key().to_pem().trim_end().replace('\n', "\n      ");
        format!("  - name: {name}\n    extensions: [\"{scope}\"]\n    publicKey: |\n      {pem}\n")
    };
    let publisher = key("publisher", "*", publisher());
    let net = key("net-publisher", "net-*", net_publisher());
    let operator = key("operator", "*", operator()).replace("extensions: [\"*\"]", "roles: [operator]");
    format!("apiVersion: v1alpha1\nkind: TrustPolicy\nkeys:\n{publisher}{net}{operator}")
}

//! Small inputs for tests: just enough of each format for the code that looks at it.

use std::io::Seek;
use std::path::PathBuf;

use catalog::{NewExtension, Store};
use signing::{SigningKey, sign_extension};
use spec::artifact::{ContentFacts, ExtensionConfig};
use spec::base::{BaseDescription, BaseImage};
use spec::{Arch, Digest};
use squash::{Content, Means, Mode, Node, Options, Tree};

use crate::Inputs;

/// An ELF executable of type `kind` with one program header of type `segment`.
pub(crate) fn program(kind: u16, arch: Arch, segment: u32) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(kind.to_le_bytes());
    bytes.extend(arch.elf_machine().to_le_bytes());
    bytes.extend(1_u32.to_le_bytes()); // e_version
    bytes.extend(0_u64.to_le_bytes()); // e_entry
    bytes.extend(64_u64.to_le_bytes()); // e_phoff
    bytes.extend([0; 8 + 4]); // e_shoff, e_flags
    for half in [64_u16, 56, 1, 64, 0, 0] {
        bytes.extend(half.to_le_bytes()); // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
    }
    bytes.extend(segment.to_le_bytes());
    bytes.resize(64 + 56, 0);
    bytes
}

/// A UEFI program with one section and room for `room` more section headers.
pub(crate) fn uefi_program(machine: u16, room: usize) -> Vec<u8> {
    let mut bytes = b"MZ".to_vec();
    bytes.resize(0x3c, 0);
    bytes.extend(0x40_u32.to_le_bytes());
    bytes.extend(b"PE\0\0");
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes()); // NumberOfSections
    bytes.extend([0; 12]);
    bytes.extend(240_u16.to_le_bytes()); // SizeOfOptionalHeader
    bytes.extend(0x206_u16.to_le_bytes());
    let headers = bytes.len() + 240 + (1 + room) * 40;
    let first = headers.next_multiple_of(0x200) as u32;
    let gap = first as usize - headers; // the alignment must not give more room than was asked for
    let optional = bytes.len();
    bytes.resize(optional + 240, 0);
    let mut set =
        |at: usize, value: &[u8]| bytes[optional + at..optional + at + value.len()].copy_from_slice(value);
    set(0, &0x20b_u16.to_le_bytes());
    set(8, &0x200_u32.to_le_bytes()); // SizeOfInitializedData
    set(32, &0x1000_u32.to_le_bytes()); // SectionAlignment
    set(36, &0x200_u32.to_le_bytes()); // FileAlignment
    set(56, &0x2000_u32.to_le_bytes()); // SizeOfImage
    set(60, &(first - gap as u32).to_le_bytes()); // SizeOfHeaders
    set(68, &10_u16.to_le_bytes()); // EFI application
    set(108, &16_u32.to_le_bytes()); // NumberOfRvaAndSizes
    bytes.extend(b".text\0\0\0");
    for word in [0x10, 0x1000, 0x200, first, 0, 0, 0, 0x6000_0020_u32] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.resize(first as usize, 0);
    bytes.resize(first as usize + 0x200, 0x90);
    bytes
}

/// A directory with everything that a medium is composed from.
pub(crate) struct World {
    directory: tempfile::TempDir,
}

/// The seed of the key that the trust policy of a [`World`] has.
const KEY: [u8; 32] = [7; 32];

impl World {
    /// A base, a layout with the extension `demo` 1.0.0, signed, and 1.1.0, not signed, and a machine that wants
    /// `demo` 1.0.
    pub(crate) fn new() -> World {
        let world = World { directory: tempfile::tempdir().unwrap() };
        world.write("base/root.squashfs", b"root image");
        world.write("base/vmlinuz", &uefi_program(0x8664, 0));
        world.write("base/boot-modules/isofs.ko", b"isofs");
        world.write("base/boot-modules/sr_mod.ko", b"sr_mod");
        world.write("base/base.json", &serde_json::to_vec(&description(b"root image")).unwrap());
        world.write("base/kabi.db", &profile().to_bytes());
        world.write("base/modules.json", &kabi::Record::default().to_json());
        world.write("base/paths", b"/usr/\n");
        world.write(
            "machine.yaml",
            b"apiVersion: v1alpha1\nkind: ExtensionsConfig\nextensions:\n- {name: demo, version: ~1.0}\n",
        );
        world.write("trust.yaml", trust().as_bytes());
        world.write("extruntime", &program(2, Arch::Amd64, 1));
        world.write("stub", &uefi_program(0x8664, 5));
        world.write("schematic.yaml", SCHEMATIC.as_bytes());
        world.add_extension("1.0.0", Some(SigningKey::from_seed(KEY)));
        world.add_extension("1.1.0", None);
        world
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    pub(crate) fn inputs(&self) -> Inputs {
        Inputs {
            schematic: self.path("schematic.yaml"),
            patches: Vec::new(),
            runtime: self.path("extruntime"),
            stub: self.path("stub"),
            secure_boot: None,
            output: self.path("out.iso"),
            occasion: signing::Occasion::Boot(None),
        }
    }

    pub(crate) fn write(&self, relative: &str, bytes: &[u8]) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Replaces text in a file.
    pub(crate) fn edit(&self, relative: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(relative)).unwrap();
        assert!(text.contains(from), "{relative} does not say {from}");
        std::fs::write(self.path(relative), text.replace(from, to)).unwrap();
    }

    fn add_extension(&self, version: &str, key: Option<SigningKey>) {
        let store = Store::create_or_open(self.path("store")).unwrap();
        let mut tree = Tree::new();
        let content = Content::Bytes(format!("demo of {version}").into_bytes());
        tree.insert("/opt/demo".parse().unwrap(), Node::File { mode: Mode::FILE, content }).unwrap();
        let mut image = tempfile::tempfile().unwrap();
        let packed =
            squash::pack(&tree, &Options::default(), Means::of_this_machine(), &mut image, &mut |_| ())
                .unwrap();
        image.rewind().unwrap();
        let new = NewExtension {
            config: &ExtensionConfig { content: packed.facts, ..config(version) },
            image: &mut image,
            image_digest: packed.digest,
            image_size: packed.size,
            paths: &tree.listing(),
            kabi: None,
        };
        let manifest = store.assemble(new).unwrap();
        if let Some(key) = key {
            let bundle = sign_extension(&key, &"demo".parse().unwrap(), &manifest.digest).unwrap();
            store.attach_signature(&manifest, &bundle.to_json()).unwrap();
        }
    }
}

const SCHEMATIC: &str = "\
apiVersion: v1alpha1
kind: Schematic
base: base/
machineConfig: machine.yaml
trust: trust.yaml
extensions: oci:store
kernelArgs: [console=ttyS0]
";

fn description(root: &[u8]) -> BaseDescription {
    BaseDescription {
        schema_version: 1,
        name: "debian".parse().unwrap(),
        version: "12.0.0".parse().unwrap(),
        arch: Arch::Amd64,
        kernel: "6.1.0-56-cloud-amd64".parse().unwrap(),
        root: BaseImage { digest: Digest::of(root), size: root.len() as u64, verity: None },
        boot_modules: vec!["sr_mod".parse().unwrap(), "isofs".parse().unwrap()],
    }
}

/// A kernel with one symbol.
fn profile() -> kabi::Profile {
    let symvers = "0x00000001\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n";
    kabi::Profile::from_symvers(symvers, description(b"").kernel, Arch::Amd64).unwrap()
}

fn trust() -> String {
    let pem = SigningKey::from_seed(KEY).public_key().to_pem().replace('\n', "\n      ");
    format!(
        "apiVersion: v1alpha1\nkind: TrustPolicy\nkeys:\n  - name: publisher\n    extensions: [\"*\"]\n    \
         publicKey: |\n      {pem}"
    )
}

fn config(version: &str) -> ExtensionConfig {
    ExtensionConfig {
        schema_version: 1,
        name: "demo".parse().unwrap(),
        version: version.parse().unwrap(),
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
        content: ContentFacts { inodes: 1, bytes: 1 },
        verity: None,
        root_hash_signature: None,
    }
}

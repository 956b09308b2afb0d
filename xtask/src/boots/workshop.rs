//! Bases, extensions and media for the matrix: made once for each kernel, by the programs that users have.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use spec::Digest;

use super::case::{Case, DRIVER, Images, Kernel, LARGE, ROOT_HASH_SIGNED, bad};
use super::secure_boot::Keys;
use crate::inputs::Inputs;
use crate::programs::Programs;
use crate::workspace::Workspace;
use crate::{Error, command};

/// Size of the file in [`LARGE`], in bytes: some hundred blocks of dm-verity.
const LARGE_SIZE: usize = 1 << 20;

/// What the matrix is made with, and where.
#[derive(Debug)]
pub(crate) struct Workshop<'a> {
    root: PathBuf,
    dir: PathBuf,
    inputs: &'a Inputs,
    programs: &'a Programs,
}

impl<'a> Workshop<'a> {
    /// An empty one below `target/`, with keys and a trust policy.
    pub(crate) fn open(
        workspace: &Workspace,
        name: &str,
        inputs: &'a Inputs,
        programs: &'a Programs,
    ) -> Result<Workshop<'a>, Error> {
        let dir = workspace.target().join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(Error::file("empty", &dir))?;
        }
        fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
        let workshop = Workshop { root: workspace.root().to_owned(), dir, inputs, programs };
        for package in ["busybox-static", "libc6"] {
            let to = workshop.path(&format!("sources/{package}"));
            fs::create_dir_all(&to).map_err(Error::file("create", &to))?;
            workshop.run(Command::new("dpkg").arg("-x").arg(inputs.deb(package)).arg(to))?;
        }
        for name in ["publisher", "stranger"] {
            let key = format!("{name}.pem");
            workshop.extbuild(&["key", "new", "--no-passphrase", "-o", &key])?;
        }
        let policy =
            ["trust", "init", "trust.yaml", "--name", "publisher", "--public-key", "publisher.pem.pub"];
        workshop.extbuild(&[&policy[..], &["--extensions", "*"]].concat())?;
        Ok(workshop)
    }

    /// A path in the workshop.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Builds the base of a kernel, and the extensions that are asked for on it.
    pub(crate) fn stock(&self, kernel: Kernel, extensions: &BTreeSet<&str>) -> Result<(), Error> {
        let manifest = self.root.join("examples/base-debian/base.yaml").display().to_string();
        let (tree, base) = (self.kernel(kernel).display().to_string(), base(kernel));
        self.extbuild(&["base", &manifest, "--kernel", &tree, "--source-dir", "sources", "-o", base])?;
        for name in extensions {
            self.build(kernel, name)?;
            let key = if *name == bad::STRANGE { "stranger.pem" } else { "publisher.pem" };
            self.extbuild(&["sign", &format!("oci:{}:{name}-1.0.0", store(kernel)), "--key", key])?;
        }
        Ok(())
    }

    fn build(&self, kernel: Kernel, name: &str) -> Result<(), Error> {
        let output = format!("oci:{}", store(kernel));
        let manifest = self.manifest(name)?.display().to_string();
        let build = ["build", &manifest, "-o", &output];
        let tree = |kernel| self.kernel(kernel).display().to_string();
        match name {
            DRIVER => {
                let (tree, base) = (tree(kernel), base(kernel));
                self.extbuild(&[&build[..], &["--kernel", &tree, "--base", base]].concat())
            }
            bad::FOREIGN => {
                let other = if kernel == Kernel::Six1 { Kernel::Six12 } else { Kernel::Six1 };
                self.extbuild(&[&build[..], &["--kernel", &tree(other)]].concat())
            }
            bad::UNSIGNED => {
                let (tree, base) = (tree(kernel), base(kernel));
                self.extbuild(&[&build[..], &["--kernel", &tree, "--base", base]].concat())
            }
            ROOT_HASH_SIGNED => {
                self.extbuild(&build)?;
                let (signature, certificate) = self.sign_root_hash(kernel, name)?;
                let signed = ["--root-hash-signature", &signature, "--root-hash-cert", &certificate];
                self.extbuild(&[&build[..], &signed].concat())
            }
            _ => self.extbuild(&build),
        }
    }

    /// Signs the root hash of an extension as kernels want it: PKCS#7 over its digits, with a key of Secure Boot.
    fn sign_root_hash(&self, kernel: Kernel, name: &str) -> Result<(String, String), Error> {
        let keys = self.keys()?;
        let [hash, signature] = ["root-hash", "root-hash.p7s"].map(|name| self.path(name));
        let facts = self.inspect(kernel, name)?;
        let root_hash = facts["config"]["verity"]["rootHash"].as_str();
        let digits = root_hash.and_then(|hash| hash.strip_prefix("sha256:")).unwrap_or_default();
        fs::write(&hash, digits).map_err(Error::file("write", &hash))?;
        let mut sign = Command::new("openssl");
        sign.args(["smime", "-sign", "-nocerts", "-noattr", "-binary", "-outform", "der", "-in"]).arg(&hash);
        sign.arg("-inkey").arg(&keys.key).arg("-signer").arg(&keys.certificate);
        self.run(sign.arg("-out").arg(&signature))?;
        Ok((signature.display().to_string(), keys.certificate_der.display().to_string()))
    }

    /// The keys of Secure Boot.
    pub(super) fn keys(&self) -> Result<Keys, Error> {
        Keys::in_dir(&self.dir)
    }

    /// The manifest of an extension, with the files beside it.
    fn manifest(&self, name: &str) -> Result<PathBuf, Error> {
        if name == DRIVER {
            return Ok(self.root.join("extensions/wireguard/extension.yaml"));
        }
        let dir = self.path(name);
        let write = |file: &str, bytes: &[u8]| {
            let path = dir.join(file);
            fs::write(&path, bytes).map_err(Error::file("write", &path))
        };
        fs::create_dir_all(dir.join("files")).map_err(Error::file("create", &dir))?;
        let path = path_of(name);
        write("files/content", &content(name))?;
        write("files/trial", format!("#!/bin/sh\nexec sha256sum {path}\n").as_bytes())?;
        let requires = match name {
            bad::NEEDY => "requires: [{name: nobody}]\n".to_owned(),
            bad::DEPENDENT => format!("requires: [{{name: {}}}]\n", bad::STRANGE),
            _ => String::new(),
        };
        let modules = if name == bad::FOREIGN { "modules: [wireguard]\n" } else { "" };
        let module_file = match name {
            bad::UNSIGNED => self.unsigned_module(&dir.join("files"))?,
            _ => String::new(),
        };
        let manifest = format!(
            "apiVersion: v1alpha1\nkind: Extension\nname: {name}\nversion: 1.0.0\n{requires}{modules}\
             sources: {{files: {{dir: files}}}}\ncontents:\n  - {{from: files, path: /content, to: {path}}}\n  \
             - {{from: files, path: /trial, to: /usr/libexec/report.d/{name}, executable: true}}\n{module_file}"
        );
        write("extension.yaml", manifest.as_bytes())?;
        Ok(dir.join("extension.yaml"))
    }

    /// A module without its signature in `files`, and the end of a manifest that brings it.
    fn unsigned_module(&self, files: &Path) -> Result<String, Error> {
        let modules = self.kernel(Kernel::Six1).join("lib/modules");
        let release = command::read(Command::new("ls").arg(&modules))?.trim().to_owned();
        let module = modules.join(&release).join("kernel/drivers/net/dummy.ko");
        let bytes = fs::read(&module).map_err(Error::file("read", &module))?;
        let unsigned = without_signature(&bytes)
            .ok_or_else(|| Error::Machine(format!("{} is not signed", module.display())))?;
        let file = files.join("dummy.ko");
        fs::write(&file, unsigned).map_err(Error::file("write", &file))?;
        let to = format!("/usr/lib/modules/{release}/extra/{}/dummy.ko", bad::UNSIGNED);
        Ok(format!("  - {{from: files, path: /dummy.ko, to: {to}}}\nload: [dummy]\n"))
    }

    /// Composes the medium of a case.
    pub(super) fn compose(&self, case: &Case) -> Result<PathBuf, Error> {
        let extensions: String = case.extensions.iter().map(|name| wanted(name, case.required)).collect();
        let images = match case.images {
            Images::Copy => "tenon.images=copy",
            Images::Verity => "tenon.images=verity",
        };
        let arguments = [images, case.arguments];
        let arguments =
            arguments.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ");
        let keys = case.signed.then(|| self.keys()).transpose()?;
        self.compose_medium(case.name, case.kernel, &extensions, &arguments, keys.as_ref())
    }

    /// Composes a medium with the extensions of such a list, and more arguments for the kernel; perhaps for Secure Boot.
    pub(crate) fn compose_medium(
        &self,
        name: &str,
        kernel: Kernel,
        extensions: &str,
        arguments: &str,
        keys: Option<&Keys>,
    ) -> Result<PathBuf, Error> {
        let list = if extensions.is_empty() { " []\n".to_owned() } else { format!("\n{extensions}") };
        let config = format!("apiVersion: v1alpha1\nkind: ExtensionsConfig\nextensions:{list}");
        let schematic = format!(
            "apiVersion: v1alpha1\nkind: Schematic\nbase: {}\nmachineConfig: machine.yaml\ntrust: trust.yaml\n\
             extensions: oci:{}\nkernelArgs: [console=ttyS0, demo.report, {arguments}]\n",
            base(kernel),
            store(kernel)
        );
        for (file, text) in [("machine.yaml", config), ("schematic.yaml", schematic)] {
            let path = self.path(file);
            fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
        let iso = self.path(&format!("{name}.iso"));
        let mut compose = Command::new(&self.programs.extfactory);
        compose.args(["compose", "schematic.yaml", "-o"]).arg(&iso);
        compose.arg("--runtime").arg(&self.programs.extruntime).arg("--stub").arg(self.inputs.stub());
        if let Some(Keys { key, certificate, .. }) = keys {
            compose.arg("--secure-boot-key").arg(key).arg("--secure-boot-cert").arg(certificate);
        }
        self.run(&mut compose)?;
        Ok(iso)
    }

    /// The image of an extension as it was built.
    pub(super) fn image(&self, kernel: Kernel, name: &str) -> Result<Vec<u8>, Error> {
        let facts = self.inspect(kernel, name)?;
        let digest = facts["image"]["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        let blob =
            self.path(store(kernel)).join("blobs/sha256").join(digest.unwrap_or("of an image without one"));
        fs::read(&blob).map_err(Error::file("read", &blob))
    }

    fn inspect(&self, kernel: Kernel, name: &str) -> Result<serde_json::Value, Error> {
        let reference = format!("oci:{}:{name}-1.0.0", store(kernel));
        let mut inspect = Command::new(&self.programs.extbuild);
        let facts = command::read(inspect.args(["inspect", "--json", &reference]).current_dir(&self.dir))?;
        Ok(serde_json::from_str(&facts).unwrap_or_default())
    }

    /// The root image of a base.
    pub(super) fn root_image(&self, kernel: Kernel) -> Result<Vec<u8>, Error> {
        let file = self.path(base(kernel)).join(spec::base::files::ROOT);
        fs::read(&file).map_err(Error::file("read", &file))
    }

    fn kernel(&self, kernel: Kernel) -> PathBuf {
        match kernel {
            Kernel::Six1 => self.inputs.kernel(),
            Kernel::Six12 => self.inputs.other_kernel(),
        }
    }

    fn extbuild(&self, arguments: &[&str]) -> Result<(), Error> {
        self.run(Command::new(&self.programs.extbuild).args(arguments))
    }

    /// Runs a program for what it does; what it says is only worth reading if it fails.
    fn run(&self, program: &mut Command) -> Result<(), Error> {
        command::read(program.current_dir(&self.dir)).map(drop)
    }
}

/// A module as it was before it was signed (linux/module_signature.h, scripts/sign-file.c): behind it are the signature, 12
/// bytes that end with its length, and a mark.
fn without_signature(module: &[u8]) -> Option<&[u8]> {
    let rest = module.strip_suffix(b"~Module signature appended~\n")?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    rest.get(..rest.len().checked_sub(8 + length)?)
}

fn base(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Six1 => "base-6.1",
        Kernel::Six12 => "base-6.12",
    }
}

fn store(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Six1 => "store-6.1",
        Kernel::Six12 => "store-6.12",
    }
}

fn wanted(name: &str, required: Option<&str>) -> String {
    let required = if required == Some(name) { "    required: true\n" } else { "" };
    format!("  - name: {name}\n{required}")
}

/// Where an extension has its file.
fn path_of(name: &str) -> String {
    let name = if name == bad::COLLIDING { "word-1" } else { name };
    format!("/usr/share/words/{name}")
}

/// What is in it: nothing that could be compressed, so that a block of the image is a block of the file.
fn content(name: &str) -> Vec<u8> {
    let size = if name == LARGE { LARGE_SIZE } else { 1000 };
    let block = |number: usize| *Digest::of(format!("{name} {number}").as_bytes()).as_bytes();
    (0..size.div_ceil(32)).flat_map(block).take(size).collect()
}

/// What `sha256sum` says of the file of an extension that is whole.
pub(super) fn sum(name: &str) -> String {
    Digest::of(&content(name)).hex().to_string()
}

/// What is on a finished medium, for who wants to start or to damage it.
pub(super) fn read_medium(iso: &Path) -> Result<Vec<u8>, Error> {
    fs::read(iso).map_err(Error::file("read", iso))
}

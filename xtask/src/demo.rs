//! The main job from start to end, as the README tells it: every step is a command that a user can type.
//!
//! Three extensions get in and three must not; what the booted machine says is held against that.

mod expected;
mod node;
mod registry;
mod shell;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::inputs::Inputs;
use crate::machine::Machine;
use crate::programs::{Programs, Speed};
use crate::progress::seconds;
use crate::workspace::Workspace;
use crate::{Error, inputs, packages, programs, steps};
use registry::LocalRegistry;
use shell::Shell;

/// Name of an extension and its manifest's directory.
const GOOD: [(&str, &str); 3] = [
    ("wireguard", "extensions/wireguard"),
    ("wireguard-tools", "extensions/wireguard-tools"),
    ("realtek-firmware", "extensions/realtek-firmware"),
];
const FLIPPED: (&str, &str) = ("demo-flipped-byte", "examples/refused/flipped-byte");
const STRANGE: (&str, &str) = ("demo-unknown-key", "examples/refused/unknown-key");
const FOREIGN: (&str, &str) = ("demo-wrong-kernel", "examples/refused/wrong-kernel");

/// Everything lies below this directory of the checkout; the first thing a demo does is to empty it.
const DIR: &str = "target/demo";

/// Runs the demo, set-up included, and shows what became of the extensions.
pub fn demo(workspace: &Workspace) -> ExitCode {
    let started = Instant::now();
    let told = prepared(workspace).and_then(|(inputs, programs)| run(workspace, &inputs, &programs));
    match told {
        Ok(()) => {
            eprintln!(
                "\nThe machine's own words are in {DIR}/status.json and {DIR}/console.log. It took {}.",
                seconds(started.elapsed())
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            steps::report(&error);
            spec::Diagnose::outcome(&error).exit_code().into()
        }
    }
}

fn prepared(workspace: &Workspace) -> Result<(Inputs, Programs), Error> {
    shell::heading("Packages, real inputs and our own programs");
    packages::ensure(&[packages::DEMO])?;
    let inputs = inputs::prepare(workspace)?;
    Ok((inputs, programs::build(workspace, Speed::Release)?))
}

/// The demo on what is prepared.
///
/// # Errors
/// Those of the commands; and [`Error::Demo`] where the machine says something else than it should.
pub fn run(workspace: &Workspace, inputs: &Inputs, programs: &Programs) -> Result<(), Error> {
    let shell = Shell::new(workspace, programs);
    let dir = workspace.root().join(DIR);
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(Error::file("empty", &dir))?;
    }
    fs::create_dir_all(&dir).map_err(Error::file("create", &dir))?;
    build_base(&shell, inputs)?;
    build_extensions(&shell, inputs)?;
    sign(&shell, &dir)?;
    publish(&shell, inputs, &dir)?;
    compose(&shell, inputs, &dir)?;
    flip_a_byte(&shell, &dir)?;
    boot(&shell, &dir)?;
    node::run(&shell, inputs, &dir)
}

fn build_base(shell: &Shell, inputs: &Inputs) -> Result<(), Error> {
    shell::heading("A base OS: busybox, libc and a kernel with only the modules for boot");
    shell.run("mkdir", &["-p", &format!("{DIR}/sources")])?;
    for package in ["busybox-static", "libc6"] {
        let deb = shell.short(&inputs.deb(package));
        shell.run("dpkg", &["-x", &deb, &format!("{DIR}/sources/{package}")])?;
    }
    let kernel = shell.short(&inputs.kernel());
    let sources = format!("{DIR}/sources");
    let output = format!("{DIR}/base");
    shell.extbuild(&[
        "base",
        "examples/base-debian/base.yaml",
        "--kernel",
        &kernel,
        "--source-dir",
        &sources,
        "-o",
        &output,
    ])?;
    Ok(())
}

fn build_extensions(shell: &Shell, inputs: &Inputs) -> Result<(), Error> {
    shell::heading("Six extensions: three to run, three that a machine must refuse");
    let debs = shell.short(&inputs.dir().join("debs"));
    let (kernel, other) = (shell.short(&inputs.kernel()), shell.short(&inputs.other_kernel()));
    let base = format!("{DIR}/base");
    let store = format!("oci:{DIR}/store");
    for (_, folder) in GOOD.into_iter().chain([FLIPPED, STRANGE]) {
        let manifest = format!("{folder}/extension.yaml");
        shell.extbuild(&[
            "build",
            &manifest,
            "--kernel",
            &kernel,
            "--base",
            &base,
            "--source-dir",
            &debs,
            "-o",
            &store,
        ])?;
    }
    let manifest = format!("{}/extension.yaml", FOREIGN.1);
    shell.extbuild(&["build", &manifest, "--kernel", &other, "-o", &store])?;
    shell.show_extbuild(&["inspect", &format!("{store}:wireguard-1.0.0")])
}

fn sign(shell: &Shell, dir: &Path) -> Result<(), Error> {
    shell::heading("Keys, a trust policy, signatures");
    let key = |name: &str| format!("{DIR}/{name}.pem");
    let (publisher, stranger) = (key("publisher"), key("stranger"));
    for name in ["publisher", "stranger", "operator"] {
        shell.extbuild(&["key", "new", "--no-passphrase", "-o", &key(name)])?;
    }
    make_policy(shell, dir)?;
    for (name, _) in GOOD.into_iter().chain([FLIPPED, STRANGE, FOREIGN]) {
        let key = if name == STRANGE.0 { &stranger } else { &publisher };
        shell.extbuild(&["sign", &format!("oci:{DIR}/store:{name}-1.0.0"), "--key", key])?;
    }
    Ok(())
}

/// The policy that goes into the initramfs: a publisher with the names that it may sign for, and an operator, without
/// whose set nothing gets in.
fn make_policy(shell: &Shell, dir: &Path) -> Result<(), Error> {
    let file = format!("{DIR}/trust.yaml");
    let key = |name: &str| format!("{DIR}/{name}.pem.pub");
    let publisher = ["trust", "init", &file, "--name", "demo-publisher", "--public-key", &key("publisher")];
    let names = ["--extensions", "wireguard*", "--extensions", "realtek-firmware", "--extensions", "demo-*"];
    shell.extbuild(&[&publisher[..], &names].concat())?;
    let operator = ["trust", "add", &file, "--name", "demo-operator", "--public-key", &key("operator")];
    shell.extbuild(&[&operator[..], &["--role", "operator"]].concat())?;
    let file = dir.join("trust.yaml");
    let policy = fs::read_to_string(&file).map_err(Error::file("read", &file))?;
    fs::write(&file, policy + "set: {class: demo}\n").map_err(Error::file("write", &file))
}

/// What the machine is to run, signed by the operator: those that it must refuse too, so that each is refused for itself.
fn sign_set(shell: &Shell) -> Result<(), Error> {
    let members = GOOD.into_iter().chain([FLIPPED, STRANGE, FOREIGN]);
    let members: Vec<String> = members.map(|(name, _)| format!("oci:{DIR}/pulled:{name}-1.0.0")).collect();
    let directory = format!("{DIR}/trust.d");
    let mut set = vec!["trust", "set", &directory, "--class", "demo"];
    set.extend(members.iter().map(String::as_str));
    let document = shell.extbuild(&set)?;
    shell.extbuild(&["trust", "sign", &document, "--key", &format!("{DIR}/operator.pem")])?;
    Ok(())
}

/// Through a real registry and back: the digests must not change, and the signatures come along.
fn publish(shell: &Shell, inputs: &Inputs, dir: &Path) -> Result<(), Error> {
    shell::heading("To a registry and back");
    let registry = LocalRegistry::start(&inputs.registry(), dir)?;
    for (name, _) in GOOD.into_iter().chain([FLIPPED, STRANGE, FOREIGN]) {
        let here = format!("oci:{DIR}/store:{name}-1.0.0");
        let there = format!("{}/demo/{name}:1.0.0", registry.host());
        let pushed = shell.extbuild(&["push", &here, &there])?;
        let pulled = shell.extbuild(&["pull", &there, "-o", &format!("oci:{DIR}/pulled")])?;
        if pushed != pulled {
            return Err(Error::Demo(format!("{name} was sent as {pushed} and came back as {pulled}")));
        }
    }
    sign_set(shell)?;
    let (trust, updates) = (format!("{DIR}/trust.yaml"), format!("{DIR}/trust.d"));
    for (name, _) in GOOD {
        let pulled = format!("oci:{DIR}/pulled:{name}-1.0.0");
        shell.extbuild(&["verify", &pulled, "--trust", &trust, "--trust-updates", &updates])?;
    }
    Ok(())
}

fn compose(shell: &Shell, inputs: &Inputs, dir: &Path) -> Result<(), Error> {
    shell::heading("A bootable ISO image");
    let files = ["machine.yaml", "firmware.patch.yaml", "refused.patch.yaml", "schematic.yaml"];
    for file in files {
        let (from, to) = (shell.root().join("examples/demo").join(file), dir.join(file));
        fs::copy(&from, &to).map_err(Error::file("copy", &from))?;
    }
    let patch = |file: &str| format!("@{DIR}/{file}");
    let (runtime, stub) = (shell.runtime(), shell.short(&inputs.stub()));
    shell.extfactory(&[
        "compose",
        &format!("{DIR}/schematic.yaml"),
        "--config-patch",
        &patch("firmware.patch.yaml"),
        "--config-patch",
        &patch("refused.patch.yaml"),
        "--runtime",
        &runtime,
        "--stub",
        &stub,
        "-o",
        &iso(),
    ])
}

fn iso() -> String {
    format!("{DIR}/demo.iso")
}

/// Changes one byte of an extension where it lies on the finished medium, as somebody could who got hold of it.
fn flip_a_byte(shell: &Shell, dir: &Path) -> Result<(), Error> {
    let name = FLIPPED.0;
    let facts = shell.extbuild(&["inspect", "--json", &format!("oci:{DIR}/store:{name}-1.0.0")])?;
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap_or_default();
    let digest = facts["image"]["digest"]
        .as_str()
        .and_then(|digest| digest.strip_prefix("sha256:"))
        .unwrap_or_default();
    let blob = dir.join("store/blobs/sha256").join(digest);
    let image = fs::read(&blob).map_err(Error::file("read", &blob))?;
    let iso = dir.join("demo.iso");
    let mut bytes = fs::read(&iso).map_err(Error::file("read", &iso))?;
    let place = find(&bytes, &image).ok_or_else(|| Error::Demo(format!("{name} is not on the medium")))?;
    bytes[place + image.len() / 2] ^= 1;
    fs::write(&iso, bytes).map_err(Error::file("write", &iso))?;
    eprintln!("  one bit of {name} is flipped on the medium, at byte {}", place + image.len() / 2);
    Ok(())
}

/// Files on an ISO image start at multiples of its 2048-byte sectors (ECMA-119, 6.1.2).
fn find(medium: &[u8], file: &[u8]) -> Option<usize> {
    (0..medium.len()).step_by(2048).find(|&place| medium[place..].starts_with(file))
}

fn boot(shell: &Shell, dir: &Path) -> Result<(), Error> {
    shell::heading("The machine");
    let console: PathBuf = dir.join("console.log");
    let machine = Machine::boot(&dir.join("demo.iso"), &console, None)?;
    let status = dir.join("status.json");
    fs::write(&status, &machine.status_json).map_err(Error::file("write", &status))?;
    shell::heading("What the machine says");
    shell.extruntime_status(&format!("{DIR}/status.json"))?;
    print!("\n{}", machine.trials());
    expected::check(&machine)
}

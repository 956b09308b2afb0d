//! Programs that are killed in the middle of their work: what they have shown by then is whole, and the same command does
//! the rest.
//!
//! Names are what makes bytes seen, so each program is killed before every single system call that gives a name or takes
//! one away.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use catalog::Layout;
use spec::artifact::limits;
use tests::{Context, Said, from_xtask};

use crate::compose::{COMPOSE, workshop};
use crate::harness::files;
use crate::registry::{registry, world};
use crate::world::{Extension, World};

/// Names that a machine's own kernel does not have are no errors (strace(1), "?").
const NAMING: &str = "?rename,?renameat,renameat2,?link,linkat,?unlink,unlinkat,?mkdir,mkdirat";
/// More than any of the programs has.
const STEPS_MAX: usize = 100;

/// A program with its arguments, run in the directory of a context.
struct Job<'a> {
    program: &'a str,
    args: &'a [&'a str],
}

impl Job<'_> {
    fn run(&self, context: &Context, tracer: &[&str]) -> Said {
        let program = from_xtask(self.program).display().to_string();
        let words: Vec<&str> =
            tracer.iter().copied().chain([program.as_str()]).chain(self.args.iter().copied()).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("TENON_CACHE_DIR", context.cache());
        command.env("DOCKER_CONFIG", context.dir()).env_remove("REGISTRY_AUTH_FILE");
        context.run(&mut command)
    }

    /// Kills the program before its first step, before its second one, and so on until it ends by itself; returns how
    /// often it was killed. `check` sees what each death leaves, in a context of its own, and then what the same command
    /// makes of that.
    fn killed_at_each_step(
        &self,
        start: impl Fn() -> Context,
        check: impl Fn(&Context, Seen, &str),
    ) -> usize {
        for step in 1..=STEPS_MAX {
            let context = start();
            let (calls, kill) =
                (format!("trace={NAMING}"), format!("inject={NAMING}:signal=SIGKILL:when={step}"));
            let said = self.run(&context, &["strace", "-f", "-qq", "-o", "trace", "-e", &calls, "-e", &kill]);
            let trace =
                fs::read_to_string(context.dir().join("trace")).expect("strace of Debian is installed");
            let last = format!("step {step}, the last one of:\n{trace}");
            if said.code == Some(0) {
                check(&context, Seen::All, &last);
                return step - 1;
            }
            assert!(said.code.is_none() && trace.contains("killed by SIGKILL"), "{said}\n{last}");
            check(&context, Seen::Whole, &last);
            let said = self.run(&context, &[]);
            assert_eq!(said.code, Some(0), "it cannot be run again: {said}\n{last}");
            check(&context, Seen::All, &last);
        }
        panic!("{} does not end", self.program)
    }
}

/// What must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Nothing that is not whole.
    Whole,
    /// All that the command is for.
    All,
}

/// The extensions that a store has. Whatever it shows must be there and right, and so must the signatures of what it
/// shows; beside it may lie what has no name yet.
fn shown(store: &Path) -> Result<BTreeSet<String>, String> {
    for (file, digest) in files(&store.join("blobs/sha256")) {
        if file.as_os_str() != digest.hex().as_str() {
            return Err(format!("the bytes of blob {} have the digest {digest}", file.display()));
        }
    }
    let parts = ["oci-layout", "index.json", "blobs"];
    for entry in fs::read_dir(store).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if !parts.contains(&name.as_str()) && !name.starts_with(".partial-") {
            return Err(format!("{name} is no part of a store"));
        }
    }
    if !store.join("index.json").exists() {
        return Ok(BTreeSet::new());
    }
    let layout = Layout::open(store).map_err(|error| error.to_string())?;
    for listed in &layout.index().manifests {
        layout.blob(listed, limits::MANIFEST).map_err(|error| error.to_string())?;
    }
    let whole = |entry: catalog::Entry| {
        let artifact = layout.read_extension(&entry.descriptor).map_err(|error| error.to_string())?;
        layout.check_blob(&artifact.image).map_err(|error| error.to_string())?;
        let signatures = layout.signatures(&entry.descriptor.digest);
        match signatures.skipped.is_empty() {
            true => Ok(format!("{} {}, signatures: {}", entry.name, entry.version, signatures.bundles.len())),
            false => Err(format!("{:?}", signatures.skipped)),
        }
    };
    layout.extensions().into_iter().map(whole).collect()
}

/// A store has one of these lists of extensions, the last of them when all is done.
fn assert_shows(store: &Path, lists: &[&[&str]], seen: Seen, place: &str) {
    let found = shown(store).unwrap_or_else(|error| panic!("{error}: {place}"));
    let sets: Vec<BTreeSet<String>> =
        lists.iter().map(|list| list.iter().map(|line| (*line).to_owned()).collect()).collect();
    match seen {
        Seen::Whole => assert!(sets.contains(&found), "{found:?} is neither of {sets:?}: {place}"),
        Seen::All => assert_eq!(Some(&found), sets.last(), "{place}"),
    }
}

const TOOL: &str = "tool 1.0.0, signatures: 1";
const UNSIGNED: &str = "tool 1.0.0, signatures: 0";
const OTHER: &str = "other 1.0.0, signatures: 1";

#[test]
fn a_pull_that_is_killed() {
    let (world, manifest) = world();
    let (address, _) = registry(&world, &manifest, |_, honest| honest);
    let from = format!("{address}/ext/tool:1.0.0");
    let pull = Job { program: "TENON_EXTBUILD", args: &["pull", &from, "-o", "oci:out"] };
    let killed = pull.killed_at_each_step(Context::new, |context, seen, place| {
        assert_shows(&context.dir().join("out"), &[&[], &[TOOL]], seen, place);
    });
    assert!(killed >= 10, "a pull has {killed} steps");
}

#[test]
fn a_copy_that_is_killed() {
    let (there, (world, _)) = (World::new(), world());
    there.publish(&Extension::new("other"));
    let from = format!("oci:{}:tool-1.0.0", world.store_dir().display());
    let copy = Job { program: "TENON_EXTBUILD", args: &["copy", &from, "oci:out"] };
    let killed = copy.killed_at_each_step(
        || with_store(&there),
        |context, seen, place| {
            assert_shows(&context.dir().join("out"), &[&[OTHER], &[OTHER, TOOL]], seen, place);
        },
    );
    assert!(killed >= 8, "a copy has {killed} steps");
}

#[test]
fn a_signing_that_is_killed() {
    let world = World::new();
    world.add(&Extension::new("tool"));
    let keys = Context::new();
    keys.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
    let key = keys.path("key.pem");
    let sign = Job { program: "TENON_EXTBUILD", args: &["sign", "oci:out:tool-1.0.0", "--key", &key] };
    let killed = sign.killed_at_each_step(
        || with_store(&world),
        |context, seen, place| {
            assert_shows(&context.dir().join("out"), &[&[UNSIGNED], &[TOOL]], seen, place);
        },
    );
    assert!(killed >= 5, "a signing has {killed} steps");
}

/// A context whose `out` is a copy of the store of a world.
fn with_store(world: &World) -> Context {
    let context = Context::new();
    let said = context.run(Command::new("cp").arg("-r").arg(world.store_dir()).arg("out"));
    assert_eq!(said.code, Some(0), "{said}");
    context
}

/// The medium that was there stays until the new one is whole.
#[test]
fn a_composition_that_is_killed() {
    let (world, _) = world();
    world.want(&["tool"]);
    let compose = Job { program: "TENON_EXTFACTORY", args: &COMPOSE };
    let sound = workshop(&world);
    compose.run(&sound, &[]).ok();
    let sound = fs::read(sound.dir().join("out.iso")).unwrap();
    let start = || {
        let context = workshop(&world);
        context.write("out.iso", "old");
        context
    };
    let killed = compose.killed_at_each_step(start, |context, seen, place| {
        let found = fs::read(context.dir().join("out.iso")).unwrap();
        assert!(found == sound || seen == Seen::Whole && found == b"old", "{} bytes: {place}", found.len());
    });
    assert!(killed >= 8, "a composition has {killed} steps");
}

/// The eyes of these tests see what is not whole.
#[test]
fn a_store_that_is_not_whole_is_told() {
    let spoilt = |spoil: &dyn Fn(&World)| {
        let (world, _) = world();
        spoil(&world);
        shown(&world.store_dir()).unwrap_err()
    };
    let image = spec::Digest::of(&Extension::new("tool").image().0);
    let cut = |world: &World| {
        let bytes = fs::read(world.blob(&image)).unwrap();
        fs::remove_file(world.blob(&image)).unwrap();
        fs::write(world.blob(&image), &bytes[..bytes.len() / 2]).unwrap();
    };
    assert!(spoilt(&cut).contains("the bytes of blob"));
    assert!(spoilt(&|world| fs::remove_file(world.blob(&image)).unwrap()).contains(&image.hex()));
    let index = |world: &World| world.store_dir().join("index.json");
    assert!(spoilt(&|world| fs::write(index(world), "{").unwrap()).contains("index.json"));
    let strange = |world: &World| fs::write(world.store_dir().join("half"), "").unwrap();
    assert!(spoilt(&strange).contains("half is no part of a store"));
}

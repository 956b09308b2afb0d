//! Sets that are laid over a system that runs: they come, change and go whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};

use generations::{Generation, RealDisk, Store};
use rustix::fs::{Access, AtFlags, accessat};
use rustix::mount::MountFlags;
use signing::DocumentKind;
use spec::ReasonCode;
use spec::status::{SetRole, State, Status};
use tempfile::TempDir;

use super::world::{self, Extension, World};
use super::{alone, options, states};
use crate::activate::{ActivateError, Request, Source, activate, deactivate};
use crate::activation::Present;
use crate::clock::Clock;
use crate::held::Way;
use crate::node::{self, Staged};
use crate::offer::Offer;
use crate::owner::{Owner, Subject, owners};
use crate::{base, identity, mounts};

/// A system with a root of its own, and what it could run.
pub(super) struct System {
    world: World,
    root: TempDir,
}

impl System {
    pub(super) fn new() -> System {
        // Everything that is left in /run goes with the mount namespace.
        mounts::kernel("tmpfs", "/run", MountFlags::empty(), "mode=0755").unwrap();
        let (world, root) = (World::new(), tempfile::tempdir().unwrap());
        world.furnish(root.path());
        let image = world.medium().join("tenon/root.squashfs");
        let unpacked = Command::new("unsquashfs").args(["-f", "-d"]).arg(root.path()).arg(image).output();
        assert!(unpacked.unwrap().status.success(), "unsquashfs of squashfs-tools is there");
        for extension in ["tool", "other"] {
            world.publish(&Extension::new(extension));
        }
        world.publish(&Extension::new("driver").module("driver", &world::running(), "0x92997ed8"));
        world.publish(&Extension::new("thief").file("/usr/bin/sh"));
        world.publish(&Extension::new("optional").file("/opt/optional"));
        System { world, root }
    }

    pub(super) fn request(&self) -> Request {
        Request {
            system: self.as_base(),
            source: Source::Offer(Offer::of_medium(&self.world.medium())),
            trust: self.world.trust(),
            images: Way::Copy,
        }
    }

    fn as_base(&self) -> crate::system::System {
        crate::system::System { root: self.root.path().to_owned(), base: None }
    }

    /// Stages a set of these.
    pub(super) fn stage(&self, extensions: &[&str]) -> Staged {
        self.world.want(extensions);
        let known = self.as_base().look(&Present::now()).unwrap();
        node::stage(&self.node(), &Offer::of_medium(&self.world.medium()), &self.world.trust(), &known)
            .unwrap()
    }

    /// Activates what the node keeps; which set it was, and in what role.
    pub(super) fn boot(&self) -> (u64, SetRole) {
        let status =
            activate(&Request { source: Source::Node(self.node()), ..self.request() }, &Clock::start());
        let set = status.unwrap().set.unwrap();
        (set.generation, set.role)
    }

    pub(super) fn node(&self) -> PathBuf {
        let dir = self.path("var/lib/tenon");
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn activate(&self, extensions: &[&str]) -> Result<Status, ActivateError> {
        self.world.want(extensions);
        activate(&self.request(), &Clock::start())
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }
}

/// Mounts that are ours or below our directory.
pub(super) fn mounted() -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let ours = |line: &&str| line.starts_with("tenon ") || line.contains(" /run/tenon/");
    mounts.lines().filter(ours).map(str::to_owned).collect()
}

#[test]
fn a_set_is_laid_over_usr_and_opt_read_only() {
    if !alone("in_place::a_set_is_laid_over_usr_and_opt_read_only") {
        return;
    }
    let system = System::new();
    fs::create_dir(system.path("opt")).unwrap();
    fs::write(system.path("opt/own"), "of the system").unwrap();
    let listing = system.path("usr/lib/tenon/paths");
    fs::write(
        &listing,
        fs::read_to_string(&listing).unwrap().replacen("/usr/\n", "/opt/\n/opt/own\n/usr/\n", 1),
    )
    .unwrap();
    let status = system.activate(&["tool", "thief", "driver", "optional"]).unwrap();
    use State::{Active, Refused};
    let expected = [("tool", Active), ("thief", Refused), ("driver", Active), ("optional", Active)];
    assert_eq!(states(&status), expected);
    for (path, content) in
        [("usr/bin/tool", "the program tool"), ("usr/bin/sh", "the shell"), ("opt/own", "of the system")]
    {
        assert_eq!(fs::read_to_string(system.path(path)).unwrap(), content);
    }
    assert!(system.has("opt/optional"));
    let index = system.path("usr/lib/modules").join(world::running()).join("modules.dep");
    assert!(fs::read_to_string(index).unwrap().starts_with("extra/driver/driver.ko:"));
    for hierarchy in ["usr", "opt"] {
        let options = options(&system.path(hierarchy).display().to_string());
        for wanted in ["ro", "nosuid", "nodev"] {
            assert!(options.split(',').any(|option| option == wanted), "{wanted} is not in {options}");
        }
    }
    let left: Status = serde_json::from_slice(&fs::read("/run/tenon/status.json").unwrap()).unwrap();
    assert_eq!(left, status);

    let owners = |word: &str| -> String {
        let subject = Subject::parse(word).unwrap();
        owners(&status, &subject).iter().map(Owner::line).collect()
    };
    let tool = status.extensions[0].digest.unwrap();
    assert_eq!(
        owners("/usr/bin/tool"),
        format!("/usr/bin/tool is of tool 1.0.0, {tool}, signed by publisher\n")
    );
    assert_eq!(owners("/usr/bin/sh"), "/usr/bin/sh is of the base\n");
    assert!(owners("driver").contains("/extra/driver/driver.ko is of driver 1.0.0"), "{}", owners("driver"));
    assert_eq!(owners("/usr/bin").lines().count(), 4, "three extensions and the base have it");
    assert_eq!(owners("/usr/bin/thief"), "");
    let modules = &status.extensions[2].modules;
    assert!(modules.len() == 1 && modules[0].error.is_some(), "the driver is none: {modules:?}");
}

#[test]
fn sets_follow_each_other_and_leave_nothing_behind() {
    if !alone("in_place::sets_follow_each_other_and_leave_nothing_behind") {
        return;
    }
    let system = System::new();
    let before = mounted();
    system.activate(&["tool", "driver"]).unwrap();
    let first = mounted().len();
    for _ in 0..3 {
        system.activate(&["other"]).unwrap();
        assert!(system.has("usr/bin/other") && !system.has("usr/bin/tool"));
        assert!(system.has("usr/bin/sh"));
        let stale = system.path("usr/lib/modules").join(world::running()).join("modules.dep");
        assert_eq!(fs::read_to_string(stale).unwrap(), "stale", "the index of the base shows again");
        system.activate(&["tool", "driver"]).unwrap();
        assert!(!system.has("usr/bin/other") && system.has("usr/bin/tool"));
        assert_eq!(mounted().len(), first, "{:#?}", mounted());
    }
    let none = "apiVersion: v1alpha1\nkind: ExtensionsConfig\nextensions: []\n";
    fs::write(system.world.medium().join("tenon/machine.yaml"), none).unwrap();
    activate(&system.request(), &Clock::start()).unwrap();
    assert!(!system.has("usr/bin/tool") && system.has("usr/bin/sh"));
    system.activate(&["tool"]).unwrap();
    deactivate(system.root.path()).unwrap();
    assert!(!system.has("usr/bin/tool") && system.has("usr/bin/sh"));
    assert_eq!(mounted(), before);
    deactivate(system.root.path()).unwrap();
}

#[test]
fn what_fails_leaves_the_set_that_was_there() {
    if !alone("in_place::what_fails_leaves_the_set_that_was_there") {
        return;
    }
    let system = System::new();
    system.activate(&["tool"]).unwrap();
    let before = mounted();

    let error = system.activate(&["other", "optional"]).unwrap_err();
    assert!(matches!(error, ActivateError::Plan(_)), "there is no /opt: {error}");
    assert!(system.has("usr/bin/tool") && !system.has("usr/bin/other"));
    assert_eq!(mounted(), before);

    system.world.want(&["other", "thief"]);
    let config = system.world.medium().join("tenon/machine.yaml");
    let required =
        fs::read_to_string(&config).unwrap().replace("name: thief", "name: thief\n    required: true");
    fs::write(&config, required).unwrap();
    let status = activate(&system.request(), &Clock::start()).unwrap();
    assert!(states(&status).iter().all(|(_, state)| *state == State::Refused), "{status:?}");
    assert!(status.notes.last().unwrap().contains("thief is required"), "{:?}", status.notes);

    system.world.want(&["other"]);
    fs::write(system.world.medium().join("tenon/machine.yaml"), "kind: [").unwrap();
    let error = activate(&system.request(), &Clock::start()).unwrap_err();
    assert!(matches!(error, ActivateError::Config(_)), "{error}");
    assert_eq!(mounted(), before);
    assert!(system.has("usr/bin/tool"));
}

#[test]
fn one_activation_at_a_time() {
    if !alone("in_place::one_activation_at_a_time") {
        return;
    }
    let system = System::new();
    fs::create_dir_all("/run/tenon").unwrap();
    let held = fs::File::create("/run/tenon/lock").unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert!(matches!(system.activate(&["tool"]).unwrap_err(), ActivateError::Busy));
    assert!(matches!(deactivate(Path::new("/nowhere")).unwrap_err(), ActivateError::Busy));
    drop(held);
    system.activate(&["tool"]).unwrap();
}

/// Whoever looks sees the one set or the other; systemd-sysext shows the base in between (systemd#43680).
#[test]
fn in_no_moment_is_there_no_set() {
    if !alone("in_place::in_no_moment_is_there_no_set") {
        return;
    }
    let system = System::new();
    system.activate(&["tool"]).unwrap();
    let (stop, directory) = (AtomicBool::new(false), system.path("usr"));
    let looks = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut looks = 0;
            while !stop.load(Ordering::Relaxed) {
                // An open directory is one of one set, whatever is laid over its path meanwhile.
                let usr = mounts::open_directory(&directory).unwrap();
                let has = |name| accessat(&usr, name, Access::EXISTS, AtFlags::empty()).is_ok();
                assert!(has("bin/tool") != has("bin/other"), "after {looks} looks");
                looks += 1;
            }
            looks
        });
        for extension in ["other", "tool"].into_iter().cycle().take(20) {
            system.activate(&[extension]).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    });
    assert!(looks > 100, "only {looks} looks");
}

#[test]
fn a_set_on_trial_runs_until_it_is_confirmed_or_given_up() {
    if !alone("in_place::a_set_on_trial_runs_until_it_is_confirmed_or_given_up") {
        return;
    }
    let system = System::new();
    let store = || Store::open(RealDisk::open(system.node()).unwrap()).unwrap();
    assert_eq!(system.boot(), (0, SetRole::Current), "nothing is kept: the base alone");
    assert_eq!(system.stage(&["tool"]).generation, Some(Generation::new(1)));
    assert_eq!(system.stage(&["tool"]).generation, Some(Generation::new(1)), "the same set is one set");
    assert_eq!(system.boot(), (1, SetRole::Trial));
    assert!(system.has("usr/bin/tool"));
    store().confirm(Generation::new(1)).unwrap();

    // The medium may go: everything is on the node.
    fs::rename(system.world.medium(), system.path("gone")).unwrap();
    assert_eq!(system.boot(), (1, SetRole::Current));
    assert!(system.has("usr/bin/tool"));
    fs::rename(system.path("gone"), system.world.medium()).unwrap();

    assert_eq!(system.stage(&["other", "thief"]).generation, None, "a set is staged whole");
    assert_eq!(system.stage(&["other"]).generation, Some(Generation::new(2)));
    for _ in 0..2 {
        assert_eq!(system.boot(), (2, SetRole::Trial));
        assert!(system.has("usr/bin/other") && !system.has("usr/bin/tool"));
    }
    assert_eq!(system.boot(), (1, SetRole::Current), "nobody confirmed it");
    assert!(!system.has("usr/bin/other") && system.has("usr/bin/tool"));
    store().gc(0).unwrap();
    assert_eq!(system.boot(), (1, SetRole::Current), "what is needed is kept");
    store().rollback(Generation::new(1), "the test says so").unwrap();
    assert_eq!(system.boot(), (0, SetRole::Current));
    assert!(!system.has("usr/bin/tool") && system.has("usr/bin/sh"));
}

#[test]
fn a_disk_is_no_signature() {
    if !alone("in_place::a_disk_is_no_signature") {
        return;
    }
    let system = System::new();
    let digest = system.stage(&["tool"]).status.extensions[0].digest.unwrap();
    let manifest = system.node().join("blobs/sha256").join(digest.hex());
    let text = fs::read_to_string(&manifest).unwrap();
    let image = text.split("sha256:").last().unwrap()[..64].to_owned();
    for blob in [image, digest.hex()] {
        super::world::flip_a_byte(&system.node().join("blobs/sha256").join(blob));
        let request = Request { source: Source::Node(system.node()), ..system.request() };
        let status = activate(&request, &Clock::start()).unwrap();
        assert_eq!(states(&status), [("tool", State::Refused)], "{status:?}");
        assert!(!system.has("usr/bin/tool"));
    }
}

#[test]
fn a_set_for_another_base_waits_for_it() {
    if !alone("in_place::a_set_for_another_base_waits_for_it") {
        return;
    }
    let system = System::new();
    system.stage(&["tool"]);
    let listing = system.path("usr/lib/tenon/paths");
    let paths = fs::read_to_string(&listing).unwrap();
    fs::write(&listing, paths.clone() + "/zzz\n").unwrap();
    let request = Request { source: Source::Node(system.node()), ..system.request() };
    let status = activate(&request, &Clock::start()).unwrap();
    assert_eq!(status.set.unwrap().generation, 0);
    assert!(status.notes[0].contains("is not tried on this base"), "{:?}", status.notes);
    fs::write(&listing, paths).unwrap();
    assert_eq!(system.boot(), (1, SetRole::Trial));
}

/// Runs the tool; its exit code.
fn tool(words: &[&str]) -> String {
    format!("{:?}", crate::cli::run(words.iter().map(Into::into)))
}

#[test]
fn a_set_is_confirmed_when_its_probes_hold() {
    if !alone("in_place::a_set_is_confirmed_when_its_probes_hold") {
        return;
    }
    let system = System::new();
    let works = system.path("works");
    let mut probed = Extension::new("probed");
    let test = works.display().to_string();
    probed.config.probes = serde_json::from_value(serde_json::json!([
        {"path": "/proc/self/status"},
        {"run": ["/usr/bin/test", "-e", test], "within": 1},
    ]))
    .unwrap();
    probed.config.grants.push("probe-run:/usr/bin/test".parse().unwrap());
    system.world.let_in("probe-run");
    system.world.publish(&probed);
    system.stage(&["probed"]);
    assert_eq!(system.boot(), (1, SetRole::Trial));

    let state = system.node().display().to_string();
    let confirm = ["confirm", "--state", &state];
    let current = || Store::open(RealDisk::open(system.node()).unwrap()).unwrap().state().current().number();
    assert_eq!(tool(&["probe"]), format!("{:?}", ExitCode::from(1)));
    assert_eq!((tool(&confirm), current()), (format!("{:?}", ExitCode::from(1)), 0), "it does not work yet");
    fs::write(&works, "").unwrap();
    assert_eq!(tool(&["probe", "--json"]), format!("{:?}", ExitCode::SUCCESS));
    assert_eq!((tool(&confirm), current()), (format!("{:?}", ExitCode::SUCCESS), 1));
    fs::remove_file(&works).unwrap();
    assert_eq!(tool(&[&confirm[..], &["--skip-probes"]].concat()), format!("{:?}", ExitCode::SUCCESS));
}

#[test]
fn settings_are_made_and_told_of() {
    if !alone("in_place::settings_are_made_and_told_of") {
        return;
    }
    let system = System::new();
    // Setting it to what it is hurts nobody.
    let swappiness = fs::read_to_string("/proc/sys/vm/swappiness").unwrap();
    let text = format!("vm.swappiness = {swappiness}net.no.such.key = 1\n-net.none = 1\n");
    let mut tuned = Extension::new("tuned");
    tuned.files.push(("/usr/lib/sysctl.d/50-tuned.conf".into(), text.into()));
    tuned.files.push(("/usr/share/tuned/sysctl.d/x.conf".into(), "vm.no_setting = 1".into()));
    for key in ["vm.swappiness", "net.no.such.key", "net.none"] {
        tuned.config.grants.push(format!("sysctl:{key}").parse().unwrap());
    }
    system.world.let_in("sysctl");
    system.world.publish(&tuned);
    let status = system.activate(&["tuned"]).unwrap();
    let settings = &status.extensions[0].settings;
    let said: Vec<_> =
        settings.iter().map(|made| (made.key.as_str(), made.value.as_str(), made.error.is_some())).collect();
    assert_eq!(said, [("vm.swappiness", swappiness.trim_end(), false), ("net.no.such.key", "1", true)]);
    for (file, holds) in [("extensions.yaml", "name: \"tuned\""), ("features.d/tenon", "tenon-tuned=1.0.0")] {
        let text = fs::read_to_string(Path::new("/run/tenon").join(file)).unwrap();
        assert!(text.contains(holds), "{text}");
    }
}

/// A revocation that came with one set counts for every other one, and for those that are staged later.
#[test]
fn going_back_takes_no_revocation_away() {
    if !alone("in_place::going_back_takes_no_revocation_away") {
        return;
    }
    let system = System::new();
    system.stage(&["tool"]);
    assert_eq!(system.boot(), (1, SetRole::Trial));
    let store = || Store::open(RealDisk::open(system.node()).unwrap()).unwrap();
    store().confirm(Generation::new(1)).unwrap();
    let digest = system.stage(&["tool"]).status.extensions[0].digest.unwrap();
    let text = format!("apiVersion: v1alpha1\nkind: Revocation\nversion: 1\ndeny: [{digest}]\n");
    system.world.update("revocation", DocumentKind::Revocation, &text, &world::operator());
    assert_eq!(system.stage(&["other"]).generation, Some(Generation::new(2)));
    assert_eq!(system.boot(), (2, SetRole::Trial));

    store().rollback(Generation::new(2), "the test says so").unwrap();
    let request = Request { source: Source::Node(system.node()), ..system.request() };
    let status = activate(&request, &Clock::start()).unwrap();
    assert_eq!((status.set.unwrap().generation, status.extensions[0].state), (1, State::Refused));
    assert_eq!(status.extensions[0].reasons[0].code, ReasonCode::DigestDenied);

    // A medium that has never heard of it.
    fs::remove_dir_all(system.world.medium().join("tenon/trust")).unwrap();
    let staged = system.stage(&["driver"]).generation.unwrap();
    for other in [1, 2].map(Generation::new) {
        fs::remove_dir_all(system.node().join(other.dir())).unwrap();
    }
    let refused = system.stage(&["tool"]);
    assert_eq!((staged, refused.generation), (Generation::new(3), None), "set 3 knows it too");
    assert_eq!(refused.status.extensions[0].reasons[0].code, ReasonCode::DigestDenied);
}

/// A set that is staged on the system itself is for the same base as one that is staged for the base that the boot describes.
#[test]
fn a_system_knows_itself_with_and_without_a_description() {
    if !alone("in_place::a_system_knows_itself_with_and_without_a_description") {
        return;
    }
    let system = System::new();
    let known = system.as_base().look(&Present::now()).unwrap();
    let described = base::parse(&system.path("tenon/base.json")).unwrap();
    assert!(known.description.is_none());
    let at_boot = identity::of(Some(&described), &known.facts);
    assert_eq!(known.identity().difference(&at_boot), None);
    assert_eq!(at_boot.name.as_str(), "demo");
}

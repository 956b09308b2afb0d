//! What every attack shares: the programs as they are and without one defence, what they said, and what they touched.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use spec::defence::{SWITCH, Threat};
use spec::status::{ExtensionStatus, State, Status};
use spec::{Digest, ReasonCode};
use tempfile::TempDir;
use tests::{Context, Said, from_xtask};

use crate::world::World;

/// Which programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Those that users get. They are told to drop their defence all the same, and must not listen.
    Whole,
    /// Those that can drop a defence, without this one.
    Without,
}

/// The programs, told to do without the defence against a threat.
#[derive(Debug, Clone, Copy)]
pub struct Programs {
    threat: Threat,
    side: Side,
}

/// What an attack came to.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; none if a signal ended the program.
    pub code: Option<i32>,
    /// Why something was refused: code and sentence, or only what was said.
    pub reasons: Vec<(Option<ReasonCode>, String)>,
    /// Everything that was said.
    pub said: String,
}

/// How the refusal of an attack looks.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// Exit code of the program.
    pub exit: i32,
    /// The kind, where the program says it.
    pub code: Option<ReasonCode>,
    /// What the sentence has.
    pub words: &'static str,
}

impl Refusal {
    /// By the judgement of a boot, which `extruntime plan` ends with exit code 1.
    pub const fn by_judge(code: ReasonCode, words: &'static str) -> Refusal {
        Refusal { exit: 1, code: Some(code), words }
    }

    /// By a program of the builder's side.
    pub const fn with_words(words: &'static str) -> Refusal {
        Refusal { exit: 1, code: None, words }
    }

    fn is_in(&self, outcome: &Outcome) -> bool {
        let same = |(code, sentence): &(Option<ReasonCode>, String)| {
            *code == self.code && sentence.contains(self.words)
        };
        outcome.code == Some(self.exit) && outcome.reasons.iter().any(same)
    }
}

/// Tries the attack twice: it must be refused in this way, and it must get through once the defence is down.
#[track_caller]
pub fn is_refused(threat: Threat, refusal: Refusal, attack: impl Fn(&Programs) -> Outcome) {
    let without = tried(threat, refusal, attack);
    assert_eq!(without.code, Some(0), "{threat} does not get through without its defence: {without:#?}");
}

/// The same for an attack that another defence stops once this one is down, with that refusal.
#[track_caller]
pub fn is_refused_twice(
    threat: Threat,
    refusal: Refusal,
    next: Refusal,
    attack: impl Fn(&Programs) -> Outcome,
) {
    let without = tried(threat, refusal, attack);
    assert!(next.is_in(&without), "without its defence {threat} should be refused as {next:?}: {without:#?}");
}

/// What the attack comes to without the defence, after the whole programs have refused it.
#[track_caller]
fn tried(threat: Threat, refusal: Refusal, attack: impl Fn(&Programs) -> Outcome) -> Outcome {
    let outcome = attack(&Programs::whole(threat));
    assert!(refusal.is_in(&outcome), "{threat} is not refused as {refusal:?}: {outcome:#?}");
    let without = attack(&Programs { threat, side: Side::Without });
    assert!(
        !refusal.is_in(&without),
        "{threat} is refused without its defence, so who defends? {without:#?}"
    );
    without
}

/// Tries an attack twice that is not refused but comes to nothing: `holds` says whether it did.
#[track_caller]
pub fn comes_to_nothing(threat: Threat, holds: impl Fn(&Programs) -> Result<(), String>) {
    if let Err(why) = holds(&Programs::whole(threat)) {
        panic!("{threat} got through: {why}");
    }
    let without = holds(&Programs { threat, side: Side::Without });
    assert!(without.is_err(), "{threat} comes to nothing without its defence: the test has no teeth");
}

impl Programs {
    /// The programs that users get.
    pub fn whole(threat: Threat) -> Programs {
        Programs { threat, side: Side::Whole }
    }

    /// Are these the programs that users get?
    pub fn are_whole(&self) -> bool {
        self.side == Side::Whole
    }

    /// Where one of the programs is.
    pub fn path(&self, variable: &str, name: &str) -> PathBuf {
        match self.side {
            Side::Whole => from_xtask(variable),
            Side::Without => from_xtask("TENON_SWITCHABLE").join(name),
        }
    }

    /// A command that is told to do without the defence.
    pub fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command.env(SWITCH, self.threat.to_string());
        command
    }

    /// `extbuild` with nobody's cache and nobody's credentials.
    pub fn extbuild(&self, context: &Context, args: &[&str]) -> Outcome {
        let mut extbuild = self.command(self.path("TENON_EXTBUILD", "extbuild"));
        extbuild.env("TENON_CACHE_DIR", context.cache()).env_remove("TENON_PASSPHRASE_FILE");
        extbuild.env("DOCKER_CONFIG", context.dir()).env_remove("REGISTRY_AUTH_FILE");
        spoken(context.run(extbuild.args(args)))
    }

    /// Pulls `ext/tool:1.0.0` into `oci:out` of the context. What is refused leaves the store as it was.
    pub fn pull(&self, context: &Context, registry: SocketAddr, artifact: &str) -> Outcome {
        let out = context.dir().join("out");
        let before = files(&out);
        let outcome =
            self.extbuild(context, &["pull", &format!("{registry}/ext/tool{artifact}"), "-o", "oci:out"]);
        if self.are_whole() && outcome.code != Some(0) {
            let mut after = files(&out);
            // An empty store is what a refused pull may leave where there was none.
            if before.is_empty() {
                after.retain(|file, _| file.starts_with("blobs"));
            }
            assert_eq!(after, before, "the refused pull left something behind: {outcome:#?}");
        }
        outcome
    }

    /// Asks `extruntime plan` about the world. It mounts nothing and writes nothing, whatever the world holds.
    pub fn plan(&self, world: &World, more: &[&str]) -> Outcome {
        let before = Footprint::of(&world.medium());
        let mut extruntime = self.command(self.path("TENON_EXTRUNTIME", "extruntime"));
        extruntime.args(["plan", "--json", "--medium"]).arg(world.medium());
        extruntime.arg("--base").arg(world.base()).arg("--trust").arg(world.trust()).args(more);
        let output = extruntime.output().expect("extruntime starts");
        before.check(&world.medium());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        let status: Option<Status> = serde_json::from_slice(&output.stdout).ok();
        let reasons = status.map_or_else(|| vec![(None, said.clone())], |status| reasons(&status));
        Outcome { code: output.status.code(), reasons, said }
    }

    /// Boots the medium of the world as far as it goes without starting an init, in a mount namespace of its own.
    pub fn boot(&self, world: &World) -> Booted {
        self.boot_by(world, &[])
    }

    /// The same with every system call that concerns mounts and files written down.
    pub fn boot_traced(&self, world: &World) -> (Booted, String) {
        let dir = tempfile::tempdir().expect("there is room for a trace");
        let trace = dir.path().join("trace").display().to_string();
        let calls = "trace=open,openat,openat2,ioctl,mount,fsopen,fsconfig,fsmount,move_mount,memfd_create";
        let booted = self.boot_by(world, &["strace", "-f", "-y", "-s", "200", "-o", &trace, "-e", calls]);
        (booted, fs::read_to_string(trace).expect("strace of Debian is installed"))
    }

    fn boot_by(&self, world: &World, tracer: &[&str]) -> Booted {
        assert!(is_root(), "this test mounts images: run it as root");
        let (root, seen) =
            (tempfile::tempdir().expect("there is room"), tempfile::tempdir().expect("there is"));
        world.furnish(root.path());
        let before = Footprint::of(&world.medium());
        let mut shell = self.command("unshare".into());
        shell.args(["--mount", "--propagation", "private", "--", "sh", "-euc", REHEARSAL, "sh"]);
        shell.args([root.path(), &world.medium(), seen.path()]).args(tracer);
        let output = shell.arg(self.path("TENON_REHEARSE", "rehearse")).output().expect("unshare starts");
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let status = fs::read(seen.path().join("status")).ok();
        let status = status.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Booted { status: status.unwrap_or_else(|| panic!("no status: {said}")), seen, before }
    }
}

/// Makes a root like that of an initramfs, boots it, and keeps what there is to see of it.
const REHEARSAL: &str = r#"
root=$1 medium=$2 seen=$3
shift 3
mkdir -p "$root/dev" "$root/proc" "$root/tmp" "$root/run/tenon/medium"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
mount --bind "$medium" "$root/run/tenon/medium"
"$@" "$root" > "$seen/status"
cp /proc/self/mountinfo "$seen/mounts"
cp -a "$root/sysroot" "$seen/sysroot"
"#;

/// A boot that is over.
#[derive(Debug)]
pub struct Booted {
    /// What became of the extensions.
    pub status: Status,
    seen: TempDir,
    before: Footprint,
}

impl Booted {
    /// A file of the system that was booted.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.seen.path().join("sysroot").join(path.trim_start_matches('/'))).ok()
    }

    /// How many squashfs images were mounted: that of the base, and one for each extension that is active.
    pub fn images(&self) -> usize {
        let mounts = fs::read_to_string(self.seen.path().join("mounts")).expect("the boot wrote it down");
        mounts.lines().filter(|line| line.contains(" - squashfs ")).count()
    }

    /// What the judgement came to. Nothing of what was refused may be mounted, and nothing may have been written.
    pub fn outcome(&self, world: &World) -> Outcome {
        let active = |extension: &&ExtensionStatus| extension.state == State::Active;
        let count = self.status.extensions.iter().filter(active).count();
        assert_eq!(self.images(), 1 + count, "something is mounted that is not active: {:#?}", self.status);
        self.before.check(&world.medium());
        let code = if count == self.status.extensions.len() { 0 } else { 1 };
        Outcome { code: Some(code), reasons: reasons(&self.status), said: format!("{:#?}", self.status) }
    }
}

fn reasons(status: &Status) -> Vec<(Option<ReasonCode>, String)> {
    let of = |extension: &ExtensionStatus| extension.reasons.clone();
    status.extensions.iter().flat_map(of).map(|reason| (Some(reason.code), reason.sentence)).collect()
}

fn spoken(said: Said) -> Outcome {
    let text = format!("{}{}", said.stdout, said.stderr);
    Outcome { code: said.code, reasons: vec![(None, text.clone())], said: text }
}

/// What a program could leave behind on this machine.
#[derive(Debug)]
struct Footprint {
    mounts: String,
    loops: BTreeMap<PathBuf, String>,
    files: BTreeMap<PathBuf, Digest>,
}

impl Footprint {
    fn of(dir: &Path) -> Footprint {
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("Linux has it");
        Footprint { mounts, loops: loops(), files: files(dir) }
    }

    /// Other tests come and go with loop devices of their own; what is left after a while is left for good.
    #[track_caller]
    fn check(&self, dir: &Path) {
        let after = Footprint::of(dir);
        assert_eq!(after.mounts, self.mounts, "something is mounted");
        assert_eq!(after.files, self.files, "something is written");
        let end = Instant::now() + Duration::from_secs(20);
        let left = || loops().into_iter().find(|(device, file)| self.loops.get(device) != Some(file));
        while let Some((device, file)) = left() {
            assert!(Instant::now() < end, "{} still serves {file}", device.display());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Loop devices, and the files that they serve.
pub fn loops() -> BTreeMap<PathBuf, String> {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten().map(|entry| entry.path());
    let served = |device: PathBuf| {
        let file = fs::read_to_string(device.join("loop/backing_file")).ok()?;
        Some((device, file.trim_end().to_owned()))
    };
    devices.filter_map(served).collect()
}

/// All files below a directory, with the digests of what is in them; nothing where there is none.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Digest> {
    let (mut found, mut waiting) = (BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("Linux says what it is"));
            if kind.is_dir() {
                waiting.push(path);
                continue;
            }
            let bytes = if kind.is_file() { fs::read(&path).unwrap_or_default() } else { Vec::new() };
            found.insert(path.strip_prefix(dir).unwrap_or(&path).to_owned(), Digest::of(&bytes));
        }
    }
    found
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

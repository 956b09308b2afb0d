//! The same images laid over the same root in three ways, in turn: with verdicts by `extruntime`, without by
//! systemd-sysext, and by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::measure::{Usage, measured};
use super::COUNTS;
use super::namespace::Namespace;
use super::set::Set;
use super::timings::Timings;
use crate::programs::Programs;
use crate::progress::Task;
use crate::{Error, command};

/// What laying a number of extensions over a root took.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) extensions: usize,
    /// Bytes of all their images.
    pub(super) bytes: u64,
    /// Of each way, in the order of [`Way::ALL`].
    pub(super) usages: [Vec<Usage>; 3],
    /// Memory of the kernel's in which copies of images are, in bytes, after our last run.
    pub(super) held: u64,
    /// Of one more run of ours.
    pub(super) timings: Timings,
}

/// A way to lay images over a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Tenon,
    Sysext,
    Mount,
}

impl Way {
    /// Ours first: the others are held against it.
    pub(super) const ALL: [Way; 3] = [Way::Tenon, Way::Sysext, Way::Mount];

    /// As the page has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Way::Tenon => "`extruntime activate`",
            Way::Sysext => "`systemd-sysext merge`",
            Way::Mount => "`mount -o loop` each",
        }
    }
}

/// Mounts each image at a number, and lays them over `/usr` of the root: `sh -c … ROOT IMAGE…`.
const MOUNT: &str = "cd \"$0\" && n=0 && over= && for image; do mkdir -p layers/$n && \
    mount -o loop,ro \"$image\" layers/$n && over=${over}layers/$n/usr: && n=$((n+1)) || exit 1; done && \
    mount -t overlay -o ro,lowerdir=${over}usr overlay usr";
/// The way back: `sh -c … ROOT`.
const UNMOUNT: &str = "cd \"$0\" && umount usr && umount layers/*";

/// Where systemd-sysext looks for images, below its root (systemd-sysext(8)).
const EXTENSIONS: &str = "var/lib/extensions";

/// Lays each number of extensions over the root in each way so many times, and once before, which fills the kernel's
/// cache of files and counts for nobody.
pub(super) fn measure(
    programs: &Programs,
    base: &Path,
    set: &Set,
    dir: &Path,
    runs: usize,
) -> Result<Vec<Measured>, Error> {
    let root = dir.join("root");
    command::read(
        Command::new("unsquashfs").args(["-q", "-n", "-d"]).arg(&root).arg(base.join("root.squashfs")),
    )?;
    let namespace = Namespace::new()?;
    let host = Host { programs, base, set, root, scratch: dir, namespace };
    COUNTS.iter().map(|count| host.measure(*count, runs)).collect()
}

struct Host<'a> {
    programs: &'a Programs,
    base: &'a Path,
    set: &'a Set,
    root: PathBuf,
    scratch: &'a Path,
    namespace: Namespace,
}

impl Host<'_> {
    fn measure(&self, extensions: usize, runs: usize) -> Result<Measured, Error> {
        self.offer_to_sysext(extensions)?;
        let mut usages = [Vec::new(), Vec::new(), Vec::new()];
        let mut held = 0;
        for round in 0..=runs {
            for (way, usages) in Way::ALL.into_iter().zip(&mut usages) {
                let task = Task::spin(format!("{round}/{runs} {} of {extensions}", way.name()));
                let before = shared_memory()?;
                let usage = measured(&self.lay(way, extensions)?, self.scratch)?;
                self.look(extensions, true)?;
                if way == Way::Tenon {
                    held = shared_memory()?.saturating_sub(before);
                }
                command::read(&mut self.take_away(way))?;
                self.look(extensions, false)?;
                task.finish(&format!("{:.0} ms", usage.wall * 1e3));
                usages.extend((round > 0).then_some(usage));
            }
        }
        let said = command::capture(self.lay(Way::Tenon, extensions)?.arg("--timings"))?;
        let timings = Timings::parse(&command::said(&said))?;
        command::read(&mut self.take_away(Way::Tenon))?;
        let bytes = self.set.image_bytes.iter().take(extensions).sum();
        Ok(Measured { extensions, bytes, usages, held, timings })
    }

    /// Names for the images, as many as are to be merged.
    fn offer_to_sysext(&self, extensions: usize) -> Result<(), Error> {
        let directory = self.root.join(EXTENSIONS);
        crate::cache::remove_dir(&directory)?;
        fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
        for (name, image) in self.set.images(extensions) {
            let link = directory.join(format!("{name}.raw"));
            fs::hard_link(image, &link).map_err(Error::file("create", link))?;
        }
        Ok(())
    }

    fn lay(&self, way: Way, extensions: usize) -> Result<Command, Error> {
        let mut command = match way {
            Way::Tenon => {
                let mut activate = self.namespace.enter(&self.programs.extruntime, &["activate"]);
                let places = [
                    ("--root", self.root.clone()),
                    ("--base", self.base.to_owned()),
                    ("--config", self.set.config(extensions)?),
                    ("--store", self.set.store()),
                    ("--trust", self.set.trust()),
                ];
                for (option, place) in places {
                    activate.arg(option).arg(place);
                }
                activate
            }
            Way::Sysext => self.sysext("merge"),
            Way::Mount => {
                let mut mount = self.namespace.enter("sh", &["-c", MOUNT]);
                mount.arg(&self.root).args(self.set.images(extensions).map(|(_, image)| image));
                mount
            }
        };
        command.stdin(std::process::Stdio::null());
        Ok(command)
    }

    fn take_away(&self, way: Way) -> Command {
        match way {
            Way::Tenon => {
                let mut deactivate =
                    self.namespace.enter(&self.programs.extruntime, &["deactivate", "--root"]);
                deactivate.arg(&self.root);
                deactivate
            }
            Way::Sysext => self.sysext("unmerge"),
            Way::Mount => {
                let mut unmount = self.namespace.enter("sh", &["-c", UNMOUNT]);
                unmount.arg(&self.root);
                unmount
            }
        }
    }

    fn sysext(&self, verb: &str) -> Command {
        let mut sysext = self.namespace.enter("systemd-sysext", &["--root"]);
        sysext.arg(&self.root).arg(verb);
        sysext
    }

    /// Who shows something else than all of the extensions, or still shows one of them, has done something else; systemd-sysext
    /// does not say so by its exit code.
    fn look(&self, extensions: usize, wanted: bool) -> Result<(), Error> {
        let share = self.namespace.seen(&self.root.join("usr/share"));
        let seen = |place: &usize| share.join(Set::name(*place)).is_dir();
        let found = (0..extensions).filter(seen).count();
        match found == if wanted { extensions } else { 0 } {
            true => Ok(()),
            false => Err(Error::Bench(format!("{found} of {extensions} extensions show"))),
        }
    }
}

/// Bytes in files that are only in memory, sealed copies among them (proc_meminfo(5), `Shmem`).
fn shared_memory() -> Result<u64, Error> {
    let path = Path::new("/proc/meminfo");
    let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
    parse_shared(&text).ok_or_else(|| Error::Bench("/proc/meminfo has no Shmem".to_owned()))
}

fn parse_shared(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("Shmem:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_is_read_in_bytes() {
        assert_eq!(
            parse_shared("Mapped:  9 kB\nShmem:              7284 kB\nShmemHugePages: 0 kB\n"),
            Some(7284 * 1024)
        );
        assert_eq!(parse_shared("ShmemHugePages: 0 kB\n"), None);
    }
}

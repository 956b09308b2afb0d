//! Machines that boot with and without extensions, in QEMU: what `extruntime` says of its time there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::set::Set;
use super::timings::{Lap, Timings};
use super::{BOOTED, LARGE, SMALL};
use crate::inputs::Inputs;
use crate::programs::Programs;
use crate::progress::Task;
use crate::vm::{Start, Vm};
use crate::{Error, cache, command};

/// Boots of each machine; a boot takes half a minute.
const BOOTS: usize = 3;
/// Emulated, on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);
/// What examples/base-debian prints when it has said everything.
const END: &str = "TENON CHECKS END";

/// How images are held, as the kernel command line has it.
pub(super) const VERITY: &str = "verity";
pub(super) const COPY: &str = "copy";

/// A machine and its boots.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) extensions: usize,
    /// Content of each of them, in bytes.
    pub(super) content: u64,
    /// How images are held: [`COPY`] or [`VERITY`].
    pub(super) images: &'static str,
    pub(super) boots: Vec<Boot>,
}

/// What a boot took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Boot {
    /// From the medium to the init.
    pub(super) all: f64,
    /// In the kernel, for the images of the extensions: loop devices, dm-verity, mounts, the overlay.
    pub(super) kernel: f64,
    /// Holding images by copies of them.
    pub(super) copying: f64,
    /// Looking into them.
    pub(super) checking: f64,
    /// Of the base, which every boot mounts.
    pub(super) base: f64,
}

/// Boots machines without extensions, and with small and large ones.
pub(super) fn measure(
    programs: &Programs,
    inputs: &Inputs,
    base: &Path,
    dir: &Path,
) -> Result<Vec<Machine>, Error> {
    let mut machines = Vec::new();
    for (name, content, kinds) in [
        ("small", SMALL, &[(0, VERITY), (BOOTED, VERITY), (BOOTED, COPY)][..]),
        ("large", LARGE, &[(BOOTED, VERITY)]),
    ] {
        let set = Set::make(programs, dir, name, BOOTED, content)?;
        for (extensions, images) in kinds {
            let mut machine = Machine { extensions: *extensions, content, images, boots: Vec::new() };
            let iso = machine.compose(programs, inputs, base, &set)?;
            machine.boot(&iso, dir)?;
            machines.push(machine);
        }
        cache::remove_dir(&set.dir)?;
    }
    Ok(machines)
}

impl Machine {
    fn compose(
        &self,
        programs: &Programs,
        inputs: &Inputs,
        base: &Path,
        set: &Set,
    ) -> Result<PathBuf, Error> {
        let Machine { extensions, images, .. } = self;
        let (schematic, iso) = (set.dir.join("schematic.yaml"), set.dir.join("medium.iso"));
        let text = format!(
            "apiVersion: v1alpha1\nkind: Schematic\nbase: {}\nmachineConfig: {}\ntrust: {}\nextensions: oci:{}\n\
             kernelArgs: [console=ttyS0, demo.report, tenon.timings, tenon.images={images}]\n",
            base.display(),
            set.config(*extensions)?.display(),
            set.trust().display(),
            set.store().display()
        );
        std::fs::write(&schematic, text).map_err(Error::file("write", &schematic))?;
        let mut compose = Command::new(&programs.extfactory);
        compose.arg("compose").arg(&schematic).arg("--runtime").arg(&programs.extruntime);
        command::read(compose.arg("--stub").arg(inputs.stub()).arg("-o").arg(&iso))?;
        Ok(iso)
    }

    fn boot(&mut self, iso: &Path, dir: &Path) -> Result<(), Error> {
        for number in 1..=BOOTS {
            let Machine { extensions, content, images, .. } = self;
            let name = format!("{extensions}-{}-{images}-{number}", *content / 1_000_000);
            let task = Task::spin(format!("boot {name}"));
            let console = dir.join(format!("console-{name}.log"));
            let vm = Vm { start: Start::Uefi, iso: iso.to_owned(), disk: None, console, limit: LIMIT };
            let text = vm.boot(END, |_| {})?;
            let boot = Boot::of(&Timings::parse(&text)?, images)?;
            task.finish(&format!("{:.0} ms", boot.all));
            self.boots.push(boot);
        }
        Ok(())
    }
}

impl Boot {
    fn of(timings: &Timings, images: &str) -> Result<Boot, Error> {
        let medium = timings.first("find the medium").map(Lap::end);
        let no_medium = || Error::Bench("the machine did not look for its medium".to_owned());
        let all = timings.all - medium.ok_or_else(no_medium)?;
        let mounts = ["mount the image of bench-", "mount bench-", "overlay"].map(|words| timings.of(words));
        let (mounts, held) = (mounts.iter().sum::<f64>(), timings.of("hold bench-"));
        // To hold an image is to set up dm-verity for it, which the kernel does, or to copy it.
        let (kernel, copying) = if images == COPY { (mounts, held) } else { (mounts + held, 0.0) };
        let (checking, base) = (timings.of("check bench-"), timings.of("mount the base"));
        Ok(Boot { all, kernel, copying, checking, base })
    }

    /// What is not the kernel's doing.
    pub(super) fn own(&self) -> f64 {
        self.all - self.kernel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_depends_on_how_images_are_held() {
        let text = "0.00 100.00 find the medium\n101.00 50.00 mount the base\n151.00 9.00 judge\n\
            151.00 4.00   hold bench-00\n155.00 2.00   check bench-00\n157.00 1.00   mount the image of bench-00\n\
            160.00 0.50 mount bench-00 at /run/x\n161.00 0.25 overlay bench-00/usr\n300.00 all\n";
        let timings = Timings::parse(text).unwrap();
        let copy = Boot { all: 200.0, kernel: 1.75, copying: 4.0, checking: 2.0, base: 50.0 };
        assert_eq!(Boot::of(&timings, COPY).unwrap(), copy);
        let verity = Boot { kernel: 5.75, copying: 0.0, ..copy };
        assert_eq!(Boot::of(&timings, VERITY).unwrap(), verity);
        assert_eq!(verity.own(), 194.25);
    }
}

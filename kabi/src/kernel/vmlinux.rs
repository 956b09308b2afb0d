//! vmlinux: the kernel as it is linked, an ELF file.

use object::LittleEndian as LE;
use object::elf::{ET_DYN, ET_EXEC, FileHeader64, PT_NOTE};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable};
use spec::{Arch, KernelRelease};

use super::ImageError;
use super::notes::build_id;
use spec::BuildId;

/// How `linux_banner` starts (init/version-timestamp.c). The release and a blank follow.
const BANNER: &[u8] = b"Linux version ";
/// Longest release, `__NEW_UTS_LEN` (linux/utsname.h).
const RELEASE_MAX: usize = 64;

/// An ELF file that was linked to run.
pub(super) struct Vmlinux<'a> {
    pub(super) arch: Arch,
    bytes: &'a [u8],
    header: &'a FileHeader64<LE>,
    sections: SectionTable<'a, FileHeader64<LE>>,
}

/// A section that is in the file.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    /// Where it is when the kernel runs, if nothing moves it.
    pub(super) address: u64,
    pub(super) data: &'a [u8],
}

impl<'a> Vmlinux<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Vmlinux<'a>, ImageError> {
        let broken = |what| move |_| ImageError::Elf(what);
        let header = FileHeader64::<LE>::parse(bytes).map_err(broken("there is no header"))?;
        if !header.is_class_64() || !header.is_little_endian() {
            return Err(ImageError::Elf("it is not 64-bit and little-endian"));
        }
        if ![ET_EXEC, ET_DYN].contains(&header.e_type(LE)) {
            return Err(ImageError::Elf("it was not linked to run"));
        }
        let machine = header.e_machine(LE).0;
        let arch = [Arch::Amd64, Arch::Arm64].into_iter().find(|arch| arch.elf_machine() == machine);
        let arch = arch.ok_or(ImageError::Machine(machine))?;
        let sections =
            header.sections(LE, bytes).map_err(broken("the section headers lie outside the file"))?;
        Ok(Vmlinux { arch, bytes, header, sections })
    }

    /// The section of that name, if there is one.
    pub(super) fn section(&self, name: &'static str) -> Result<Option<Section<'a>>, ImageError> {
        let Some((_, header)) = self.sections.section_by_name(LE, name.as_bytes()) else {
            return Ok(None);
        };
        let data = header.data(LE, self.bytes);
        let data = data.map_err(|_| ImageError::section(name, "it lies outside the file"))?;
        Ok(Some(Section { address: header.sh_addr(LE), data }))
    }

    /// What the kernel says first of all when it starts.
    pub(super) fn release(&self) -> Result<KernelRelease, ImageError> {
        let text = self.section(".rodata")?.map_or([].as_slice(), |section| section.data);
        let mut banners = text.windows(BANNER.len()).enumerate().filter(|(_, window)| *window == BANNER);
        let release = banners.find_map(|(place, _)| {
            let rest = &text[place + BANNER.len()..];
            let release = rest[..rest.len().min(RELEASE_MAX + 1)].split(|byte| *byte == b' ').next()?;
            str::from_utf8(release).ok()?.parse().ok()
        });
        release.ok_or(ImageError::Release)
    }

    /// The build id, from the section of notes or from the segments of notes.
    pub(super) fn build_id(&self) -> Result<Option<BuildId>, ImageError> {
        if let Some(id) = self.section(".notes")?.and_then(|notes| build_id(notes.data)) {
            return Ok(Some(id));
        }
        let broken = |_| ImageError::Elf("the program headers lie outside the file");
        let segments = self.header.program_headers(LE, self.bytes).map_err(broken)?;
        let mut notes = segments.iter().filter(|segment| segment.p_type(LE) == PT_NOTE);
        Ok(notes.find_map(|segment| build_id(segment.data(LE, self.bytes).ok()?)))
    }
}

//! The bootable medium: ISO 9660 with Rock Ridge, an El Torito entry for UEFI and a GPT, so that it starts from a CD
//! drive and from a USB stick alike. The only file that knows the library behind it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use hadris_fs::{Content, DateTime, Node, Tree, host};
use hadris_iso::{AppendedPartition, BootEntry, ElTorito, Hybrid, IsoId, IsoLevel, IsoOptions};
use hadris_storage::host::FileDevice;
use spec::boot::medium;
use spec::{Diagnose, Outcome, TreePath};

/// Makes the GUIDs of the GPT a function of the medium, not of chance.
const SEED: u64 = 0;

/// What a file on the medium holds.
#[derive(Debug, Clone)]
pub enum Source {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What this file of the host holds when the medium is written.
    File(PathBuf),
}

/// Writes a medium to `out`, an empty file, and returns its size in bytes.
///
/// `esp` is the image of the EFI system partition; `epoch` (seconds since 1970, UTC) dates the volume and its files.
pub fn write(
    files: &BTreeMap<TreePath, Source>,
    esp: Vec<u8>,
    epoch: u32,
    out: &File,
) -> Result<u64, IsoError> {
    let tree = tree(files)?;
    let options = options(esp, epoch)?;
    let device = out.try_clone().and_then(FileDevice::new).map_err(IsoError::Device)?;
    let report = hadris_iso::sync::write(device, &tree, &options).map_err(cannot_write)?;
    Ok(report.size())
}

fn tree(files: &BTreeMap<TreePath, Source>) -> Result<Tree, IsoError> {
    let mut tree = Tree::new();
    for (path, source) in files {
        let content = match source {
            Source::Bytes(bytes) => Content::bytes(bytes.clone()),
            Source::File(file) => host::file(file).map_err(cannot_write)?,
        };
        tree.insert(path.relative(), Node::file(content)).map_err(cannot_write)?;
    }
    Ok(tree)
}

fn options(esp: Vec<u8>, epoch: u32) -> Result<IsoOptions, IsoError> {
    let time = DateTime::from_unix_seconds(i64::from(epoch)).map_err(|_| IsoError::Epoch(epoch))?;
    Ok(IsoOptions::new()
        .with_id(IsoId::Volume, medium::VOLUME)
        .with_level(IsoLevel::L3) // a root image may have more than 4 GiB
        .with_rock_ridge() // names as they are; the digests of blobs are longer than ISO 9660 allows
        .with_time(time)
        .with_seed(SEED)
        .with_el_torito(ElTorito::new().with_entry(BootEntry::uefi_appended(0)))
        .with_hybrid(Hybrid::gpt_hybrid_mbr().with_appended(AppendedPartition::esp(Content::bytes(esp)))))
}

fn cannot_write(error: hadris_fs::PathError) -> IsoError {
    IsoError::Write(Box::new(error))
}

/// Why a medium could not be written.
#[derive(Debug, thiserror::Error)]
pub enum IsoError {
    /// The output is no file that can be written anywhere.
    #[error("the output file cannot be written")]
    Device(#[source] std::io::Error),
    /// A file of the medium could not be read, or the medium not be written.
    #[error("the ISO image cannot be written")]
    Write(#[source] Box<hadris_fs::PathError>),
    /// A time that ISO 9660 cannot say.
    #[error("{0} seconds since 1970 is no time that an ISO image can bear")]
    Epoch(u32),
}

impl Diagnose for IsoError {
    fn outcome(&self) -> Outcome {
        Outcome::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Command, Output};

    use super::*;

    const EPOCH: u32 = 1_700_000_000;

    fn files(host: &Path) -> BTreeMap<TreePath, Source> {
        let on_host = host.join("blob");
        std::fs::write(&on_host, [7; 5000]).unwrap();
        let blob = format!("/tenon/store/blobs/sha256/{}", "0123456789abcdef".repeat(4));
        [
            ("/tenon/machine.yaml", Source::Bytes(b"kind: X\n".to_vec())),
            ("/tenon/empty", Source::Bytes(Vec::new())),
            (&blob, Source::File(on_host)),
        ]
        .map(|(path, source)| (path.parse().unwrap(), source))
        .into()
    }

    fn image(directory: &Path) -> PathBuf {
        let path = directory.join("x.iso");
        let out = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let size = write(&files(directory), vec![0x55; 1 << 20], EPOCH, &out).unwrap();
        assert_eq!(out.metadata().unwrap().len(), size);
        path
    }

    fn xorriso(arguments: &[&str], iso: &Path) -> Output {
        let output = Command::new("xorriso").arg("-indev").arg(iso).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    #[test]
    fn xorriso_reads_the_same_files_back() {
        let directory = tempfile::tempdir().unwrap();
        let iso = image(directory.path());
        let out = directory.path().join("out");
        xorriso(&["-osirrox", "on", "-extract", "/", out.to_str().unwrap()], &iso);
        let found = xorriso(&["-find", "/", "-type", "f"], &iso).stdout;
        let wanted = files(directory.path());
        assert_eq!(String::from_utf8(found).unwrap().lines().count(), wanted.len());
        for (path, source) in wanted {
            let content = match source {
                Source::Bytes(bytes) => bytes,
                Source::File(file) => std::fs::read(file).unwrap(),
            };
            assert_eq!(std::fs::read(out.join(path.relative())).unwrap(), content, "{path}");
        }
    }

    #[test]
    fn firmware_finds_the_efi_partition_on_a_cd_and_on_a_stick() {
        let directory = tempfile::tempdir().unwrap();
        let iso = image(directory.path());
        let report =
            xorriso(&["-pvd_info", "-report_el_torito", "plain", "-report_system_area", "plain"], &iso);
        let report = String::from_utf8_lossy(&report.stdout).into_owned();
        for wanted in ["Volume Id    : TENON", "El Torito boot img :   1  UEFI  y   none", "GPT"] {
            assert!(report.contains(wanted), "{wanted} is not in:\n{report}");
        }
        // EFI System Partition, UEFI specification 2.10, 5.3.3, as xorriso writes it: in the order of the disk.
        assert!(report.contains("28732ac11ff8d211ba4b00a0c93ec93b"), "{report}");
    }

    #[test]
    fn equal_files_give_equal_images() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert!(std::fs::read(image(one.path())).unwrap() == std::fs::read(image(two.path())).unwrap());
    }

    #[test]
    fn a_missing_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let gone: BTreeMap<_, _> =
            [("/x".parse().unwrap(), Source::File(directory.path().join("gone")))].into();
        let out = tempfile::tempfile().unwrap();
        let error = write(&gone, Vec::new(), EPOCH, &out).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("gone"), "{cause}");
    }
}

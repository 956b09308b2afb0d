//! The base directory, as `extbuild base` writes it: read, and checked against its own description.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use spec::base::{BaseDescription, BaseDescriptionError, files};
use spec::{Arch, Diagnose, Digest, Hasher, ModuleName, Outcome};

use crate::pe;

/// A base whose root image is the one that it describes.
#[derive(Debug)]
pub struct Base {
    /// What it says about itself.
    pub description: BaseDescription,
    /// The bytes that say so: both copies on the medium are these.
    pub description_json: Vec<u8>,
    /// Where the root image lies.
    pub root: PathBuf,
    /// The kernel, a UEFI program.
    pub kernel: Vec<u8>,
    /// The modules of the initramfs, in the order of loading.
    pub modules: Vec<(ModuleName, Vec<u8>)>,
}

impl Base {
    /// Reads a base directory, the root image included: its digest is computed.
    pub fn open(directory: &Path) -> Result<Base, BaseError> {
        let path = directory.join(files::DESCRIPTION);
        let description_json = read(&path)?;
        let description = BaseDescription::parse(&description_json, &path.display().to_string())?;
        let root = directory.join(files::ROOT);
        check_root(&root, &description)?;
        let kernel = read_kernel(&directory.join(files::KERNEL), description.arch)?;
        let modules = directory.join(files::BOOT_MODULES);
        let modules = description
            .boot_modules
            .iter()
            .map(|name| Ok((name.clone(), read(&modules.join(format!("{name}.ko")))?)))
            .collect::<Result<_, BaseError>>()?;
        Ok(Base { description, description_json, root, kernel, modules })
    }
}

fn check_root(path: &Path, description: &BaseDescription) -> Result<(), BaseError> {
    let failed = |source| BaseError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let (wanted, found) = (description.root.size, file.metadata().map_err(failed)?.len());
    if wanted != found {
        return Err(BaseError::RootSize { path: path.to_owned(), wanted, found });
    }
    let (wanted, found) = (description.root.digest, digest(&mut file).map_err(failed)?);
    match wanted == found {
        true => Ok(()),
        false => Err(BaseError::RootDigest { path: path.to_owned(), wanted, found }),
    }
}

fn digest(file: &mut File) -> io::Result<Digest> {
    let mut hasher = Hasher::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&chunk[..count]),
        }
    }
}

fn read_kernel(path: &Path, arch: Arch) -> Result<Vec<u8>, BaseError> {
    let kernel = read(path)?;
    match pe::is_uefi_program(&kernel, arch) {
        true => Ok(kernel),
        false => Err(BaseError::Kernel { path: path.to_owned(), arch }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BaseError> {
    std::fs::read(path).map_err(|source| BaseError::Read { path: path.to_owned(), source })
}

/// Why a base directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// A part of it is missing or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The description is not what it should be.
    #[error(transparent)]
    Description(#[from] BaseDescriptionError),
    /// The root image has another size than described.
    #[error("{} has {found} bytes where the base describes {wanted}", path.display())]
    RootSize {
        /// The image.
        path: PathBuf,
        /// The size in the description, in bytes.
        wanted: u64,
        /// Its size.
        found: u64,
    },
    /// The root image is another one than described.
    #[error("{} has the digest {found} where the base describes {wanted}", path.display())]
    RootDigest {
        /// The image.
        path: PathBuf,
        /// The digest in the description.
        wanted: Digest,
        /// Its digest.
        found: Digest,
    },
    /// The kernel has no EFI stub, or is for another machine.
    #[error("{} is not a kernel that UEFI firmware can start on {arch}", path.display())]
    Kernel {
        /// The kernel.
        path: PathBuf,
        /// What the base is for.
        arch: Arch,
    },
}

impl Diagnose for BaseError {
    fn outcome(&self) -> Outcome {
        match self {
            BaseError::Read { .. } => Outcome::Unavailable,
            _ => Outcome::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            BaseError::Kernel { .. } => "use a compressed kernel image built with CONFIG_EFI_STUB=y".into(),
            BaseError::Description(error) => return error.hint(),
            _ => "write the base directory again with extbuild base".into(),
        })
    }
}

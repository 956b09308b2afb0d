//! How a base OS is built: a root image, a kernel, the modules for boot, and the facts that extensions are held to.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use kabi::Record;
use spec::base::{BaseDescription, BaseImage, SCHEMA, files, places};
use spec::listing::{Kind, Listing};
use spec::manifest::BaseManifest;
use spec::template::Variables;
use spec::{Diagnose, ModuleName, Outcome, TreePath};
use squash::{BlockSize, Content, Mode, Node, Tree};
use tempfile::TempDir;
use terminal::{Failure, Place};

use crate::kernel::{Kernel, KernelModule};
use crate::lint::Owner;
use crate::modules;
use crate::packing::Packing;
use crate::pipeline::{read_text, search_path};
use crate::tree;

/// What to build a base from.
#[derive(Debug)]
pub struct Request {
    /// `base.yaml`.
    pub manifest: PathBuf,
    /// The unpacked kernel.
    pub kernel: PathBuf,
    /// Where sources are looked for besides the manifest's directory.
    pub source_dirs: Vec<PathBuf>,
}

/// Everything that a base consists of, decided; only the bytes of the root image are missing.
#[derive(Debug)]
struct Plan {
    manifest: BaseManifest,
    kernel: Kernel,
    tree: Tree,
    boot_modules: Vec<KernelModule>,
    /// Copies of the facts inside the tree: file name and text.
    facts: [(&'static str, Vec<u8>); 3],
}

/// Builds the base into the directory `output`, which must be empty, missing, or a base already: that one is replaced.
pub fn build(
    request: &Request,
    packing: &Packing,
    output: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BaseDescription, Failure> {
    let output = check_output(output)?;
    let plan = resolve(request)?;
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(Place::cannot("make", parent))?;
    let staging = directory_in(parent)?;
    let description = write(&plan, packing, staging.path(), progress)?;
    replace(staging, parent, &output)?;
    Ok(description)
}

/// The directory to write, if it may be written: missing, empty, or a base.
fn check_output(output: &Path) -> Result<PathBuf, Failure> {
    let occupied = || BaseError::Occupied { dir: output.to_owned() };
    match fs::read_dir(output) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(output.to_owned()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(occupied().into()),
        Err(error) => Err(Place::cannot("read", output)(error).into()),
        Ok(entries) => match may_be_replaced(output, entries) {
            // By its own name: `.` and links cannot be renamed.
            true => Ok(fs::canonicalize(output).map_err(Place::cannot("find", output))?),
            false => Err(occupied().into()),
        },
    }
}

/// Is the directory empty, or a base and nothing else? Anything more in it is somebody's.
fn may_be_replaced(dir: &Path, entries: fs::ReadDir) -> bool {
    let parts = [
        files::DESCRIPTION,
        files::ROOT,
        files::KERNEL,
        files::BOOT_MODULES,
        files::PROFILE,
        files::PATHS,
        files::MODULES,
    ];
    let names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    let describes = || {
        let path = dir.join(files::DESCRIPTION);
        fs::read(&path).is_ok_and(|json| BaseDescription::parse(&json, &path.display().to_string()).is_ok())
    };
    names.is_empty() || (names.iter().all(|name| parts.iter().any(|part| name == part)) && describes())
}

/// A directory beside the output that vanishes unless it is moved away.
fn directory_in(parent: &Path) -> Result<TempDir, Failure> {
    let made = tempfile::Builder::new().prefix(".tenon-base-").tempdir_in(parent);
    Ok(made.map_err(Place::cannot("write in", parent))?)
}

fn resolve(request: &Request) -> Result<Plan, Failure> {
    let text = read_text(&request.manifest)?;
    let manifest = BaseManifest::parse(&text, &request.manifest.display().to_string())?;
    let kernel = Kernel::open(&request.kernel)?;
    let mut variables = Variables::default();
    variables.set("arch", kernel.arch.as_str());
    variables.set("name", manifest.name.as_str());
    variables.set("version", manifest.version.to_string());
    variables.set("kernel.release", kernel.release.as_str());
    let search = search_path(&request.manifest, &request.source_dirs);
    let mut tree = tree::collect(&manifest.payload, &variables, &search, Owner::Base)?;
    for directory in &manifest.directories {
        tree.insert(directory.clone(), Node::Directory { mode: Mode::DIRECTORY })?;
    }
    let boot_modules = add_modules(&mut tree, &manifest, &kernel)?;
    let facts = add_facts(&mut tree, &kernel)?;
    Ok(Plan { manifest, kernel, tree, boot_modules, facts })
}

/// Adds all modules of the base at their in-tree places; returns those for boot, in the order of loading.
fn add_modules(
    tree: &mut Tree,
    manifest: &BaseManifest,
    kernel: &Kernel,
) -> Result<Vec<KernelModule>, Failure> {
    // What a kernel has built in is there without a file: one manifest does for kernels that differ in that.
    let in_files = |names: &[ModuleName]| -> Vec<ModuleName> {
        names.iter().filter(|name| !kernel.profile.is_builtin(name)).cloned().collect()
    };
    let boot = modules::with_dependencies(&in_files(&manifest.boot_modules), kernel, &BTreeSet::new())?;
    let for_boot: BTreeSet<ModuleName> = boot.iter().map(|module| module.facts.name.clone()).collect();
    let others = modules::with_dependencies(&in_files(&manifest.modules), kernel, &for_boot)?;
    for module in boot.iter().chain(&others) {
        modules::insert(tree, module.facts.path.clone(), module)?;
    }
    Ok(boot)
}

/// Adds what extensions are held against: the kernel's profile, the base's modules, and the list of all paths, its own
/// included.
fn add_facts(tree: &mut Tree, kernel: &Kernel) -> Result<[(&'static str, Vec<u8>); 3], Failure> {
    let record = modules::record(tree, kernel.profile.keys())?.unwrap_or_else(Record::default);
    let shipped: BTreeSet<ModuleName> = record.modules().iter().map(|module| module.name.clone()).collect();
    add_index(tree, kernel, &record)?;
    let profile = kernel.profile.restricted_to(&shipped).to_bytes();
    let modules = record.to_json();
    insert_fact(tree, places::PROFILE, &profile)?;
    insert_fact(tree, places::MODULES, &modules)?;
    let mut paths: Listing = tree.listing();
    paths.insert(place(places::PATHS), Kind::Leaf);
    let paths = paths.to_text().into_bytes();
    insert_fact(tree, places::PATHS, &paths)?;
    Ok([(files::PROFILE, profile), (files::MODULES, modules), (files::PATHS, paths)])
}

/// Adds the module index, and what the kernel's build says about its modules: a base that runs alone has no other.
fn add_index(tree: &mut Tree, kernel: &Kernel, modules: &Record) -> Result<(), Failure> {
    let build_files = kernel.build_files()?;
    let index = build_files.index(&kernel.release, modules)?;
    let index = index.files.iter().map(|(name, bytes)| (*name, bytes.as_slice()));
    for (name, bytes) in build_files.iter().chain(index) {
        insert_fact(tree, &format!("/usr/lib/modules/{}/{name}", kernel.release), bytes)?;
    }
    Ok(())
}

fn insert_fact(tree: &mut Tree, path: &str, bytes: &[u8]) -> Result<(), Failure> {
    let node = Node::File { mode: Mode::FILE, content: Content::Bytes(bytes.to_vec()) };
    Ok(tree.insert(place(path), node)?)
}

fn place(path: &str) -> TreePath {
    path.parse().expect("the places of spec::base are paths")
}

/// Writes all files of the base into the empty directory `dir`.
fn write(
    plan: &Plan,
    packing: &Packing,
    dir: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BaseDescription, Failure> {
    let root = dir.join(files::ROOT);
    let mut file = File::create_new(&root).map_err(Place::cannot("write", &root))?;
    let all = plan.tree.facts().bytes;
    // Boot waits for all of it.
    let options = packing.options(BlockSize::default());
    let packed =
        squash::pack(&plan.tree, &options, packing.means(), &mut file, &mut |done| progress(done, all))?;
    let description = BaseDescription {
        schema_version: SCHEMA,
        name: plan.manifest.name.clone(),
        version: plan.manifest.version.clone(),
        arch: plan.kernel.arch,
        kernel: plan.kernel.release.clone(),
        root: BaseImage { digest: packed.digest, size: packed.size, verity: packed.verity },
        boot_modules: plan.boot_modules.iter().map(|module| module.facts.name.clone()).collect(),
    };
    let image = plan.kernel.image()?;
    let copy = dir.join(files::KERNEL);
    fs::copy(image, &copy).map_err(Place::cannot("read", image))?;
    let boot_dir = dir.join(files::BOOT_MODULES);
    fs::create_dir(&boot_dir).map_err(Place::cannot("make", &boot_dir))?;
    for module in &plan.boot_modules {
        put(&boot_dir.join(format!("{}.ko", module.facts.name)), &module.bytes)?;
    }
    for (name, bytes) in &plan.facts {
        put(&dir.join(name), bytes)?;
    }
    let json = serde_json::to_string_pretty(&description).expect("a description is plain data") + "\n";
    put(&dir.join(files::DESCRIPTION), json.as_bytes())?;
    Ok(description)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Ok(fs::write(path, bytes).map_err(Place::cannot("write", path))?)
}

/// Puts the finished directory in the place of the old one, which comes back if that fails.
fn replace(staging: TempDir, parent: &Path, output: &Path) -> Result<(), Failure> {
    // A temporary directory is private; a base is for everybody to read.
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(staging.path(), everybody).map_err(Place::cannot("open up", staging.path()))?;
    let aside = directory_in(parent)?;
    let old = aside.path().join("old");
    let had_one = output.exists();
    if had_one {
        fs::rename(output, &old).map_err(Place::cannot("replace", output))?;
    }
    if let Err(error) = fs::rename(staging.path(), output) {
        if had_one && let Err(error) = fs::rename(&old, output) {
            // Better in the wrong place than lost.
            let kept = aside.keep();
            return Err(Place::cannot("put back what is now in", kept)(error).into());
        }
        return Err(Place::cannot("write", output)(error).into());
    }
    Ok(())
}

/// Why a base was not built, besides what is wrong with its inputs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    #[error("{} is not empty and no base", dir.display())]
    Occupied { dir: PathBuf },
}

impl Diagnose for BaseError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("name a new directory with -o".into())
    }
}

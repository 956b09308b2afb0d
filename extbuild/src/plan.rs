//! Everything that a build decides, before it writes a byte.

use kabi::{Candidate, Host, Record, SignatureRule, TrustedKey};
use spec::artifact::{CONFIG_SCHEMA, ExtensionConfig, ReleaseGroup};
use spec::listing::{Kind, Listing};
use spec::manifest::{Group, Manifest};
use spec::template::{Template, Variables};
use spec::{Arch, Diagnose, KernelRelease, Load, ModuleName, Outcome, Reason, TreePath};
use squash::{Content, Mode, Node, Tree};
use terminal::Failure;

use crate::base_dir::Base;
use crate::granted;
use crate::ground::{self, Facts};
use crate::kernel::Kernel;
use crate::lint::Owner;
use crate::modules;
use crate::source::SearchPath;
use crate::tree;

/// What an extension is built for.
#[derive(Debug)]
pub(crate) struct Target {
    /// The architecture.
    pub arch: Arch,
    /// The kernel, for extensions with modules.
    pub kernel: Option<Kernel>,
    /// The base that it will be laid over, where it is known.
    pub base: Option<Base>,
    /// Extensions that will be there too.
    pub with: Vec<Facts>,
    /// Which modules its kernel loads.
    pub signatures: SignatureRule,
}

/// An extension with nothing left to choose: the tree of its image and all facts about it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The config of the artifact.
    pub config: ExtensionConfig,
    /// What the image will hold.
    pub tree: Tree,
    /// The same as a list.
    pub paths: Listing,
    /// Its modules, where it has some.
    pub modules: Option<Record>,
    /// What is worth a second look, though it fits.
    pub notes: Vec<Reason>,
}

impl Target {
    /// The keys of the kernel that it will run on.
    fn keys(&self) -> &[TrustedKey] {
        let of_kernel = self.kernel.as_ref().map(|kernel| kernel.profile.keys());
        of_kernel.or(self.base.as_ref().map(|base| base.profile.keys())).unwrap_or_default()
    }
}

impl Plan {
    /// Binds a manifest to a target and holds the outcome against the target's kernel and base.
    pub(crate) fn resolve(
        manifest: &Manifest,
        target: &Target,
        search: &SearchPath,
    ) -> Result<Plan, Failure> {
        check_target(manifest, target)?;
        let variables = variables(manifest, target);
        let release = target.kernel.as_ref().map(|kernel| &kernel.release);
        let owner = Owner::Extension { name: &manifest.name, kernel: release };
        let mut tree = tree::collect(&manifest.payload, &variables, search, owner)?;
        add_modules(&mut tree, manifest, target)?;
        let modules = modules::record(&tree, target.keys())?;
        add_release_file(&mut tree, manifest, target.arch)?;
        check_load(manifest, target, modules.as_ref())?;
        let grants = granted::of(manifest, &tree, target.base.as_ref())?;
        let config =
            ExtensionConfig { grants, ..config(manifest, target, &variables, &tree, modules.as_ref())? };
        let mut plan = Plan { paths: tree.listing(), config, tree, modules, notes: Vec::new() };
        plan.notes = plan.check_fit(target)?;
        Ok(plan)
    }

    /// Does it fit the base, or the bare kernel where no base is known, together with the extensions that will be there?
    /// What is worth a second look comes back.
    fn check_fit(&self, target: &Target) -> Result<Vec<Reason>, Failure> {
        if let Some(base) = &target.base {
            let is_file = |path: &TreePath| self.paths.get(path) == Some(Kind::Leaf);
            let replaces = |path: &&TreePath| is_file(path) && self.config.replaces(path, &base.paths);
            let taken = self.paths.collisions(&base.paths).filter(|path| !replaces(path));
            let taken: Vec<TreePath> = taken.cloned().collect();
            if !taken.is_empty() {
                return Err(PlanError::Taken { base: base.description.name.to_string(), paths: taken }.into());
            }
        }
        let host = match (&target.base, &target.kernel) {
            (Some(base), _) => Host { paths: Some(&base.paths), ..Host::base(&base.profile, &base.modules) },
            (None, Some(kernel)) => Host::kernel(&kernel.profile),
            (None, None) => return Ok(Vec::new()),
        };
        let host = Host { signatures: target.signatures, ..host };
        let nothing = Record::default();
        let own = Candidate::new(&self.config, self.modules.as_ref().unwrap_or(&nothing), &self.paths);
        Ok(ground::require(&host, own, &target.with)?)
    }
}

fn check_target(manifest: &Manifest, target: &Target) -> Result<(), Failure> {
    // An extension that no store could list is refused before anything is made of it.
    catalog::tag_of(&manifest.name, &manifest.version)?;
    if !manifest.architectures.is_empty() && !manifest.architectures.contains(&target.arch) {
        let known = manifest.architectures.iter().map(|arch| arch.as_str()).collect::<Vec<_>>().join(", ");
        return Err(PlanError::Architecture { file: manifest.file.clone(), arch: target.arch, known }.into());
    }
    if !manifest.modules.is_empty() && target.kernel.is_none() {
        return Err(PlanError::NoKernel { file: manifest.file.clone() }.into());
    }
    let of_kernel = target.kernel.as_ref().map(|kernel| ("kernel", kernel.arch));
    let of_base = target.base.as_ref().map(|base| ("base", base.description.arch));
    if let Some((what, found)) = of_kernel.into_iter().chain(of_base).find(|(_, arch)| *arch != target.arch) {
        return Err(PlanError::OtherArch { arch: target.arch, what, found }.into());
    }
    if manifest.requires.iter().any(|needed| needed.name == manifest.name) {
        return Err(PlanError::RequiresItself { file: manifest.file.clone() }.into());
    }
    match (&target.kernel, &target.base) {
        (Some(kernel), Some(base)) if kernel.release != base.description.kernel => {
            Err(PlanError::OtherKernel {
                kernel: kernel.release.clone(),
                base: base.description.name.to_string(),
                base_kernel: base.description.kernel.clone(),
            }
            .into())
        }
        _ => Ok(()),
    }
}

/// Can the modules that boot is to load be there? Without a base, those of the kernel might be in one.
fn check_load(manifest: &Manifest, target: &Target, modules: Option<&Record>) -> Result<(), Failure> {
    for name in manifest.load.iter().map(Load::module) {
        let records = modules.into_iter().chain(target.with.iter().map(|facts| &facts.record));
        let own = records.into_iter().any(|modules| modules.get(name).is_some());
        let elsewhere = match (&target.base, &target.kernel) {
            (Some(base), _) => base.modules.get(name).is_some(),
            (None, Some(kernel)) => kernel.may_have(name),
            (None, None) => false,
        };
        if !own && !elsewhere {
            return Err(PlanError::CannotLoad { file: manifest.file.clone(), name: name.clone() }.into());
        }
    }
    Ok(())
}

fn variables(manifest: &Manifest, target: &Target) -> Variables {
    let mut variables = Variables::default();
    variables.set("arch", target.arch.as_str());
    variables.set("name", manifest.name.as_str());
    variables.set("version", manifest.version.to_string());
    if let Some(kernel) = &target.kernel {
        variables.set("kernel.release", kernel.release.as_str());
    }
    variables
}

/// Adds the modules that the manifest names, with what they need and the base lacks.
fn add_modules(tree: &mut Tree, manifest: &Manifest, target: &Target) -> Result<(), Failure> {
    let Some(kernel) = &target.kernel else { return Ok(()) };
    let mut have = target.base.as_ref().map(Base::module_names).unwrap_or_default();
    have.extend(target.with.iter().flat_map(Facts::module_names));
    for module in modules::with_dependencies(&manifest.modules, kernel, &have)? {
        let (release, owner) = (&kernel.release, &manifest.name);
        let file = module.facts.path.file_name().unwrap_or_default();
        let path = built_in_path(&format!("/usr/lib/modules/{release}/extra/{owner}/{file}"));
        modules::insert(tree, path, &module)?;
    }
    Ok(())
}

/// The file that makes the image acceptable to systemd-sysext on any host of the architecture (UAPI.4): fit is judged
/// by Tenon, and by symbols, not by the name of an OS.
fn add_release_file(tree: &mut Tree, manifest: &Manifest, arch: Arch) -> Result<(), Failure> {
    let text = format!(
        "ID=_any\nARCHITECTURE={}\nSYSEXT_ID={}\nSYSEXT_VERSION_ID={}\n",
        arch.systemd(),
        manifest.name,
        manifest.version.as_tag()
    );
    let path = built_in_path(&format!("/usr/lib/extension-release.d/extension-release.{}", manifest.name));
    let content = Content::Bytes(text.into_bytes());
    Ok(tree.insert(path, Node::File { mode: Mode::FILE, content })?)
}

/// A path made of parts that are checked already.
fn built_in_path(path: &str) -> TreePath {
    path.parse().expect("releases, names and module files are sound path components")
}

fn config(
    manifest: &Manifest,
    target: &Target,
    variables: &Variables,
    tree: &Tree,
    modules: Option<&Record>,
) -> Result<ExtensionConfig, Failure> {
    let upstream = manifest.upstream.as_ref().map(|text: &Template| text.expand(variables)).transpose()?;
    let group = manifest.group.as_ref().map(|group| release_group(group, variables)).transpose()?;
    let kernel = modules.and(target.kernel.as_ref()).map(|kernel| kernel.release.clone());
    if modules.is_some() && kernel.is_none() {
        return Err(PlanError::NoKernel { file: manifest.file.clone() }.into());
    }
    Ok(ExtensionConfig {
        schema_version: CONFIG_SCHEMA,
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        upstream,
        arch: target.arch,
        description: manifest.description.clone(),
        license: manifest.license.clone(),
        kernel,
        requires: manifest.requires.clone(),
        load: manifest.load.clone(),
        probes: manifest.probes.clone(),
        force: manifest.force.clone(),
        grants: Vec::new(),
        generations: manifest.generations.clone(),
        group,
        content: tree.facts(),
        verity: None,
        root_hash_signature: None,
    })
}

fn release_group(group: &Group, variables: &Variables) -> Result<ReleaseGroup, Failure> {
    Ok(ReleaseGroup { name: group.name.clone(), version: group.version.expand(variables)? })
}

/// Why there is no plan, besides what is wrong with the inputs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// The manifest excludes the architecture.
    #[error("{file}: the extension cannot be built for {arch}")]
    Architecture { file: String, arch: Arch, known: String },
    /// Somebody says another architecture.
    #[error("the extension would be for {arch}, but the {what} is for {found}")]
    OtherArch { arch: Arch, what: &'static str, found: Arch },
    /// It can never be there before itself.
    #[error("{file}: the extension requires itself")]
    RequiresItself { file: String },
    /// A module of `load:` is nowhere.
    #[error("{file}: load: names {name}, which is neither in the extension nor in the base")]
    CannotLoad { file: String, name: ModuleName },
    /// Modules and no kernel.
    #[error("{file}: the extension has kernel modules, and no kernel was given")]
    NoKernel { file: String },
    /// Kernel and base are strangers.
    #[error("the kernel is {kernel}, but the base {base} runs {base_kernel}")]
    OtherKernel {
        kernel: KernelRelease,
        /// Of `--base`.
        base: String,
        base_kernel: KernelRelease,
    },
    /// The base has these paths.
    #[error("the base {base} has {} of the paths already: {}", paths.len(), first(paths))]
    Taken { base: String, paths: Vec<TreePath> },
}

/// The first few of many.
const SHOWN: usize = 5;

fn first(paths: &[TreePath]) -> String {
    let more = if paths.len() > SHOWN { ", …" } else { "" };
    paths.iter().take(SHOWN).map(TreePath::as_str).collect::<Vec<_>>().join(", ") + more
}

impl Diagnose for PlanError {
    fn outcome(&self) -> Outcome {
        Outcome::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            PlanError::Architecture { known, .. } => Some(format!("its manifest has architectures: {known}")),
            PlanError::OtherArch { .. } => {
                Some("leave --arch out, or give a kernel and a base for it".into())
            }
            PlanError::RequiresItself { .. } => Some("take it out of requires:".into()),
            PlanError::CannotLoad { .. } => Some("add it under modules:".into()),
            PlanError::NoKernel { .. } => Some("give it with --kernel DIR".into()),
            PlanError::OtherKernel { .. } => Some("build against the kernel that the base runs".into()),
            PlanError::Taken { .. } => {
                let grants =
                    "declare the grant replaces:PATH for each file that is meant to replace one of the base";
                Some(format!("an extension only adds; take these paths out of its contents, or {grants}"))
            }
        }
    }
}

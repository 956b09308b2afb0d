//! What is done for extensions once their files are in place: modules, settings, libraries.

use std::path::Path;

use spec::TreePath;
use spec::status::Status;

use crate::activation::{Activation, Loadable};
use crate::admit::Admitted;
use crate::clock::Clock;
use crate::layer::Layer;
use crate::settings::{self, SettingsFile};
use crate::{linker, modules, status};

/// All of it, so that nothing else of the judgement has to be kept. Nothing of it can undo a boot: what does not work is
/// told of.
#[derive(Debug, Default)]
pub(crate) struct Afterwards {
    modules: Vec<Loadable>,
    settings: Vec<SettingsFile>,
    /// Directories with libraries.
    libraries: Vec<TreePath>,
}

impl Afterwards {
    /// What these ask for.
    pub(crate) fn of(activation: &Activation, admitted: &[&Admitted<Layer>]) -> Afterwards {
        Afterwards {
            modules: activation.modules().to_vec(),
            settings: settings::files(admitted),
            libraries: linker::directories(admitted),
        }
    }

    /// Does it, in the system at `root`, and puts down what came of it. Modules first: some settings are theirs.
    pub(crate) fn run(&self, root: &Path, status: &mut Status, clock: &Clock) {
        let answers = clock.time("load modules", || modules::load(&self.modules, root));
        status::record_modules(status, answers);
        let answers =
            clock.time("apply settings", || settings::apply(&self.settings, settings::KERNEL.as_ref()));
        status::record_settings(status, answers);
        // Another root is a system that does not run yet, and has no /run to which its link could lead.
        if root == Path::new("/") {
            let made = clock.time("make the cache of libraries", || linker::make_cache(&self.libraries));
            status.notes.extend(made.err());
        }
    }
}

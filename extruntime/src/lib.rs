//! The boot program: it verifies extensions, asks whether they fit the kernel, and lays them over the base.
//!
//! As `/init` of an initramfs it runs the story in `boot`; as a tool it shows what a boot did (`status`) or would do
//! (`plan`). Both judge by the same function, [`admit::judge`].
//!
//! | trusted when | what | by |
//! |---|---|---|
//! | from the start | kernel, initramfs: this program, `base.json`, `trust.yaml`, modules | whoever started them |
//! | its digest is the one in `base.json` | root image of the base, with its facts | a sealed copy in memory |
//! | a key of `trust.yaml` has signed it | manifest of an extension, and by digests in it config, paths, record, image | [`signing::Verified`] |
//! | never | names, tags, annotations, machine config | can only lead to what is refused |

mod activate;
pub mod activation;
pub mod admit;
mod afterwards;
mod apply;
pub mod base;
mod boot;
pub mod cannot;
mod child;
mod choice;
mod cli;
mod clock;
mod cmdline;
pub mod content;
mod crew;
mod early;
pub mod facts;
mod fault;
mod files;
pub mod grounds;
mod held;
mod identity;
pub mod image;
mod init;
#[cfg(test)]
mod kernel_tests;
pub mod layer;
mod linker;
mod log;
mod medium;
mod metrics;
mod module_parameters;
mod modules;
mod mounts;
mod node;
mod node_disk;
mod offer;
mod owner;
pub mod places;
pub mod plan;
mod probe;
mod report;
pub mod running;
mod sealed;
mod settings;
mod status;
mod switch;
mod sys;
mod system;
mod verity;
mod views;
mod volume;

#[doc(hidden)]
pub use boot::rehearse;
pub use cli::run;
pub use init::init;

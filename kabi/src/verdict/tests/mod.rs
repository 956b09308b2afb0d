#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

mod rules;
mod set;
mod signatures;
mod taint;

use super::*;
use crate::testing::{ModuleFile, module, profile, record, release};
use crate::{Crc, Import};

/// A kernel with a symbol of its own and one that its module `tunnel` exports.
const SYMVERS: &str = "0x00000001\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n\
    0x00000002\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n\
    0x00000003\ttunnel_send\tnet/tunnel\tEXPORT_SYMBOL_GPL\t\n\
    0x00000004\tcrypto_raw\tvmlinux\tEXPORT_SYMBOL_GPL\tCRYPTO\n\
    0x00000005\tvirt_peek\tvmlinux\tEXPORT_SYMBOL_GPL\tmodule:kvm,vfio-*\n";

/// The kernel's module of that name.
fn tunnel() -> Module {
    module("tunnel", &[("module_layout", 1)], &[("tunnel_send", 3)])
}

/// Judges extensions that all declare the right kernel.
fn verdicts(base: &[Module], extensions: &[(&str, &[Module])]) -> Vec<Verdict> {
    let names: Vec<ExtensionName> = extensions.iter().map(|(name, _)| name.parse().unwrap()).collect();
    let records: Vec<Record> = extensions.iter().map(|(_, modules)| record(&with_layout(modules))).collect();
    let kernel = release();
    let candidates: Vec<Candidate<'_>> =
        names.iter().zip(&records).map(|(name, record)| candidate(name, &kernel, record)).collect();
    judge(&Host::base(&profile(SYMVERS), &record(base)), &candidates)
}

/// An extension that declares its kernel and nothing else.
fn candidate<'a>(name: &'a ExtensionName, kernel: &'a KernelRelease, record: &'a Record) -> Candidate<'a> {
    Candidate::of_modules(name, Some(kernel), record)
}

/// As modpost does, with the version of `module_layout` that [`SYMVERS`] has.
fn with_layout(modules: &[Module]) -> Vec<Module> {
    let mut modules = modules.to_vec();
    for module in &mut modules {
        let layout = Import { crc: Crc::new(1), ..Import::default() };
        module.versioned = true;
        module.imports.entry(MODULE_LAYOUT.parse().unwrap()).or_insert(layout);
    }
    modules
}

#[track_caller]
fn reasons(verdict: &Verdict) -> &[Reason] {
    match verdict {
        Verdict::Fits(fits) => panic!("{} fits", fits.extension()),
        Verdict::Unfit(reasons) => reasons,
    }
}

#[track_caller]
fn the_reason(verdict: &Verdict, code: ReasonCode, sentence: &str) -> Reason {
    match reasons(verdict) {
        [reason] => {
            assert_eq!((reason.code, reason.sentence.as_str()), (code, sentence));
            reason.clone()
        }
        several => panic!("{several:#?}"),
    }
}

fn fits(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Fits(_))
}

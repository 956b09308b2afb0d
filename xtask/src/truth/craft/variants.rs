//! The tables of what can be wrong with a module, in the order in which the loader looks (kernel/module/main.c,
//! `load_module`).

use super::elf::Elf;
use super::signature::{self, PKCS7};
use super::{Kit, remove_start};
use crate::Error;
use crate::truth::question::{After, Force};

/// One way to be wrong, or a step to get there.
pub(super) struct Variant {
    /// What it is, in words with hyphens.
    pub(super) name: &'static str,
    /// The name of the module: whoever else has it is in its way.
    pub(super) module: &'static str,
    /// Is it there for those that follow?
    pub(super) after: After,
    /// Is loading it by force permitted?
    pub(super) force: Force,
    /// Makes the file.
    pub(super) craft: Craft,
}

type Craft = fn(&Kit<'_>) -> Result<Vec<u8>, Error>;

/// All tables, one after the other.
pub(super) fn all() -> impl Iterator<Item = Variant> {
    SIGNATURES.into_iter().chain(FILES).chain(CLAIMS).chain(SYMBOLS).chain(COMPANY)
}

const fn variant(name: &'static str, craft: Craft) -> Variant {
    Variant { name, module: "vsock", after: After::Drop, force: Force::Refused, craft }
}

impl Variant {
    const fn of(self, module: &'static str) -> Variant {
        Variant { module, ..self }
    }

    const fn stays(self) -> Variant {
        Variant { after: After::Keep, ..self }
    }

    const fn by_force(self) -> Variant {
        Variant { force: Force::Allowed, ..self }
    }
}

/// Unsigned `vsock` with one change.
macro_rules! changed {
    ($change:expr) => {
        |kit| kit.changed("vsock", $change)
    };
}

/// `module_sig_check` (kernel/module/signing.c).
const SIGNATURES: [Variant; 10] = [
    variant("as-shipped", |kit| kit.shipped("vsock")),
    variant("unsigned", |kit| kit.unsigned("vsock")),
    variant("signed-then-changed", |kit| {
        let mut module = Elf::new(kit.shipped("vsock")?);
        module.content_mut(".comment")?[1] ^= 1;
        Ok(module.into_bytes())
    }),
    variant("signature-changed", |kit| {
        let module = kit.shipped("vsock")?;
        let (content, signature) = signature::split(&module);
        let mut signature = signature.to_vec();
        *signature.last_mut().ok_or_else(|| Error::Truth("vsock is not signed".to_owned()))? ^= 1;
        Ok(signature::join(content, &signature, PKCS7, signature.len()))
    }),
    variant("signature-of-another-module", |kit| {
        let (content, other) = (kit.unsigned("vsock")?, kit.shipped("crc7")?);
        let signature = signature::split(&other).1;
        Ok(signature::join(&content, signature, PKCS7, signature.len()))
    }),
    variant("signature-not-cms", |kit| Ok(signature::join(&kit.unsigned("vsock")?, b"signature", PKCS7, 9))),
    variant("signature-longer-than-file", |kit| {
        Ok(signature::join(&kit.unsigned("vsock")?, b"signature", PKCS7, u32::MAX as usize))
    }),
    // PKEY_ID_PGP, which was planned once.
    variant("signature-of-another-kind", |kit| {
        Ok(signature::join(&kit.unsigned("vsock")?, b"signature", 0, 9))
    }),
    variant("signed-by-stranger", |kit| kit.stranger.sign(&kit.unsigned("vsock")?)),
    variant("signed-by-stranger-then-changed", |kit| {
        let mut module = Elf::new(kit.stranger.sign(&kit.unsigned("vsock")?)?);
        module.content_mut(".comment")?[1] ^= 1;
        Ok(module.into_bytes())
    }),
];

/// `elf_validity_check`, later `elf_validity_cache_copy`.
const FILES: [Variant; 13] = [
    variant("empty", |_| Ok(Vec::new())),
    variant("garbage", |_| Ok((0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect())),
    variant("half", |kit| {
        let mut module = kit.unsigned("vsock")?;
        module.truncate(module.len() / 2);
        Ok(module)
    }),
    variant("shared-library", changed!(Elf::make_shared_library)),
    variant("other-machine", changed!(Elf::make_arm64)),
    variant("section-outside", changed!(|module| module.lose_section(".comment"))),
    variant("no-symbol-table", changed!(|module| module.hide_symbols())),
    variant("common-symbol", changed!(|module| module.make_common("capable"))),
    variant("no-struct-module", changed!(|module| module.rename_section(".gnu.linkonce.this_module", ""))),
    variant(
        "struct-module-longer",
        changed!(|module| module.lengthen_section(".gnu.linkonce.this_module", 64)),
    ),
    variant("init-elsewhere", changed!(|module| module.move_function("init_module", 8))),
    variant("no-modinfo", changed!(|module| module.rename_section(".modinfo", ""))),
    variant("two-modinfo", changed!(|module| module.rename_section(".comment", ".modinfo"))),
];

/// What the module says of itself: `early_mod_check`, `check_modinfo`, `module_augment_kernel_taints`; and what is in
/// it beside code.
const CLAIMS: [Variant; 25] = [
    variant("vermagic-of-another-release", changed!(|module| module.edit_vermagic("6.", "7."))),
    variant("vermagic-with-other-flags", changed!(|module| module.edit_vermagic("SMP", "UP"))),
    variant(
        "vermagic-without-last-blank",
        changed!(|module| module.edit_vermagic("modversions ", "modversions")),
    ),
    variant("vermagic-empty", changed!(|module| module.set_info("vermagic", ""))),
    variant(
        "second-vermagic-wrong",
        changed!(|module| module.edit_info(|info| info.push("vermagic=none".to_owned()))),
    ),
    variant("no-vermagic", changed!(|module| module.remove_info("vermagic"))),
    variant("no-vermagic-by-force", changed!(|module| module.remove_info("vermagic"))).by_force(),
    variant("no-versions", changed!(|module| module.rename_section("__versions", ""))),
    variant("no-versions-by-force", changed!(|module| module.rename_section("__versions", ""))).by_force(),
    variant(
        "no-versions-nor-its-release",
        changed!(|module| {
            module.rename_section("__versions", "")?;
            module.edit_vermagic("6.", "7.")
        }),
    )
    .by_force(),
    variant("no-name", changed!(|module| module.remove_info("name"))),
    variant("no-licence", changed!(|module| module.remove_info("license"))),
    variant("proprietary", changed!(|module| module.set_info("license", "Proprietary"))),
    variant("proprietary-as-its-symbols-permit", |kit| {
        kit.changed("sch_prio", |module| module.set_info("license", "Proprietary"))
    })
    .of("sch_prio"),
    variant("licence-misspelled", changed!(|module| module.set_info("license", "GPLv2"))),
    variant(
        "second-licence-proprietary",
        changed!(|module| { module.edit_info(|info| info.push("license=Proprietary".to_owned())) }),
    ),
    variant(
        "first-licence-proprietary",
        changed!(|module| { module.edit_info(|info| info.insert(0, "license=Proprietary".to_owned())) }),
    ),
    variant("livepatch", changed!(|module| module.edit_info(|info| info.push("livepatch=Y".to_owned())))),
    variant("not-in-tree", changed!(|module| module.remove_info("intree"))),
    variant("no-retpoline", changed!(|module| module.remove_info("retpoline"))),
    // Built in on both kernels: the first with parameters, and so with a directory in /sys/module, the second without.
    variant("name-of-built-in-with-parameters", changed!(|module| module.rename("vsock", "ipv6"))).of("ipv6"),
    variant("name-of-built-in", changed!(|module| module.rename("vsock", "glob"))).of("glob"),
    variant("no-type-information", changed!(|module| module.rename_section(".BTF", ""))),
    variant(
        "type-information-broken",
        changed!(|module| {
            module.content_mut(".BTF")?.fill(0xff);
            Ok(())
        }),
    ),
    variant("no-start", changed!(remove_start)),
];

/// `check_export_symbol_versions`, `simplify_symbols`.
const SYMBOLS: [Variant; 15] = [
    variant("one-crc-wrong", changed!(|module| module.change_crc("misc_register"))),
    variant("crc-of-module-layout-wrong", changed!(|module| module.change_crc("module_layout"))),
    variant("no-crc-of-module-layout", changed!(|module| module.remove_version("module_layout"))),
    variant("one-crc-missing", changed!(|module| module.remove_version("misc_register"))),
    variant("symbol-unknown", changed!(|module| module.rename_import("capable", "tenon_has_no_such_symbol"))),
    variant(
        "weak-symbol-unknown",
        changed!(|module| {
            module.make_weak("capable")?;
            module.rename_import("capable", "tenon_has_no_such_symbol")
        }),
    ),
    variant(
        "weak-symbol-with-crc-wrong",
        changed!(|module| {
            module.make_weak("capable")?;
            module.change_crc("capable")
        }),
    ),
    variant("weak-symbol-not-for-proprietary", |kit| {
        kit.changed("sch_prio", |module| {
            module.set_info("license", "Proprietary")?;
            module.make_weak("qdisc_reset")?;
            module.rename_import("qdisc_reset", "__rcu_read_lock")
        })
    })
    .of("sch_prio"),
    variant("exports-of-kernel", |kit| {
        kit.changed("crc7", |module| module.rename_export("crc7_be", "capable"))
    })
    .of("crc7"),
    variant("exports-without-crcs", changed!(|module| module.rename_section("__kcrctab_gpl", ""))),
    variant("exports-without-crcs-by-force", changed!(|module| module.rename_section("__kcrctab_gpl", "")))
        .by_force(),
    variant("namespace-imported", |kit| kit.unsigned("cmac")).of("cmac"),
    variant("namespace-not-imported", |kit| kit.changed("cmac", |module| module.remove_info("import_ns")))
        .of("cmac"),
    variant("namespaces-in-one-entry", |kit| {
        kit.changed("cmac", |module| module.set_info("import_ns", "CRYPTO_INTERNAL,EFIVAR"))
    })
    .of("cmac"),
    variant("exporter-not-loaded", |kit| kit.unsigned("vsock_diag")).of("vsock_diag"),
];

/// What depends on the modules that are there already.
const COMPANY: [Variant; 11] = [
    // It imports nothing that is GPL-only, and so it can be proprietary.
    variant("exporter-proprietary", |kit| {
        kit.changed("crc_itu_t", |module| module.set_info("license", "Proprietary"))
    })
    .of("crc_itu_t")
    .stays(),
    variant("exporter-for-importer", |kit| kit.shipped("cdrom")).of("cdrom").stays(),
    // Many of its symbols that are GPL-only come before that of the proprietary one, and some come after.
    variant("importer-of-proprietary", |kit| kit.unsigned("udf")).of("udf"),
    variant("weak-importer-of-proprietary", |kit| kit.changed("udf", |module| module.make_weak("crc_itu_t")))
        .of("udf"),
    variant("importer-of-proprietary-first", |kit| {
        kit.changed("udf", |module| module.swap_imports("crc_itu_t", "cdrom_get_last_written"))
    })
    .of("udf"),
    variant("exporter", |kit| kit.shipped("vsock")).stays(),
    variant("already-loaded", |kit| kit.shipped("vsock")),
    variant("already-loaded-and-unsigned", |kit| kit.unsigned("vsock")),
    variant("exports-of-another", changed!(|module| module.rename("vsock", "vsoc"))).of("vsoc"),
    variant("importer", |kit| kit.unsigned("vsock_diag")).of("vsock_diag"),
    variant("importer-with-crc-wrong", |kit| {
        kit.changed("vsock_diag", |module| module.change_crc("vsock_bind_table"))
    })
    .of("vsock_diag"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_variant_has_a_file_of_its_own() {
        let mut names = BTreeSet::new();
        for variant in all() {
            assert!(names.insert(variant.name), "{} is there twice", variant.name);
        }
    }
}

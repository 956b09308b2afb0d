//! Each rule of the loader by itself, on a host of which everything is known.

use spec::Digest;
use spec::artifact::ReleaseGroup;
use spec::listing::Listing;

use super::*;
use crate::testing::issuer_of;
use crate::{Btf, Exports, KernelFacts, KernelOptions, KeyId, ModuleSignature, StructLayout, TrustedKey};

const VERMAGIC: &str = "6.1.0-test SMP mod_unload modversions ";
const LAYOUT: StructLayout = StructLayout { size: 896, init: Some(312), exit: Some(832) };

/// What decides about the rules, as a test wants it.
pub(super) struct Rules {
    pub(super) config: &'static str,
    pub(super) signatures: SignatureRule,
    pub(super) force: Vec<ModuleName>,
    pub(super) base_paths: &'static str,
}

/// A kernel as Debian builds it.
pub(super) fn rules() -> Rules {
    Rules {
        config: "CONFIG_MODVERSIONS=y\nCONFIG_MODULE_FORCE_LOAD=y\nCONFIG_MODULE_SIG=y\n\
            CONFIG_FW_LOADER_COMPRESS_XZ=y\nCONFIG_FW_LOADER_COMPRESS_ZSTD=y\n",
        signatures: SignatureRule::AsBuilt,
        force: Vec::new(),
        base_paths: "",
    }
}

impl Rules {
    pub(super) fn judge(&self, module: Module) -> Verdict {
        self.judge_as_is(with_layout(&[module]).remove(0))
    }

    /// Without the version of `module_layout` that tests need not write.
    fn judge_as_is(&self, module: Module) -> Verdict {
        let facts = KernelFacts {
            vermagic: Some(VERMAGIC.parse().unwrap()),
            layout: Some(LAYOUT),
            options: KernelOptions::from_config(self.config).unwrap(),
            builtins: ["ext4".parse().unwrap()].into(),
            keys: vec![key("0a0b")],
            ..KernelFacts::default()
        };
        let exports = Exports::from_symvers(SYMVERS).unwrap();
        let profile = Profile::new(release(), spec::Arch::Amd64, exports, facts);
        let (name, kernel) = ("x".parse().unwrap(), release());
        let (modules, paths, base) =
            (record(&[module]), Listing::new(), Listing::parse(self.base_paths).unwrap());
        let candidate =
            Candidate { paths: Some(&paths), force: &self.force, ..candidate(&name, &kernel, &modules) };
        let nothing = Record::default();
        let host = Host { paths: Some(&base), signatures: self.signatures, ..Host::base(&profile, &nothing) };
        judge(&host, &[candidate]).remove(0)
    }
}

pub(super) const ISSUER: &str = "CN=Build key";

fn key(serial: &str) -> TrustedKey {
    TrustedKey {
        subject: "Build key".parse().unwrap(),
        issuer: issuer_of(ISSUER),
        serial: id(serial),
        key_id: Some(id("0d")),
        spki: Vec::new(),
    }
}

fn id(serial: &str) -> KeyId {
    let digits: Vec<u8> = serial
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    KeyId::of_serial(&digits).unwrap()
}

/// A module that fits: built for the kernel, and signed with its key.
pub(super) fn sound() -> Module {
    let layout = ModuleFile::new("x").layout(LAYOUT.size, LAYOUT.init, LAYOUT.exit);
    signed(layout.parse(), "0a0b")
}

pub(super) fn signed(module: Module, serial: &str) -> Module {
    signed_by(module, Some(issuer_of(ISSUER)), serial)
}

/// Signed by the key with this serial number of the issuer, or with this identifier.
pub(super) fn signed_by(module: Module, issuer: Option<Digest>, key: &str) -> Module {
    let signer = issuer.map(|_| "Build key".parse().unwrap());
    let signature = ModuleSignature { signer, issuer, key: id(key), hash: "sha256".parse().unwrap() };
    Module { signature: Some(signature), ..module }
}

pub(super) fn notes(verdict: &Verdict) -> Vec<(ReasonCode, &str)> {
    match verdict {
        Verdict::Fits(fits) => fits.notes().iter().map(|note| (note.code, note.sentence.as_str())).collect(),
        Verdict::Unfit(reasons) => panic!("{reasons:#?}"),
    }
}

#[test]
fn a_sound_module_fits_without_a_note() {
    assert_eq!(notes(&rules().judge(sound())), []);
    let enforced = Rules { signatures: SignatureRule::Enforced, ..rules() };
    assert_eq!(notes(&enforced.judge(sound())), []);
}

#[test]
fn the_flags_of_the_vermagic_count() {
    let built_for = |vermagic: &str| Module { vermagic: Some(vermagic.parse().unwrap()), ..sound() };
    let preempt = "6.1.0-test SMP preempt mod_unload modversions ";
    let reason = the_reason(
        &rules().judge(built_for(preempt)),
        ReasonCode::VermagicMismatch,
        "module x is built for a kernel with \"SMP preempt mod_unload modversions \"; that of the base has \"SMP mod_unload modversions \"",
    );
    assert_eq!(reason.found.as_deref(), Some("SMP preempt mod_unload modversions "));
    // The kernel compares every byte.
    let verdict = rules().judge(built_for("6.1.0-test SMP mod_unload modversions"));
    assert_eq!(reasons(&verdict)[0].code, ReasonCode::VermagicMismatch);
    let another_release = rules().judge(built_for("6.1.0-other SMP mod_unload modversions "));
    assert_eq!(reasons(&another_release)[0].code, ReasonCode::KernelMismatch);
}

#[test]
fn what_does_not_say_what_it_was_built_for_needs_leave() {
    let no_vermagic = Module { vermagic: None, ..sound() };
    let no_versions = || {
        let file = ModuleFile::new("x").unversioned().strong("_printk");
        signed(file.layout(LAYOUT.size, LAYOUT.init, LAYOUT.exit).parse(), "0a0b")
    };
    let reason = the_reason(
        &rules().judge(no_vermagic.clone()),
        ReasonCode::ModuleUnversioned,
        "module x has no vermagic: nobody can say whether it fits, and loading it would taint the kernel",
    );
    assert!(reason.hint.unwrap().contains("under force:"));
    let allowed = || Rules { force: vec!["x".parse().unwrap()], ..rules() };
    assert_eq!(notes(&allowed().judge(no_vermagic))[0].0, ReasonCode::ModuleUnversioned);
    let judged = |rules: Rules| rules.judge_as_is(no_versions());
    assert_eq!(reasons(&judged(rules()))[0].code, ReasonCode::ModuleUnversioned);
    let sentence = "module x has no versions of symbols: it is loaded by force, which taints the kernel";
    assert_eq!(notes(&judged(allowed())), [(ReasonCode::ModuleUnversioned, sentence)]);
    // A kernel without versions does not miss them.
    let unversioned = Rules { config: "CONFIG_MODULE_FORCE_LOAD=y\n", ..allowed() };
    assert_eq!(notes(&judged(unversioned)), []);
    let exporter = || ModuleFile::new("x").export("give", 0).layout(LAYOUT.size, LAYOUT.init, LAYOUT.exit);
    let sentence = "module x has no versions of the symbols that it exports: nobody can say whether it fits, and \
        loading it would taint the kernel";
    the_reason(&rules().judge(signed(exporter().parse(), "0a0b")), ReasonCode::ModuleUnversioned, sentence);
    let sentence = "module x has no versions of the symbols that it exports: it is loaded by force, which taints the kernel";
    let forced = allowed().judge(signed(exporter().parse(), "0a0b"));
    assert_eq!(notes(&forced), [(ReasonCode::ModuleUnversioned, sentence)]);
    assert!(fits(&rules().judge(signed(exporter().export("other", 7).parse(), "0a0b"))));
    let never =
        Rules { config: "CONFIG_MODVERSIONS=y\n# CONFIG_MODULE_FORCE_LOAD is not set\n", ..allowed() };
    let sentence = "module x has no versions of symbols, and the kernel loads no module by force";
    the_reason(&judged(never), ReasonCode::ModuleUnversioned, sentence);
}

#[test]
fn the_extended_form_of_versions_counts_where_the_kernel_reads_it() {
    let judged = |release: &str, force: &[ModuleName]| {
        let kernel: KernelRelease = release.parse().unwrap();
        let module = Module {
            path: format!("/usr/lib/modules/{release}/x.ko").parse().unwrap(),
            vermagic: Some(format!("{release} SMP ").parse().unwrap()),
            extended_only: true,
            ..module("x", &[("module_layout", 1), ("_printk", 2)], &[])
        };
        let profile = Profile::from_symvers(SYMVERS, kernel.clone(), spec::Arch::Amd64).unwrap();
        let (name, modules) = ("x".parse().unwrap(), record(&[module]));
        let candidate = Candidate { force, ..candidate(&name, &kernel, &modules) };
        judge(&Host::base(&profile, &Record::default()), &[candidate]).remove(0)
    };
    for later in ["6.14.0-test", "7.0.1", "6-odd"] {
        assert!(fits(&judged(later, &[])), "{later}");
    }
    let reason = the_reason(
        &judged("6.13.12", &[]),
        ReasonCode::ModuleUnversioned,
        "module x has versions of symbols only in the form that kernels before 6.14 do not read: nobody can say whether \
         it fits, and loading it would taint the kernel",
    );
    assert!(reason.hint.unwrap().contains("CONFIG_BASIC_MODVERSIONS"));
    // Nobody knows whether that kernel loads by force.
    let sentence = "module x has versions of symbols only in the form that kernels before 6.14 do not read: the kernel \
        loads it by force, which taints it, or not at all (CONFIG_MODULE_FORCE_LOAD)";
    let forced = judged("6.1.0-test", &["x".parse().unwrap()]);
    assert_eq!(notes(&forced).last(), Some(&(ReasonCode::ModuleUnversioned, sentence)));
}

#[test]
fn struct_module_has_one_layout() {
    for (layout, part) in [
        (StructLayout { size: 920, ..LAYOUT }, "the size is 920; in the kernel it is 896"),
        (StructLayout { init: Some(320), ..LAYOUT }, "the offset of init is 320"),
        (StructLayout { exit: Some(800), ..LAYOUT }, "the offset of exit is 800"),
    ] {
        let verdict = rules().judge(Module { layout: Some(layout), ..sound() });
        let reason = &reasons(&verdict)[0];
        assert_eq!(reason.code, ReasonCode::ModuleLayoutMismatch);
        assert!(reason.sentence.contains(part), "{reason}");
    }
    // A module need not have an exit.
    let without_exit = StructLayout { exit: None, ..LAYOUT };
    assert!(fits(&rules().judge(Module { layout: Some(without_exit), ..sound() })));
}

#[test]
fn type_information_of_another_build_is_refused_where_the_kernel_refuses_it() {
    let strict = "CONFIG_DEBUG_INFO_BTF_MODULES=y\n# CONFIG_MODULE_ALLOW_BTF_MISMATCH is not set\n";
    let lenient = "CONFIG_DEBUG_INFO_BTF_MODULES=y\nCONFIG_MODULE_ALLOW_BTF_MISMATCH=y\n";
    let with = |config, btf, in_tree| Rules { config, ..rules() }.judge(Module { btf, in_tree, ..sound() });
    assert_eq!(reasons(&with(strict, Some(Btf::Split), false))[0].code, ReasonCode::BtfMismatch);
    assert!(fits(&with(strict, Some(Btf::Relocatable), false)));
    assert!(fits(&with(strict, Some(Btf::Split), true)));
    assert!(fits(&with(strict, None, false)));
    assert!(fits(&with(lenient, Some(Btf::Split), false)));
    // What says that it was built with the kernel is believed, and what shows it is not noted.
    let unproven = |module| Rules { config: strict, ..rules() }.judge(module);
    let claims = || Module { btf: Some(Btf::Split), in_tree: true, ..sound() };
    assert_eq!(notes(&unproven(claims())), []);
    let sentence = "module x says that it was built with the kernel, and is not signed with its key: if it was not, the \
        kernel refuses its type information (BTF)";
    for module in [signed(claims(), "0c"), Module { signature: None, ..claims() }] {
        assert_eq!(notes(&unproven(module)), [(ReasonCode::BtfMismatch, sentence)]);
    }
}

#[test]
fn a_live_patch_needs_a_kernel_that_can_be_patched() {
    let patch = Module { livepatch: true, ..sound() };
    let without = Rules { config: "# CONFIG_LIVEPATCH is not set\nCONFIG_MODVERSIONS=y\n", ..rules() };
    assert_eq!(reasons(&without.judge(patch.clone()))[0].code, ReasonCode::KernelOptionMissing);
    assert!(fits(&Rules { config: "CONFIG_LIVEPATCH=y\n", ..rules() }.judge(patch)));
}

#[test]
fn a_module_of_the_kernel_itself_is_there_already() {
    let verdict =
        rules().judge(signed(ModuleFile::new("ext4").layout(896, Some(312), Some(832)).parse(), "0a0b"));
    the_reason(&verdict, ReasonCode::ModuleDuplicate, "module ext4 is in the kernel itself already");
}

#[test]
fn missing_firmware_is_noted_in_whatever_form_it_is_there() {
    let wants = |name: &str| Module { firmware: vec![name.parse().unwrap()], ..sound() };
    let with = |base_paths, name| Rules { base_paths, ..rules() }.judge(wants(name));
    let verdict = with("/usr/\n", "card/fw.bin");
    assert_eq!(
        notes(&verdict),
        [(ReasonCode::FirmwareMissing, "module x may ask for firmware card/fw.bin, which is nowhere")]
    );
    for there in [
        "/usr/lib/firmware/card/fw.bin\n",
        "/usr/lib/firmware/card/fw.bin.xz\n",
        "/usr/lib/firmware/card/fw.bin.zst\n",
        "/usr/lib/firmware/updates/6.1.0-test/card/fw.bin\n",
    ] {
        assert_eq!(notes(&with(there, "card/fw.bin")), [], "{there}");
    }
    // A pattern says nothing about any one file.
    assert_eq!(notes(&with("/usr/\n", "card/fw-*.bin")), []);
    let no_xz = "CONFIG_FW_LOADER_COMPRESS_ZSTD=y\n";
    let rules = Rules { config: no_xz, base_paths: "/usr/lib/firmware/card/fw.bin.xz\n", ..rules() };
    assert_eq!(notes(&rules.judge(wants("card/fw.bin"))).len(), 1);
}

#[test]
fn soft_dependencies_that_are_nowhere_are_noted() {
    let module = Module {
        softdeps: vec!["pre: ext4 lost-one crypto-crc32c post: x other-name".parse().unwrap()],
        aliases: vec!["other_name".parse().unwrap()],
        weakdeps: vec!["lost_two".parse().unwrap()],
        ..sound()
    };
    let verdict = rules().judge(module);
    let names: Vec<&str> = notes(&verdict).into_iter().map(|(_, sentence)| sentence).collect();
    assert_eq!(
        names,
        [
            "module x would have lost_one loaded with it, which is nowhere",
            "module x would have lost_two loaded with it, which is nowhere",
        ]
    );
}

#[test]
fn parts_of_one_release_are_of_one_version() {
    let group = |version: &str| ReleaseGroup { name: "nvidia".parse().unwrap(), version: version.to_owned() };
    let (new, old) = (group("550.163.01"), group("535.1"));
    let names: Vec<ExtensionName> = ["driver", "firmware", "tools"].map(|name| name.parse().unwrap()).into();
    let (kernel, nothing, host) = (release(), Record::default(), profile(SYMVERS));
    let part =
        |index: usize, group| Candidate { group: Some(group), ..candidate(&names[index], &kernel, &nothing) };
    let result = judge(&Host::kernel(&host), &[part(0, &new), part(1, &old), part(2, &new)]);
    assert!(fits(&result[0]) && fits(&result[2]));
    let sentence = "extension firmware is of nvidia 535.1, and extension driver of nvidia 550.163.01";
    let reason = the_reason(&result[1], ReasonCode::GroupMismatch, sentence);
    assert_eq!((reason.wanted.as_deref(), reason.found.as_deref()), (Some("550.163.01"), Some("535.1")));
}

#[test]
fn a_bare_kernel_has_all_its_modules_and_the_verdict_says_so() {
    let (name, kernel, host) = ("wg".parse().unwrap(), release(), profile(SYMVERS));
    let modules = record(&with_layout(&[module("wg", &[("tunnel_send", 3)], &[])]));
    let verdict = judge(&Host::kernel(&host), &[candidate(&name, &kernel, &modules)]).remove(0);
    assert_eq!(
        notes(&verdict)[1..],
        [(ReasonCode::ModuleAssumed, "module wg needs tunnel of the kernel, which the base must ship")]
    );
}

#[test]
fn a_module_of_a_bare_kernel_may_be_shipped() {
    let (name, kernel, host) = ("t".parse().unwrap(), release(), profile(SYMVERS));
    let modules = record(&with_layout(&[tunnel(), module("wg", &[("tunnel_send", 3)], &[])]));
    let verdict = judge(&Host::kernel(&host), &[candidate(&name, &kernel, &modules)]).remove(0);
    assert!(notes(&verdict).iter().all(|(code, _)| *code == ReasonCode::KernelFactsUnknown));
}

#[test]
fn rules_about_facts_that_are_not_known_are_named() {
    let (name, kernel) = ("x".parse().unwrap(), release());
    let (modules, nothing) = (record(&with_layout(&[module("x", &[], &[])])), Record::default());
    let judged = |facts: KernelFacts, signatures, modules| {
        let exports = Exports::from_symvers(SYMVERS).unwrap();
        let profile = Profile::new(release(), spec::Arch::Amd64, exports, facts);
        let host = Host { signatures, ..Host::base(&profile, &nothing) };
        judge(&host, &[candidate(&name, &kernel, modules)]).remove(0)
    };
    let bare = judged(KernelFacts::default(), SignatureRule::AsBuilt, &modules);
    let sentence = "the profile of kernel 6.1.0-test lacks configuration, vermagic, struct module: nobody judged \
        signatures, force, type information, live patches, the flags of the vermagic, its layout";
    assert_eq!(notes(&bare), [(ReasonCode::KernelFactsUnknown, sentence)]);
    let Verdict::Fits(proof) = &bare else { panic!("{bare:?}") };
    assert!(proof.notes()[0].hint.as_ref().unwrap().contains("extbuild kernel profile"));
    let options = KernelOptions::from_config("CONFIG_MODVERSIONS=y\n").unwrap();
    let without_layout =
        KernelFacts { vermagic: Some(VERMAGIC.parse().unwrap()), options, ..KernelFacts::default() };
    let sentence = "the profile of kernel 6.1.0-test lacks struct module: nobody judged its layout";
    let verdict = judged(without_layout, SignatureRule::AsBuilt, &modules);
    assert_eq!(notes(&verdict), [(ReasonCode::KernelFactsUnknown, sentence)]);
    assert_eq!(notes(&judged(KernelFacts::default(), SignatureRule::AsBuilt, &nothing)), []);
}

#[test]
fn a_kernel_without_the_exports_that_it_has_no_use_for_is_named() {
    let config = format!("{}CONFIG_TRIM_UNUSED_KSYMS=y\n", rules().config).leak();
    let verdict = Rules { config, ..rules() }.judge(signed(
        ModuleFile::new("x").layout(896, Some(312), Some(832)).import("gone", 1).parse(),
        "0a0b",
    ));
    let hint = reasons(&verdict)[0].hint.clone().unwrap();
    assert!(hint.contains("exports only what its own modules use (CONFIG_TRIM_UNUSED_KSYMS)"), "{hint}");
}

#[test]
fn an_extension_that_could_be_chosen_is_named() {
    let (name, other, kernel, host) =
        ("wg".parse().unwrap(), "tunnels".parse().unwrap(), release(), profile(SYMVERS));
    let modules = record(&with_layout(&[module("wg", &[("tunnel_send", 3)], &[])]));
    let (provider, nothing) = (record(&[tunnel()]), Record::default());
    let others = [candidate(&other, &kernel, &provider)];
    let host = Host { others: &others, ..Host::base(&host, &nothing) };
    let verdict = judge(&host, &[candidate(&name, &kernel, &modules)]).remove(0);
    let reason = the_reason(
        &verdict,
        ReasonCode::SymbolMissing,
        "module wg needs symbol tunnel_send; extension tunnels exports it, which was not chosen",
    );
    assert_eq!(reason.hint.as_deref(), Some("add extension tunnels"));
}

//! Extensions that are judged together, and where symbols come from.

use super::*;

fn wg() -> Module {
    module("wg", &[("module_layout", 1), ("_printk", 2), ("tunnel_send", 3)], &[])
}

#[test]
fn symbols_come_from_kernel_base_and_extensions() {
    let in_base = verdicts(&[tunnel()], &[("wg", &[wg()])]);
    let in_same = verdicts(&[], &[("wg", &[tunnel(), wg()])]);
    let in_other = verdicts(&[], &[("wg", &[wg()]), ("tunnel", &[tunnel()])]);
    assert!([&in_base, &in_same, &in_other].into_iter().flatten().all(fits), "{in_base:?} {in_other:?}");
    assert!(matches!(&in_other[1], Verdict::Fits(proof) if proof.extension().as_str() == "tunnel"));
    assert!(verdicts(&[], &[("no-modules", &[])]).iter().all(fits));
}

#[test]
fn a_module_that_nobody_ships_exports_nothing() {
    let reason = the_reason(
        &verdicts(&[], &[("wg", &[wg()])])[0],
        ReasonCode::SymbolMissing,
        "module wg needs symbol tunnel_send; the kernel's module tunnel exports it, which nothing here ships",
    );
    assert_eq!(reason.hint.as_deref(), Some("add module tunnel to the extension"));
    assert_eq!(reason.subject.as_deref(), Some("wg"));
    assert_eq!(reason.symbol.as_deref(), Some("tunnel_send"));
    assert_eq!((reason.wanted.as_deref(), reason.found.as_deref()), (Some("0x00000003"), Some("none")));
    the_reason(
        &verdicts(&[], &[("x", &[module("x", &[("gone", 9)], &[])])])[0],
        ReasonCode::SymbolMissing,
        "module x needs symbol gone; neither the base nor another extension exports it",
    );
}

#[test]
fn another_crc_is_another_symbol() {
    let reason = the_reason(
        &verdicts(&[], &[("x", &[module("x", &[("_printk", 0xabc)], &[])])])[0],
        ReasonCode::SymbolCrcMismatch,
        "module x was built against symbol _printk with CRC 0x00000abc; the base exports it with CRC 0x00000002",
    );
    assert_eq!((reason.wanted.as_deref(), reason.found.as_deref()), (Some("0x00000002"), Some("0x00000abc")));
    assert_eq!(reason.hint.as_deref(), Some("build it against 6.1.0-test, with extbuild build --kernel"));
    let partly = ModuleFile::new("x").import("module_layout", 1).strong("_printk").parse();
    assert_eq!(reasons(&verdicts(&[], &[("x", &[partly])])[0])[0].found.as_deref(), Some("none"));
    let other = module("other", &[], &[("tunnel_send", 7)]);
    let between = verdicts(&[], &[("other", &[other]), ("wg", &[wg()])]);
    let sentence = &reasons(&between[1])[0].sentence;
    assert!(sentence.ends_with("extension other exports it with CRC 0x00000007"), "{sentence}");
    let hint = |verdict: &Verdict| reasons(verdict)[0].hint.clone().unwrap();
    assert_eq!(hint(&between[1]), "build it against extension other, whose module other exports the symbol");
    let other = module("other", &[], &[("tunnel_send", 7)]);
    let within = verdicts(&[], &[("both", &[other, wg()])]);
    assert_eq!(hint(&within[0]), "build it again together with module other");
}

#[test]
fn only_a_weak_symbol_may_be_missing() {
    let file = || ModuleFile::new("x").import("module_layout", 1);
    assert!(fits(&verdicts(&[], &[("x", &[file().weak("gone").parse()])])[0]));
    assert!(!fits(&verdicts(&[], &[("x", &[file().strong("gone").parse()])])[0]));
    let weak_of_other_meaning = ModuleFile::new("x").weak("_printk").version("_printk", 3).parse();
    assert!(!fits(&verdicts(&[], &[("x", &[weak_of_other_meaning])])[0]));
}

#[test]
fn an_unfit_extension_takes_those_that_need_it_along_and_no_others() {
    let bad = module("bad", &[("_printk", 9)], &[("bad_call", 5)]);
    let user = module("user", &[("bad_call", 5)], &[("user_call", 6)]);
    let user_of_user = module("last", &[("user_call", 6)], &[]);
    let result = verdicts(
        &[],
        &[("last", &[user_of_user]), ("user", &[user]), ("bad", &[bad]), ("tunnel", &[tunnel()])],
    );
    let reason = the_reason(
        &result[0],
        ReasonCode::SymbolMissing,
        "module last needs symbol user_call; extension user exports it, but does not fit itself",
    );
    assert_eq!(reason.hint.as_deref(), Some("make extension user fit"));
    the_reason(
        &result[1],
        ReasonCode::SymbolMissing,
        "module user needs symbol bad_call; extension bad exports it, but does not fit itself",
    );
    assert_eq!(reasons(&result[2])[0].code, ReasonCode::SymbolCrcMismatch);
    assert!(fits(&result[3]));
}

#[test]
fn extensions_that_need_each_other_fit_together() {
    let first = [module("a_core", &[], &[("from_a", 1)]), module("a_user", &[("from_b", 1)], &[])];
    let second = [module("b_core", &[], &[("from_b", 1)]), module("b_user", &[("from_a", 1)], &[])];
    assert!(verdicts(&[], &[("a", &first), ("b", &second)]).iter().all(fits));
}

#[test]
fn modules_that_need_each_other_in_a_circle_are_refused_and_nobody_else() {
    let a = module("a", &[("from_b", 1)], &[("from_a", 1)]);
    let b = module("b", &[("from_c", 1)], &[("from_b", 1)]);
    let c = module("c", &[("from_a", 1)], &[("from_c", 1)]);
    let user = module("user", &[("from_a", 1)], &[]);
    let result = verdicts(&[], &[("a", &[a]), ("bc", &[b, c]), ("t", &[tunnel()]), ("user", &[user])]);
    let sentence = "modules a, b, c need symbols of each other in a circle: none can be loaded first";
    the_reason(&result[0], ReasonCode::ModuleCycle, sentence);
    the_reason(&result[1], ReasonCode::ModuleCycle, sentence);
    assert!(fits(&result[2]));
    assert_eq!(reasons(&result[3])[0].code, ReasonCode::SymbolMissing);
}

#[test]
fn another_kernel_comes_first_then_module_layout() {
    let imports = [("_printk", 9), ("aaa", 9), ("module_layout", 9)];
    let (name, kernel) = ("x".parse().unwrap(), "6.12.0-other".parse().unwrap());
    let modules = record(&[module("b", &imports, &[]), module("a", &imports[..2], &[])]);
    let host = profile(SYMVERS);
    let verdict = judge(&Host::kernel(&host), &[candidate(&name, &kernel, &modules)]).remove(0);
    let found: Vec<_> = reasons(&verdict)
        .iter()
        .map(|reason| (reason.subject.as_deref().unwrap_or("-"), reason.symbol.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(
        found,
        [
            ("-", "-"),
            ("a", "module_layout"),
            ("b", "module_layout"),
            ("a", "_printk"),
            ("a", "aaa"),
            ("b", "_printk"),
            ("b", "aaa")
        ]
    );
    let first = &reasons(&verdict)[0];
    assert_eq!(first.code, ReasonCode::KernelMismatch);
    assert_eq!(first.sentence, "extension x is for kernel 6.12.0-other; the base has 6.1.0-test");
    assert_eq!((first.wanted.as_deref(), first.found.as_deref()), (Some("6.1.0-test"), Some("6.12.0-other")));
}

#[test]
fn equal_crcs_do_not_make_up_for_another_release() {
    let file = ModuleFile::new("x")
        .without("vermagic")
        .info("vermagic", "6.1.0-near SMP ")
        .import("module_layout", 1);
    let result = verdicts(&[], &[("x", &[file.parse()])]);
    let sentence = "module x is built for kernel 6.1.0-near; the base has 6.1.0-test";
    the_reason(&result[0], ReasonCode::KernelMismatch, sentence);
    let mut astray = module("x", &[], &[]);
    astray.path = "/usr/lib/modules/6.1.0-test2/x.ko".parse().unwrap();
    let result = verdicts(&[], &[("x", &[astray])]);
    let sentence =
        "module x is at /usr/lib/modules/6.1.0-test2/x.ko; modprobe looks in /usr/lib/modules/6.1.0-test";
    the_reason(&result[0], ReasonCode::KernelMismatch, sentence);
}

#[test]
fn another_architecture_is_refused() {
    let file = ModuleFile::new("x").arch(object::Architecture::Aarch64);
    let result = verdicts(&[], &[("x", &[file.parse()])]);
    the_reason(&result[0], ReasonCode::ArchMismatch, "module x is for arm64; the base is for amd64");
}

#[test]
fn a_module_is_there_once() {
    let result = verdicts(&[tunnel()], &[("t", &[tunnel()])]);
    the_reason(&result[0], ReasonCode::ModuleDuplicate, "module tunnel is in the base already");
    let result = verdicts(&[], &[("t", &[tunnel()]), ("u", &[tunnel()])]);
    assert!(fits(&result[0]));
    the_reason(&result[1], ReasonCode::ModuleDuplicate, "module tunnel is in extension t already");
}

#[test]
fn an_exported_symbol_is_there_once() {
    let own_printk = module("own", &[], &[("_printk", 2)]);
    let reason = the_reason(
        &verdicts(&[], &[("x", &[own_printk])])[0],
        ReasonCode::SymbolDuplicate,
        "module own exports symbol _printk, which the base exports already",
    );
    assert_eq!((reason.subject.as_deref(), reason.symbol.as_deref()), (Some("own"), Some("_printk")));
    let other_tunnel = module("other", &[], &[("tunnel_send", 3)]);
    let result = verdicts(&[tunnel()], &[("x", std::slice::from_ref(&other_tunnel))]);
    assert_eq!(reasons(&result[0])[0].code, ReasonCode::SymbolDuplicate);
    // The kernel's module that nobody ships exports nothing.
    let result = verdicts(&[], &[("x", std::slice::from_ref(&other_tunnel)), ("t", &[tunnel()])]);
    assert!(fits(&result[0]));
    let sentence = "module tunnel exports symbol tunnel_send, which extension x exports already";
    the_reason(&result[1], ReasonCode::SymbolDuplicate, sentence);
}

#[test]
fn two_modules_of_one_extension_do_not_export_the_same() {
    let twins = [module("a", &[], &[("give", 5)]), module("b", &[], &[("give", 5)])];
    let reason = the_reason(
        &verdicts(&[], &[("twins", &twins)])[0],
        ReasonCode::SymbolDuplicate,
        "module b exports symbol give, which module a exports already",
    );
    assert_eq!((reason.subject.as_deref(), reason.symbol.as_deref()), (Some("b"), Some("give")));
}

#[test]
fn what_is_unfit_is_in_nobodys_way() {
    let file = ModuleFile::new("tunnel").without("vermagic").info("vermagic", "6.1.0-near SMP ");
    let wrong_kernel = file.export("tunnel_send", 3).parse();
    let wrong_symbol = module("tunnel", &[("_printk", 9)], &[("tunnel_send", 3)]);
    let needs_wrong_symbol = module("other", &[("from_bad", 1)], &[("tunnel_send", 3)]);
    let bad = module("bad", &[("_printk", 9)], &[("from_bad", 1)]);
    let result = verdicts(
        &[],
        &[
            ("a", &[wrong_kernel]),
            ("b", &[wrong_symbol]),
            ("c", &[needs_wrong_symbol]),
            ("d", &[bad]),
            ("good", &[tunnel(), wg()]),
        ],
    );
    assert!(result[..4].iter().all(|verdict| !fits(verdict)));
    assert!(fits(&result[4]), "{:?}", result[4]);
}

#[test]
fn one_that_yields_gives_no_symbols() {
    let giver = [tunnel(), module("giver", &[], &[("given", 5)])];
    let taker = module("taker", &[("given", 5)], &[]);
    let holder = module("taker", &[], &[]);
    let result = verdicts(
        &[],
        &[("first", &[tunnel()]), ("taker", &[taker]), ("giver", &giver), ("holder", &[holder])],
    );
    assert!(fits(&result[0]));
    assert_eq!(reasons(&result[2])[0].code, ReasonCode::ModuleDuplicate);
    the_reason(
        &result[1],
        ReasonCode::SymbolMissing,
        "module taker needs symbol given; extension giver exports it, but does not fit itself",
    );
    assert!(fits(&result[3]), "{:?}", result[3]);
}

#[test]
fn a_module_without_a_layout_is_refused() {
    let (name, kernel) = ("x".parse().unwrap(), release());
    let judge_by = |symvers: &str, file: &ModuleFile| {
        let (host, modules) = (profile(symvers), record(&[file.parse()]));
        judge(&Host::kernel(&host), &[candidate(&name, &kernel, &modules)]).remove(0)
    };
    let file = ModuleFile::new("x").import("_printk", 2);
    let sentence = "module x was built against symbol module_layout with CRC none; \
        the base exports it with CRC 0x00000001";
    let reason = the_reason(&judge_by(SYMVERS, &file), ReasonCode::SymbolCrcMismatch, sentence);
    assert_eq!((reason.symbol.as_deref(), reason.found.as_deref()), (Some("module_layout"), Some("none")));
    // A kernel without CONFIG_MODVERSIONS compares no CRCs.
    let unversioned = "0x00000000\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n";
    assert!(fits(&judge_by(unversioned, &ModuleFile::new("x"))));
}

#[test]
fn gpl_only_symbols_and_namespaces_are_kept_from_others() {
    let with = |file: ModuleFile| verdicts(&[], &[("x", &[file.parse()])]).remove(0);
    let raw = || ModuleFile::new("x").import("crypto_raw", 4);
    the_reason(
        &with(raw()),
        ReasonCode::SymbolRestricted,
        "module x uses symbol crypto_raw without importing its namespace CRYPTO",
    );
    assert!(fits(&with(raw().info("import_ns", "CRYPTO"))));
    the_reason(
        &with(raw().without("license").info("license", "NVIDIA").info("import_ns", "CRYPTO")),
        ReasonCode::SymbolRestricted,
        "module x has licence \"NVIDIA\"; the base exports symbol crypto_raw to GPL-compatible modules only",
    );
    assert!(!fits(&with(raw().without("license").info("import_ns", "CRYPTO"))));
    let peek = |name| ModuleFile::new(name).import("virt_peek", 5);
    assert!(fits(&with(peek("kvm"))) && fits(&with(peek("vfio-pci"))));
    assert!(!fits(&with(peek("kvm_amd"))));
}

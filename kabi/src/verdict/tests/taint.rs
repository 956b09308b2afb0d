//! Proprietary modules, and what the order of imports decides.

use super::*;

#[test]
fn a_proprietary_module_spoils_gpl_only_symbols_for_those_that_use_it() {
    let licence = |file: ModuleFile, licence| file.without("license").info("license", licence).parse();
    let closed = licence(ModuleFile::new("closed").export("closed_call", 7), "NVIDIA");
    let user = |imports: &[(&str, u32)]| module("user", imports, &[("user_call", 8)]);
    let judge_with = |modules: &[Module]| {
        let alone: Vec<(&str, &[Module])> = vec![("closed", &modules[..1]), ("rest", &modules[1..])];
        verdicts(&[tunnel()], &alone)
    };
    let free = judge_with(&[closed.clone(), user(&[("closed_call", 7), ("_printk", 2)])]);
    assert!(free.iter().all(fits));
    let spoilt = judge_with(&[closed.clone(), user(&[("closed_call", 7), ("tunnel_send", 3)])]);
    the_reason(
        &spoilt[1],
        ReasonCode::SymbolRestricted,
        "module user takes symbol closed_call from the proprietary module closed, and so may not use tunnel_send, \
         which is for GPL-compatible modules only",
    );
    assert_eq!(reasons(&spoilt[1])[0].symbol.as_deref(), Some("tunnel_send"));
    let heir = module("heir", &[("user_call", 8), ("tunnel_send", 3)], &[]);
    let inherited = judge_with(&[closed, user(&[("closed_call", 7)]), heir]);
    assert_eq!(reasons(&inherited[1])[0].subject.as_deref(), Some("heir"));
}

#[test]
fn what_is_for_others_does_not_exist_for_a_proprietary_module() {
    let file =
        || ModuleFile::new("x").without("license").info("license", "NVIDIA").import("module_layout", 1);
    let with = |file: ModuleFile| verdicts(&[tunnel()], &[("x", &[file.parse()])]).remove(0);
    assert!(fits(&with(file().weak("tunnel_send").version("tunnel_send", 99))));
    assert_eq!(reasons(&with(file().import("tunnel_send", 3)))[0].code, ReasonCode::SymbolRestricted);
}

/// A module `user` that imports these in this order, weakly or not, and exports `user_call`.
fn user(imports: &[(&str, u32, bool)]) -> Module {
    let file = ModuleFile::new("user").import("module_layout", 1).export("user_call", 8);
    let file = imports.iter().fold(file, |file, (symbol, crc, weak)| {
        let file = if *weak { file.weak(symbol) } else { file.strong(symbol) };
        file.version(symbol, *crc)
    });
    file.parse()
}

fn closed() -> Module {
    let file = ModuleFile::new("closed").without("license").info("license", "NVIDIA");
    file.import("module_layout", 1).export("closed_call", 7).export("another", 9).parse()
}

/// The GPL-only symbol, and one of the proprietary module: each strong or weak.
const GPL: (&str, u32, bool) = ("tunnel_send", 3, false);
const WEAK_GPL: (&str, u32, bool) = ("tunnel_send", 3, true);
const CLOSED: (&str, u32, bool) = ("closed_call", 7, false);
const WEAK_CLOSED: (&str, u32, bool) = ("closed_call", 7, true);

/// What becomes of `user`, and of an heir of it that takes a GPL-only symbol after one of it.
fn together(imports: &[(&str, u32, bool)]) -> [Verdict; 2] {
    let heir = module("heir", &[("user_call", 8), ("tunnel_send", 3)], &[]);
    let modules = [[closed()], [user(imports)], [heir]];
    let all = verdicts(&[tunnel()], &[("c", &modules[0]), ("u", &modules[1]), ("h", &modules[2])]);
    let [closed, user, heir] = all.try_into().unwrap();
    assert!(fits(&closed));
    [user, heir]
}

#[test]
fn after_a_symbol_of_a_proprietary_module_nothing_gpl_only_is_found() {
    let [user, _] = together(&[CLOSED, GPL]);
    the_reason(
        &user,
        ReasonCode::SymbolRestricted,
        "module user takes symbol closed_call from the proprietary module closed, and so may not use tunnel_send, \
         which is for GPL-compatible modules only",
    );
    assert_eq!(reasons(&together(&[WEAK_CLOSED, GPL])[0])[0].symbol.as_deref(), Some("tunnel_send"));
    // What is absent has no version that could be wrong.
    for weak in [WEAK_GPL, ("tunnel_send", 99, true)] {
        let [user, heir] = together(&[CLOSED, weak]);
        assert!(fits(&user));
        assert_eq!(reasons(&heir)[0].symbol.as_deref(), Some("tunnel_send"));
    }
}

#[test]
fn after_something_gpl_only_no_symbol_of_a_proprietary_module_is_found() {
    let [user, _] = together(&[GPL, CLOSED, ("another", 9, false)]);
    let sentences: Vec<&str> = reasons(&user).iter().map(|reason| reason.sentence.as_str()).collect();
    let sentence = |symbol: &str| {
        format!(
            "module user uses tunnel_send, which is for GPL-compatible modules only, and so may not take symbol \
             {symbol} from the proprietary module closed"
        )
    };
    assert_eq!(sentences, [sentence("another"), sentence("closed_call")]);
    assert_eq!(reasons(&together(&[WEAK_GPL, CLOSED])[0])[0].symbol.as_deref(), Some("closed_call"));
    // It is absent then, and taints nobody.
    for weak in [WEAK_CLOSED, ("closed_call", 99, true)] {
        assert!(together(&[GPL, weak]).iter().all(fits));
    }
}

#[test]
fn the_first_in_the_symbol_table_decides_and_not_the_first_by_name() {
    let [user, _] = together(&[("closed_call", 7, false), ("another", 9, false), GPL]);
    assert!(reasons(&user)[0].sentence.starts_with("module user takes symbol closed_call "), "{user:?}");
}

#[test]
fn a_module_of_the_base_may_be_the_proprietary_one() {
    let base = [closed(), module("between", &[("closed_call", 7)], &[("between_call", 5)]), tunnel()];
    let taker = |symbol, crc| module("taker", &[(symbol, crc), ("tunnel_send", 3)], &[]);
    for (symbol, crc) in [("closed_call", 7), ("between_call", 5)] {
        let symvers = format!(
            "{SYMVERS}0x00000007\tclosed_call\tclosed\tEXPORT_SYMBOL\t\n\
             0x00000005\tbetween_call\tbetween\tEXPORT_SYMBOL\t\n"
        );
        let (name, kernel, profile) = ("x".parse().unwrap(), release(), profile(&symvers));
        let (base, modules) = (record(&base), record(&with_layout(&[taker(symbol, crc)])));
        let verdict = judge(&Host::base(&profile, &base), &[candidate(&name, &kernel, &modules)]).remove(0);
        let reason = &reasons(&verdict)[0];
        assert_eq!(
            (reason.code, reason.symbol.as_deref()),
            (ReasonCode::SymbolRestricted, Some("tunnel_send"))
        );
    }
}

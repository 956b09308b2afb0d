use super::*;
use crate::Module;
use crate::testing::{ModuleFile, module, record, release};

fn inputs<'a>(release: &'a KernelRelease, base: &'a Record, extensions: &'a [&'a Record]) -> Inputs<'a> {
    Inputs { release, base, extensions, order: None, builtin: None, builtin_modinfo: None }
}

fn of(modules: &[Module]) -> ModuleIndex {
    build(&inputs(&release(), &record(modules), &[])).unwrap()
}

impl ModuleIndex {
    fn text(&self, name: &str) -> &str {
        str::from_utf8(&self.files[name]).unwrap()
    }
}

#[test]
fn a_line_has_everything_a_module_needs_last_loaded_first() {
    let base =
        [module("core", &[], &[("core_call", 1)]), module("mid", &[("core_call", 1)], &[("mid_call", 1)])];
    let top = record(&[module("a-top", &[("core_call", 1), ("mid_call", 1), ("elsewhere", 1)], &[])]);
    let (release, base) = (release(), record(&base));
    let extensions = [&top];
    let inputs = inputs(&release, &base, &extensions);
    let wanted = "kernel/a-top.ko: kernel/mid.ko kernel/core.ko\n\
        kernel/mid.ko: kernel/core.ko\n\
        kernel/core.ko:\n";
    let order = "kernel/a-top.ko\nkernel/gone.ko\nkernel/mid.ko\nkernel/core.ko\n";
    assert_eq!(build(&Inputs { order: Some(order), ..inputs }).unwrap().text("modules.dep"), wanted);
    // A file that is cut short orders nothing.
    let unordered = build(&inputs).unwrap();
    assert_ne!(unordered.text("modules.dep"), wanted);
    let cut = build(&Inputs { order: Some(order.trim_end()), ..inputs }).unwrap();
    assert_eq!(cut, unordered);
}

#[test]
fn the_order_in_which_a_module_names_others_decides_among_them() {
    let core = |name: &str, symbol: &str| module(name, &[], &[(symbol, 1)]);
    let line = |first: &str, second: &str| {
        let modules =
            [core("a", "in_a"), core("b", "in_b"), module("user", &[(first, 1), ("x", 1), (second, 1)], &[])];
        let record = Record::parse(&record(&modules).to_json()).unwrap();
        let index = build(&inputs(&release(), &record, &[])).unwrap();
        let line = index
            .text("modules.dep")
            .lines()
            .find(|line| line.starts_with("kernel/user.ko"))
            .map(str::to_owned);
        line.unwrap()
    };
    // What comes last is freed last, and so is the first on depmod's stack.
    assert_eq!(line("in_a", "in_b"), "kernel/user.ko: kernel/b.ko kernel/a.ko");
    assert_eq!(line("in_b", "in_a"), "kernel/user.ko: kernel/a.ko kernel/b.ko");
}

#[test]
fn the_text_forms_of_a_small_set() {
    let index = of(&[
        ModuleFile::new("snd-card")
            .info("alias", "pci:v0000*sc[0-9]*")
            .info("alias", "devname:snd/one")
            .info("alias", "char-major-116-*")
            .info("alias", "char-major-116-33")
            .info("alias", "devname:snd/two")
            .info("softdep", "pre: snd-hda")
            .info("weakdep", "snd-seq")
            .export("b", 1)
            .gpl_export("a", 1)
            .parse(),
        ModuleFile::new("loop").info("alias", "block-major-7-0x").info("alias", "devname:loop0").parse(),
    ]);
    let text: String = ["alias", "softdep", "weakdep", "symbols", "devname"]
        .map(|name| format!("== {name}\n{}", index.text(&format!("modules.{name}"))))
        .concat();
    assert_eq!(
        text,
        "== alias\n\
        # Aliases extracted from modules themselves.\n\
        alias pci:v0000*sc[0-9]* snd_card\n\
        alias devname:snd/one snd_card\n\
        alias char-major-116-* snd_card\n\
        alias char-major-116-33 snd_card\n\
        alias devname:snd/two snd_card\n\
        alias block-major-7-0x loop\n\
        alias devname:loop0 loop\n\
        == softdep\n\
        # Soft dependencies extracted from modules themselves.\n\
        softdep snd_card pre: snd-hda\n\
        == weakdep\n\
        # Weak dependencies extracted from modules themselves.\n\
        weakdep snd_card snd-seq\n\
        == symbols\n\
        # Aliases for symbols, used by symbol_request().\n\
        alias symbol:b snd_card\n\
        alias symbol:a snd_card\n\
        == devname\n\
        # Device nodes to trigger on-demand module loading.\n\
        snd_card snd/one c116:33\n\
        loop loop0 b7:0\n"
    );
}

#[test]
fn files_are_there_when_they_have_a_source() {
    let always = [
        "modules.alias",
        "modules.alias.bin",
        "modules.dep",
        "modules.dep.bin",
        "modules.devname",
        "modules.softdep",
        "modules.symbols",
        "modules.symbols.bin",
    ];
    let index = of(&[]);
    assert_eq!(index.text("modules.devname"), "");
    assert_eq!(index.files.into_keys().collect::<Vec<_>>(), always);
    let (release, none) = (release(), Record::default());
    let inputs = Inputs { builtin: Some(""), builtin_modinfo: Some(b""), ..inputs(&release, &none, &[]) };
    let files = build(&inputs).unwrap().files;
    assert!(files.contains_key("modules.builtin.bin") && files.contains_key("modules.builtin.alias.bin"));
}

#[test]
fn a_circle_is_opened_where_it_is_weak() {
    let a = module("a", &[("from_b", 1)], &[("from_a", 1)]);
    let b = module("b", &[("from_a", 1)], &[("from_b", 1)]);
    let user = module("user", &[("from_a", 1)], &[]);
    let error = build(&inputs(&release(), &record(&[a.clone(), b, user]), &[])).unwrap_err();
    assert_eq!(error.to_string(), "modules need symbols of each other in a circle: a, b");
    let b = ModuleFile::new("b").weak("from_a").export("from_b", 1).parse();
    let index = of(&[a, b]);
    let lines: Vec<_> = index.text("modules.dep").lines().collect();
    assert!(lines.contains(&"kernel/a.ko: kernel/b.ko") && lines.contains(&"kernel/b.ko:"), "{lines:?}");
}

#[test]
fn a_long_chain_is_listed_whole_and_in_order() {
    let symbol = |index| format!("s{index}");
    let link =
        |index: usize| module(&format!("m{index}"), &[(&symbol(index + 1), 1)], &[(&symbol(index), 1)]);
    let chain: Vec<Module> = (0..300).map(link).collect();
    let index = of(&chain);
    let first = index.text("modules.dep").lines().find(|line| line.starts_with("kernel/m0.ko:")).unwrap();
    let wanted: String = (1..300).map(|index| format!(" kernel/m{index}.ko")).collect();
    assert_eq!(first, format!("kernel/m0.ko:{wanted}"));
}

#[test]
fn lines_that_are_too_long_together_are_refused() {
    let chain = [module("a", &[("in_b", 1)], &[]), module("b", &[], &[("in_b", 1)])];
    let (release, chain) = (release(), record(&chain));
    let modules = Modules::of(&inputs(&release, &chain, &[])).unwrap();
    let dependencies = Dependencies::of(&modules, &modules.owners()).unwrap();
    let bytes = "kernel/a.ko: kernel/b.kokernel/b.ko:".len();
    assert_eq!(dependencies.lines(&modules, bytes).unwrap().len(), 2);
    assert_eq!(dependencies.lines(&modules, bytes - 1).unwrap_err(), IndexError::TooLarge("modules.dep"));
}

#[test]
fn modules_twice_or_elsewhere_are_refused() {
    let (one, release) = (record(&[module("a", &[], &[])]), release());
    let error = build(&inputs(&release, &one, &[&one])).unwrap_err();
    assert!(matches!(error, IndexError::Duplicate { .. }), "{error}");
    let error = build(&inputs(&"6.1.0".parse().unwrap(), &one, &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "module /usr/lib/modules/6.1.0-test/kernel/a.ko is not below /usr/lib/modules/6.1.0"
    );
}

#[test]
fn broken_files_of_the_base_are_refused_with_the_place() {
    let (release, none) = (release(), Record::default());
    let inputs = inputs(&release, &none, &[]);
    let error = build(&Inputs { builtin: Some("kernel/ok.ko\nkernel/a/b.txt\n"), ..inputs }).unwrap_err();
    let IndexError::Builtin(cause) = error else { panic!("{error}") };
    assert_eq!(cause.to_string(), "line 2: \"kernel/a/b.txt\" is not the path of a module");
    for (entry, wanted) in [
        ("nonsense", "MODULE.KEY=VALUE"),
        ("a/b.alias=c", "of a module"),
        ("ext4.alias=", "an alias in printable ASCII"),
        ("ext4.alias=\u{7f}", "an alias in printable ASCII"),
    ] {
        let modinfo = format!("ext4.author=Ä\0{entry}\0");
        let inputs = Inputs { builtin_modinfo: Some(modinfo.as_bytes()), ..inputs };
        let said = build(&inputs).unwrap_err().to_string();
        assert!(said.starts_with("modules.builtin.modinfo, entry 2: ") && said.ends_with(wanted), "{said}");
    }
}

#[test]
fn modules_are_loaded_after_what_they_need() {
    let with = |softdep: &str, module: Module| Module { softdeps: vec![softdep.parse().unwrap()], ..module };
    let modules = [
        module("core", &[], &[("core_call", 1)]),
        module("mid", &[("core_call", 1)], &[("mid_call", 1)]),
        with("pre: first absent post: last", module("top", &[("mid_call", 1), ("core_call", 1)], &[])),
        module("first", &[("core_call", 1)], &[]),
        with("pre: top", module("last", &[], &[])),
        module("other", &[], &[]),
    ];
    let (release, base) = (release(), record(&modules));
    let names = |asked: &[&str]| -> Vec<String> {
        let asked: Vec<ModuleName> = asked.iter().map(|name| name.parse().unwrap()).collect();
        let order = loading(&inputs(&release, &base, &[]), &asked.iter().collect::<Vec<_>>()).unwrap();
        order.iter().map(|module| module.name.to_string()).collect()
    };
    assert_eq!(names(&["top"]), ["core", "first", "mid", "top", "last"]);
    assert_eq!(names(&["mid", "nobody", "mid", "top"]), ["core", "mid", "first", "top", "last"]);
    // A wish in a circle is one that cannot be granted.
    assert_eq!(names(&["last"]), ["core", "first", "mid", "top", "last"]);
    assert_eq!(names(&[]), [""; 0]);
}

//! What is generated from the definitions of the command lines: help, man pages, completions.

use std::fs;
use std::process::Command;

use tests::{Context, Said, from_xtask};

const PROGRAMS: [(&str, &str, &[&str]); 2] = [
    (
        "extbuild",
        "TENON_EXTBUILD",
        &[
            "build",
            "check",
            "base",
            "inspect",
            "kernel",
            "key",
            "sign",
            "verify",
            "push",
            "pull",
            "copy",
            "completions",
            "man",
        ],
    ),
    ("extfactory", "TENON_EXTFACTORY", &["compose", "completions", "man"]),
];

fn run(context: &Context, variable: &str, args: &[&str]) -> Said {
    context.run(Command::new(from_xtask(variable)).args(args))
}

#[test]
fn every_command_explains_itself() {
    let context = Context::new();
    for (program, variable, commands) in PROGRAMS {
        let overview = run(&context, variable, &["--help"]).ok();
        for command in commands {
            assert!(
                overview.contains(&format!("\n  {command} ")),
                "{program} --help does not name {command}"
            );
            let help = run(&context, variable, &[command, "--help"]).ok();
            assert!(help.contains(&format!("Usage: {program} {command}")), "{help}");
        }
        assert!(run(&context, variable, &["--version"]).ok().starts_with(program));
        assert_eq!(run(&context, variable, &["no-such-command"]).code, Some(2));
    }
    let help = run(&context, "TENON_EXTRUNTIME", &["--help"]).ok();
    assert!(help.contains("plan") && help.contains("status"), "{help}");
}

#[test]
fn every_command_has_a_man_page() {
    for (program, variable, commands) in PROGRAMS {
        let context = Context::new();
        fs::create_dir(context.dir().join("man")).expect("the directory is new");
        run(&context, variable, &["man", "man"]).ok();
        for command in commands {
            let page = fs::read_to_string(context.dir().join(format!("man/{program}-{command}.1")));
            let page = page.unwrap_or_else(|error| panic!("{program}-{command}.1: {error}"));
            assert!(page.contains(".SH SYNOPSIS") && page.contains(command), "{page}");
        }
    }
}

#[test]
fn completions_are_scripts_that_the_shell_accepts() {
    for (program, variable, commands) in PROGRAMS {
        let context = Context::new();
        for shell in ["bash", "zsh", "fish"] {
            let script = run(&context, variable, &["completions", shell]).ok();
            assert!(commands.iter().all(|command| script.contains(command)), "{program} {shell}");
            context.write(&format!("{shell}.script"), script);
        }
        context.run(Command::new("bash").args(["-n", "bash.script"])).ok();
    }
}

#[test]
fn data_that_cannot_be_written_is_an_error() {
    let context = Context::new();
    for (_, variable, _) in PROGRAMS {
        let script = format!("exec {} completions bash >/dev/full", from_xtask(variable).display());
        assert_eq!(context.run(Command::new("sh").args(["-c", &script])).code, Some(2), "{variable}");
    }
    let script = format!("exec {} --help >/dev/full", from_xtask("TENON_EXTRUNTIME").display());
    assert_eq!(context.run(Command::new("sh").args(["-c", &script])).code, Some(2));
}

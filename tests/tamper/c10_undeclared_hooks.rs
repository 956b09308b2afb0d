//! Files that the system runs by itself, in an extension that says nothing of them.

use spec::ReasonCode;
use spec::defence::Threat;

use crate::harness::{Outcome, Programs, Refusal, is_refused};
use crate::world::{Extension, KERNEL, World};

/// A boot with an extension that has this file.
fn booted(programs: &Programs, path: &str, text: &str) -> Outcome {
    let world = World::new();
    let mut tool = Extension::new("tool");
    tool.files.push((path.to_owned(), text.as_bytes().to_vec()));
    world.publish(&tool);
    world.want(&["tool"]);
    programs.boot(&world).outcome(&world)
}

#[test]
fn a_service_that_nobody_declared_is_not_laid() {
    let refusal = Refusal::by_judge(ReasonCode::GrantMissing, "which the extension does not declare");
    is_refused(Threat::C10, refusal, |programs| {
        booted(programs, "/usr/lib/systemd/system/tool.service", "[Service]\nExecStart=/usr/bin/tool\n")
    });
}

#[test]
fn nor_is_any_other_hook() {
    for (path, text) in [
        ("/usr/lib/udev/rules.d/50-tool.rules", "ACTION==\"add\", RUN+=\"/usr/bin/tool\"\n"),
        ("/usr/lib/tmpfiles.d/tool.conf", "f /etc/ld.so.preload 0644 root root - /usr/lib/tool.so\n"),
        ("/usr/lib/sysctl.d/50-tool.conf", "kernel.core_pattern=|/usr/bin/tool\n"),
        ("/usr/lib/binfmt.d/tool.conf", ":tool:M::TOOL::/usr/bin/tool:F\n"),
        ("/usr/lib/systemd/system-generators/tool", "#!/bin/sh\n"),
        ("/usr/lib/modprobe.d/tool.conf", "install pcspkr /usr/bin/tool\n"),
    ] {
        is_refused(Threat::C10, Refusal::by_judge(ReasonCode::GrantMissing, path), |programs| {
            booted(programs, path, text)
        });
    }
}

/// It is declared, and whoever signed may not say so.
#[test]
fn a_key_lets_in_no_more_than_it_may() {
    let refusal = Refusal::by_judge(ReasonCode::GrantRefused, "sysctl:kernel.core_pattern");
    is_refused(Threat::C10, refusal, |programs| {
        let world = World::new();
        let mut tool = Extension::new("tool");
        let text = "kernel.core_pattern=|/usr/bin/tool\n".into();
        tool.files.push(("/usr/lib/sysctl.d/50-tool.conf".to_owned(), text));
        tool.config.grants.push("sysctl:kernel.core_pattern".parse().unwrap());
        tool.config.grants.sort_unstable();
        world.publish(&tool);
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

/// Parameters steer a module as a file of modprobe.d does.
#[test]
fn no_module_is_told_what_nobody_declared() {
    let refusal = Refusal::by_judge(ReasonCode::GrantMissing, "module driver is loaded with parameters");
    is_refused(Threat::C10, refusal, |programs| {
        let world = World::new();
        let mut tool = Extension::new("tool").module("driver", KERNEL, "0x92997ed8");
        tool.config.load = vec!["driver nosecurity=1".parse().unwrap()];
        world.publish(&tool);
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

/// A probe is a program that runs as root whenever somebody confirms a set.
#[test]
fn nothing_is_run_as_a_probe_that_nobody_declared() {
    let refusal = Refusal::by_judge(ReasonCode::GrantMissing, "/usr/bin/tool is run as a probe");
    is_refused(Threat::C10, refusal, |programs| {
        let world = World::new();
        let mut tool = Extension::new("tool");
        tool.config.probes = serde_json::from_str(r#"[{"run": ["/usr/bin/tool", "--take-over"]}]"#).unwrap();
        world.publish(&tool);
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

/// A key of a setting that leads out of `/proc/sys`, to where a letter restarts the machine.
#[test]
fn no_setting_leads_out_of_the_settings() {
    let refusal = Refusal::by_judge(ReasonCode::MalformedArtifact, "which is no key of a setting");
    is_refused(Threat::C10, refusal, |programs| {
        let world = World::new();
        let mut tool = Extension::new("tool");
        tool.files.push(("/usr/lib/sysctl.d/50-tool.conf".to_owned(), "../sysrq-trigger = b\n".into()));
        world.publish(&tool);
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

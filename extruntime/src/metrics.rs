//! The status for Prometheus, in its text format: a textfile collector or a small HTTP server shows it to a fleet.

use std::fmt::Write;

use spec::status::{ExtensionStatus, State, Status};

/// Every metric with its lines (Prometheus, "Exposition formats", text format 0.0.4).
pub(crate) fn text(status: &Status) -> String {
    let mut text = String::new();
    let count = |state| status.extensions.iter().filter(|extension| extension.state == state).count();
    help(&mut text, "tenon_info", "The base and the kernel that runs.");
    line(&mut text, "tenon_info", &[("base", &status.base), ("kernel", status.kernel.as_str())], 1);
    help(&mut text, "tenon_extensions", "Extensions of the machine config, by what became of them.");
    for (state, name) in [(State::Active, "active"), (State::Refused, "refused")] {
        line(&mut text, "tenon_extensions", &[("state", name)], count(state));
    }
    help(&mut text, "tenon_extension_active", "Whether an extension of the machine config is active.");
    for extension in &status.extensions {
        let version = extension.version.as_ref().map(ToString::to_string).unwrap_or_default();
        let labels = [("name", extension.name.as_str()), ("version", &version)];
        let active = usize::from(extension.state == State::Active);
        line(&mut text, "tenon_extension_active", &labels, active);
    }
    help(&mut text, "tenon_extension_refused_reasons", "Why extensions are refused: reasons of a kind.");
    for (extension, code, count) in status.extensions.iter().flat_map(reasons) {
        let labels = [("name", extension), ("code", &code)];
        line(&mut text, "tenon_extension_refused_reasons", &labels, count);
    }
    help(&mut text, "tenon_module_loaded", "Whether the kernel took a module that an extension asks for.");
    for extension in &status.extensions {
        for module in &extension.modules {
            let labels = [("extension", extension.name.as_str()), ("module", module.name.as_str())];
            line(&mut text, "tenon_module_loaded", &labels, usize::from(module.error.is_none()));
        }
    }
    text
}

/// Reasons of an extension by their code, in the order of their first one.
fn reasons(extension: &ExtensionStatus) -> Vec<(&str, String, usize)> {
    let mut found: Vec<(&str, String, usize)> = Vec::new();
    for reason in &extension.reasons {
        let code = reason.code.to_string();
        match found.iter_mut().find(|(_, known, _)| *known == code) {
            Some((_, _, count)) => *count += 1,
            None => found.push((extension.name.as_str(), code, 1)),
        }
    }
    found
}

fn help(text: &mut String, name: &str, sentence: &str) {
    let _ = write!(text, "# HELP {name} {sentence}\n# TYPE {name} gauge\n");
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: usize) {
    let escaped = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let labels: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
    let _ = writeln!(text, "{name}{{{}}} {value}", labels.join(","));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_every_metric_is_declared_once() {
        let status: Status = serde_json::from_str(
            r#"{"schemaVersion": 1, "kernel": "6.1.0", "base": "a \"b\" \\ 1", "extensions": [
                {"name": "wg", "state": "active", "version": "1.0.0", "modules": [{"name": "wireguard"}]},
                {"name": "nv", "state": "refused", "reasons": [
                    {"code": "symbol-missing", "sentence": "x"}, {"code": "symbol-missing", "sentence": "y"}]}]}"#,
        )
        .unwrap();
        let expected = r#"# HELP tenon_info The base and the kernel that runs.
# TYPE tenon_info gauge
tenon_info{base="a \"b\" \\ 1",kernel="6.1.0"} 1
# HELP tenon_extensions Extensions of the machine config, by what became of them.
# TYPE tenon_extensions gauge
tenon_extensions{state="active"} 1
tenon_extensions{state="refused"} 1
# HELP tenon_extension_active Whether an extension of the machine config is active.
# TYPE tenon_extension_active gauge
tenon_extension_active{name="wg",version="1.0.0"} 1
tenon_extension_active{name="nv",version=""} 0
# HELP tenon_extension_refused_reasons Why extensions are refused: reasons of a kind.
# TYPE tenon_extension_refused_reasons gauge
tenon_extension_refused_reasons{name="nv",code="symbol-missing"} 2
# HELP tenon_module_loaded Whether the kernel took a module that an extension asks for.
# TYPE tenon_module_loaded gauge
tenon_module_loaded{extension="wg",module="wireguard"} 1
"#;
        assert_eq!(text(&status), expected);
    }
}

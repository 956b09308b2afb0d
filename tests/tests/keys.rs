//! Keys from beginning to end, with OpenSSL as the other side: made, locked, shown, moved, and signed with, by us and by
//! programs that may be anything.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; the allowance in clippy.toml covers only the tests themselves"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::{Context, Said, from_xtask};

const MANIFEST: &str = "\
apiVersion: v1alpha1
kind: Extension
name: acme
version: 1.0.0
sources:
  files:
    dir: files
contents:
  - from: files
    to: /usr/share/acme
";

/// A directory with an extension that could be signed.
fn built() -> Context {
    let context = Context::new();
    context.write("extension.yaml", MANIFEST);
    context.write("files/readme", "read me\n");
    context.extbuild(&["build", "extension.yaml", "-o", "oci:out"]).ok();
    context
}

/// A file that only its owner can read.
fn secret(context: &Context, name: &str, text: &str) {
    chmod(context, name, 0o600, text);
}

fn chmod(context: &Context, name: &str, mode: u32, text: &str) {
    let path = context.write(name, text);
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A key of which the passphrase is in the file `pass`.
fn locked(context: &Context) {
    secret(context, "pass", "correct horse\n");
    context.extbuild(&["key", "new", "-o", "key.pem", "--passphrase-file", "pass"]).ok();
}

fn unlocked(context: &Context) {
    context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]).ok();
}

fn openssl(context: &Context, arguments: &str) -> Said {
    context.run(Command::new("openssl").args(arguments.split(' ')))
}

fn mode(context: &Context, name: &str) -> u32 {
    context.dir().join(name).metadata().unwrap().permissions().mode() & 0o7777
}

fn text(context: &Context, name: &str) -> String {
    fs::read_to_string(context.dir().join(name)).unwrap()
}

#[test]
fn a_new_key_is_locked_and_openssl_opens_it() {
    let context = Context::new();
    locked(&context);
    assert!(text(&context, "key.pem").starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    assert_eq!((mode(&context, "key.pem"), mode(&context, "key.pem.pub")), (0o600, 0o644));
    let public = openssl(&context, "pkey -in key.pem -passin file:pass -pubout").ok();
    assert_eq!(public, text(&context, "key.pem.pub").trim_end());
    assert_ne!(openssl(&context, "pkey -in key.pem -passin pass:other -pubout").code, Some(0));
}

#[test]
fn a_key_without_a_passphrase_says_so() {
    let context = Context::new();
    let said = context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]);
    assert!(text(&context, "key.pem").starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(mode(&context, "key.pem"), 0o600);
    insta::assert_snapshot!(said);
}

#[test]
fn nobody_to_ask() {
    let context = Context::new();
    let said = context.extbuild(&["key", "new", "-o", "key.pem"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert_eq!(fs::read_dir(context.dir()).unwrap().count(), 0);
    insta::assert_snapshot!(said);
}

#[test]
fn the_variable_names_a_passphrase_too() {
    let context = built();
    secret(&context, "pass", "correct horse");
    let extbuild = || {
        let mut command = Command::new(from_xtask("TENON_EXTBUILD"));
        command.env("TENON_PASSPHRASE_FILE", "pass");
        command
    };
    context.run(extbuild().args(["key", "new", "-o", "key.pem"])).ok();
    context.run(extbuild().args(["sign", "oci:out", "--key", "key.pem"])).ok();
    context.run(extbuild().args(["key", "new", "-o", "plain.pem", "--no-passphrase"])).ok();
    assert!(text(&context, "plain.pem").starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

/// `<(…)` of a shell: a passphrase that is in no file at all.
#[test]
fn a_passphrase_may_come_through_a_pipe() {
    let context = Context::new();
    locked(&context);
    let script = format!(
        "{} key show key.pem --passphrase-file <(echo 'correct horse')",
        from_xtask("TENON_EXTBUILD").display()
    );
    let shown = context.run(Command::new("bash").args(["-c", &script])).ok();
    assert_eq!(shown, text(&context, "key.pem.pub").trim_end());
}

#[test]
fn passphrases_that_are_none() {
    let context = Context::new();
    locked(&context);
    secret(&context, "empty", "\n");
    insta::assert_snapshot!(
        "passphrase_empty",
        context.extbuild(&["key", "new", "-o", "other.pem", "--passphrase-file", "empty"])
    );
    secret(&context, "wrong", "incorrect horse\n");
    insta::assert_snapshot!(
        "passphrase_wrong",
        context.extbuild(&["key", "show", "key.pem", "--passphrase-file", "wrong"])
    );
    chmod(&context, "pass", 0o644, "correct horse\n");
    insta::assert_snapshot!(
        "passphrase_exposed",
        context.extbuild(&["key", "show", "key.pem", "--passphrase-file", "pass"])
    );
    assert!(!context.dir().join("other.pem").exists() && !context.dir().join("other.pem.pub").exists());
}

#[test]
fn nothing_is_overwritten() {
    let context = Context::new();
    context.write("key.pem.pub", "precious");
    let said = context.extbuild(&["key", "new", "-o", "key.pem", "--no-passphrase"]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(!context.dir().join("key.pem").exists());
    assert_eq!(text(&context, "key.pem.pub"), "precious");
    fs::remove_file(context.dir().join("key.pem.pub")).unwrap();
    unlocked(&context);
    for command in ["import", "export"] {
        let said = context.extbuild(&["key", command, "key.pem", "-o", "key.pem", "--no-passphrase"]);
        assert_eq!(said.code, Some(2), "{said}");
        assert!(said.stderr.contains("nothing is overwritten here"), "{said}");
    }
}

#[test]
fn a_key_that_others_may_read() {
    let context = built();
    unlocked(&context);
    for mode in [0o640, 0o604, 0o660, 0o610] {
        fs::set_permissions(context.dir().join("key.pem"), Permissions::from_mode(mode)).unwrap();
        for args in [
            &["sign", "oci:out", "--key", "key.pem"][..],
            &["key", "show", "key.pem"],
            &["key", "import", "key.pem", "-o", "new.pem", "--no-passphrase"],
            &["key", "export", "key.pem", "-o", "new.pem", "--public"],
        ] {
            let said = context.extbuild(args);
            assert_eq!(said.code, Some(1), "{said}");
            assert!(said.stderr.contains(&format!("its mode is {mode:04o}")), "{said}");
        }
    }
    insta::assert_snapshot!(context.extbuild(&["sign", "oci:out", "--key", "key.pem"]));
    // Its public half is for everybody.
    fs::set_permissions(context.dir().join("key.pem.pub"), Permissions::from_mode(0o666)).unwrap();
    context.extbuild(&["key", "show", "key.pem.pub"]).ok();
}

#[test]
fn showing_a_key() {
    let context = Context::new();
    openssl(&context, "genpkey -algorithm ed25519 -out key.pem").ok();
    fs::set_permissions(context.dir().join("key.pem"), Permissions::from_mode(0o600)).unwrap();
    let public = openssl(&context, "pkey -in key.pem -pubout").ok();
    let said = context.extbuild(&["key", "show", "key.pem"]);
    openssl(&context, "pkey -in key.pem -pubout -outform DER -out public.der").ok();
    let sum = openssl(&context, "dgst -sha256 -r public.der").ok();
    let sum = sum.split(' ').next().unwrap();
    assert!(said.stderr.contains(&format!("sha256:{sum}")), "{said}");
    assert_eq!(said.ok(), public);

    let json = context.extbuild(&["key", "show", "--json", "public.der"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["fingerprint"], format!("sha256:{sum}"));
    assert_eq!((&json["algorithm"], &json["form"]), (&"Ed25519".into(), &"public".into()));
    assert_eq!(json["publicKey"].as_str().unwrap().trim_end(), public);
    assert_eq!(json["hint"].as_str().unwrap().len(), 44);
}

#[test]
fn keys_come_from_openssl_and_go_back() {
    let context = Context::new();
    secret(&context, "theirs", "of openssl");
    secret(&context, "ours", "of tenon");
    openssl(&context, "genpkey -algorithm ed25519 -out plain.pem").ok();
    openssl(&context, "pkcs8 -topk8 -in plain.pem -passout file:theirs -outform DER -out theirs.der").ok();
    for name in ["plain.pem", "theirs.der"] {
        fs::set_permissions(context.dir().join(name), Permissions::from_mode(0o600)).unwrap();
    }
    let public = openssl(&context, "pkey -in plain.pem -pubout").ok();

    let import = ["key", "import", "theirs.der", "-o", "ours.pem", "--passphrase-file", "ours"];
    let said = context.extbuild(&import);
    assert_eq!(said.code, Some(2), "its passphrase is another than that of the key to write: {said}");
    assert!(said.stderr.contains("--source-passphrase-file"), "{said}");
    context.extbuild(&[&import[..], &["--source-passphrase-file", "theirs"]].concat()).ok();
    assert_eq!(text(&context, "ours.pem.pub").trim_end(), public);
    assert_eq!(openssl(&context, "pkey -in ours.pem -passin file:ours -pubout").ok(), public);

    let export = |output: &str, more: &[&str]| {
        let args = ["key", "export", "ours.pem", "--passphrase-file", "ours", "-o", output];
        context.extbuild(&[&args[..], more].concat()).ok();
        let expected = if more.contains(&"--public") { 0o644 } else { 0o600 };
        assert_eq!(mode(&context, output), expected, "{output}");
    };
    export("back.pem", &["--no-passphrase"]);
    assert_eq!(text(&context, "back.pem"), text(&context, "plain.pem"), "the same key, the same file");
    export("locked.der", &["--der", "--output-passphrase-file", "theirs"]);
    let read = openssl(&context, "pkey -in locked.der -inform DER -passin file:theirs -pubout").ok();
    assert_eq!(read, public);
    export("public.pem", &["--public"]);
    assert_eq!(text(&context, "public.pem").trim_end(), public);
    export("public.der", &["--public", "--der"]);
    assert_eq!(openssl(&context, "pkey -pubin -in public.der -inform DER -pubout").ok(), public);
}

#[test]
fn a_key_of_openssh_is_called_so() {
    let context = Context::new();
    let text =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n";
    secret(&context, "id_ed25519", text);
    insta::assert_snapshot!(context.extbuild(&["key", "import", "id_ed25519", "-o", "key.pem"]));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let context = Context::new();
    unlocked(&context);
    let mut child = Command::new(from_xtask("TENON_EXTBUILD"))
        .args(["key", "show", "key.pem"])
        .current_dir(context.dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A trust policy of the key in `key.pem.pub`.
fn trust(context: &Context) {
    let key: String = text(context, "key.pem.pub").lines().map(|line| format!("      {line}\n")).collect();
    let head = "apiVersion: v1alpha1\nkind: TrustPolicy\nkeys:\n";
    let entry = "  - name: publisher\n    extensions: [acme]\n    publicKey: |\n";
    context.write("trust.yaml", format!("{head}{entry}{key}"));
}

fn sign_by(context: &Context, command: &str) -> Said {
    let args = ["sign", "oci:out", "--public-key", "key.pem.pub", "--signer-timeout", "2", "--signer-cmd"];
    context.extbuild(&[&args[..], &[command]].concat())
}

fn signatures(context: &Context) -> usize {
    let facts = context.extbuild(&["inspect", "--json", "oci:out"]).ok();
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    facts["signatures"].as_array().unwrap().len()
}

#[test]
fn a_program_signs_as_a_key_does() {
    let context = built();
    unlocked(&context);
    trust(&context);
    sign_by(&context, "openssl pkeyutl -sign -rawin -inkey key.pem -in /dev/stdin").ok();
    assert_eq!(signatures(&context), 1);
    context.extbuild(&["verify", "oci:out", "--trust", "trust.yaml"]).ok();
    // The same bytes, as Ed25519 has but one signature of a key over them.
    context.extbuild(&["sign", "oci:out", "--key", "key.pem"]).ok();
    assert_eq!(signatures(&context), 1);
}

#[test]
fn a_program_is_told_what_to_sign_and_with_which_key() {
    let context = built();
    unlocked(&context);
    let script = "#!/bin/sh\nprintenv TENON_KEY_HINT > hint\ncat > message\nprintf '%s|' \"$@\" > arguments\n\
                  echo touch the token >&2\nopenssl pkeyutl -sign -rawin -inkey key.pem -in message\n";
    chmod(&context, "token", 0o755, script);
    let said = sign_by(&context, "./token --slot 9c 'a b' $HOME");
    assert!(said.stderr.contains("touch the token\n"), "{said}");
    said.ok();
    assert_eq!(text(&context, "arguments"), "--slot|9c|a b|$HOME|");
    assert!(text(&context, "message").starts_with("DSSEv1 28 application/vnd.in-toto+json "));
    let shown = context.extbuild(&["key", "show", "--json", "key.pem.pub"]).ok();
    assert!(shown.contains(text(&context, "hint").trim_end()), "{shown}");
}

#[test]
fn a_program_that_does_anything_else() {
    let context = built();
    unlocked(&context);
    context.extbuild(&["key", "new", "-o", "other.pem", "--no-passphrase"]).ok();
    let shown = context.extbuild(&["key", "show", "--json", "key.pem.pub"]).ok();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let hint = shown["hint"].as_str().unwrap().to_owned();
    for (name, command) in [
        ("signer_with_another_key", "openssl pkeyutl -sign -rawin -inkey other.pem -in /dev/stdin"),
        ("signer_that_makes_it_up", "head -c 64 /dev/zero"),
        ("signer_that_says_nothing", "true"),
        ("signer_that_never_ends_talking", "cat /dev/zero"),
        (
            "signer_that_writes_base64",
            "sh -c 'openssl pkeyutl -sign -rawin -inkey key.pem -in /dev/stdin | base64 -w0'",
        ),
        ("signer_that_fails", "sh -c 'echo no token >&2; exit 7'"),
        ("signer_that_is_killed", "sh -c 'kill -9 $$'"),
        ("signer_that_is_missing", "./no-such-signer --slot 9c"),
        ("signer_without_an_end", "sign 'a b"),
    ] {
        let said = sign_by(&context, command);
        assert!(matches!(said.code, Some(1 | 2)), "{said}");
        assert!(said.stdout.is_empty(), "{said}");
        insta::assert_snapshot!(name, said.to_string().replace(&hint, "[HINT]"));
    }
    assert_eq!(signatures(&context), 0, "something of it was used");
}

#[test]
fn a_program_that_hangs_is_ended() {
    let context = built();
    unlocked(&context);
    for command in ["sleep 600", "sh -c 'head -c 64 /dev/zero; exec >&-; exec sleep 600'"] {
        let start = Instant::now();
        let said = sign_by(&context, command);
        assert!(start.elapsed() < Duration::from_secs(60), "{said}");
        assert_eq!(said.code, Some(2), "{said}");
        assert!(said.stderr.contains("was not done after 2 seconds, and was ended"), "{said}");
    }
    assert_eq!(signatures(&context), 0);
}

/// With a terminal, which script(1) makes, and without one, as setsid(1) takes it away; and whether what was started has
/// stayed in the session of the program or not.
#[test]
fn what_a_program_has_started_is_ended_with_it() {
    let sign = format!(
        "{} sign oci:out --public-key key.pem.pub --signer-timeout 2 --signer-cmd ./signer",
        from_xtask("TENON_EXTBUILD").display()
    );
    let at_terminal = ["script", "-qec", &sign, "/dev/null"];
    let alone = ["setsid", "--wait", "sh", "-c", &sign];
    let child = "sh -c 'echo $$ > child; exec sleep 600'";
    let apart = format!("setsid --fork {child}");
    for (around, child) in
        [(&at_terminal[..], child), (&at_terminal, &apart), (&alone, child), (&alone, &apart)]
    {
        let context = built();
        unlocked(&context);
        chmod(&context, "signer", 0o755, &format!("#!/bin/sh\n{child} &\nsleep 600\n"));
        let said = context.run(Command::new(around[0]).args(&around[1..]));
        let words = format!("{}{}", said.stdout, said.stderr);
        assert!(words.contains("was not done after 2 seconds, and was ended"), "{child}: {said}");
        let number = text(&context, "child");
        assert!(!Path::new("/proc").join(number.trim()).exists(), "{child}: it still runs");
    }
}

/// Somebody may have to be asked, at the terminal that everything else is on.
#[test]
fn a_program_may_ask_at_the_terminal() {
    let context = built();
    unlocked(&context);
    let script = "#!/bin/sh\nread -r answer < /dev/tty\necho \"$answer\" > answer\nexec openssl pkeyutl -sign -rawin -inkey key.pem -in /dev/stdin\n";
    chmod(&context, "signer", 0o755, script);
    let sign = format!(
        "{} sign oci:out --public-key key.pem.pub --signer-timeout 20 --signer-cmd ./signer",
        from_xtask("TENON_EXTBUILD").display()
    );
    let typed = format!("(sleep 1; echo sesame; sleep 3) | script -qec '{sign}' /dev/null");
    context.run(Command::new("sh").args(["-c", &typed])).ok();
    assert_eq!(text(&context, "answer"), "sesame\n");
    assert_eq!(signatures(&context), 1);
}

#[test]
fn a_program_needs_a_public_key_and_a_key_no_program() {
    let context = built();
    unlocked(&context);
    for args in [
        &["--signer-cmd", "true"][..],
        &["--public-key", "key.pem.pub"],
        &["--key", "key.pem", "--signer-cmd", "true", "--public-key", "key.pem.pub"],
        &[],
    ] {
        let said = context.extbuild(&[&["sign", "oci:out"][..], args].concat());
        assert_eq!(said.code, Some(2), "{said}");
        assert!(said.stderr.contains("--help"), "{said}");
    }
    let said = context.extbuild(&["sign", "oci:out", "--signer-cmd", "true", "--public-key", "key.pem"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("keep it secret"), "{said}");
}

//! A registry leads an upload to another host, which would like to know our password.

use std::sync::{Arc, Mutex};

use spec::defence::Threat;
use tests::Context;

use crate::harness::{Programs, comes_to_nothing};
use crate::server::{Answer, Request, serve};
use crate::world::{Extension, World};

/// Pushes to a registry that wants a password and has uploads done elsewhere, and returns what went there.
fn sent_elsewhere(programs: &Programs) -> Vec<Request> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let thief = serve(move |request| {
        log.lock().unwrap().push(request.clone());
        Answer::status("201 Created")
    });
    let registry = serve(move |request| match (request.header("authorization"), request.method.as_str()) {
        (None, _) => Answer::status("401 Unauthorized").header("WWW-Authenticate", "Basic realm=\"x\""),
        (Some(_), "POST") => {
            Answer::status("202 Accepted").header("Location", format!("http://{thief}/upload"))
        }
        (Some(_), _) => Answer::status("404 Not Found"),
    });
    let (world, context) = (World::new(), Context::new());
    world.publish(&Extension::new("tool"));
    let login = "c29tZWJvZHk6b3BlbiBzZXNhbWU="; // somebody:open sesame
    context.write("config.json", format!("{{\"auths\":{{\"{registry}\":{{\"auth\":\"{login}\"}}}}}}"));
    let from = format!("oci:{}:tool-1.0.0", world.store_dir().display());
    programs.extbuild(&context, &["push", &from, &format!("{registry}/ext/tool:1.0.0")]);
    seen.lock().unwrap().clone()
}

#[test]
fn who_we_are_is_said_to_the_registry_alone() {
    comes_to_nothing(Threat::B2, |programs| {
        let elsewhere = sent_elsewhere(programs);
        assert!(!elsewhere.is_empty(), "nothing was led astray, so nothing could leak");
        match elsewhere.iter().find_map(|request| request.header("authorization")) {
            None => Ok(()),
            Some(secret) => Err(format!("the other host was told {secret}")),
        }
    });
}

//! One key under two names looks like two signers (CVE-2020-15093).

use std::fs;

use spec::defence::Threat;

use crate::harness::{Refusal, is_refused};
use crate::registry::world;

#[test]
fn a_policy_has_each_key_once() {
    let refusal = Refusal::with_words("trust keys publisher and twin are the same key");
    is_refused(Threat::A7, refusal, |programs| {
        let (world, _) = world();
        let policy = fs::read_to_string(world.trust()).unwrap();
        let (head, keys) = policy.split_once("keys:\n").unwrap();
        let publisher = &keys[..keys.find("  - name: net-publisher").unwrap()];
        let twin = publisher.replace("name: publisher", "name: twin");
        fs::write(world.trust(), format!("{head}keys:\n{publisher}{twin}")).unwrap();
        world.want(&["tool"]);
        programs.plan(&world, &[])
    });
}

//! A registry that keeps the signatures back: what comes without one is as good as unsigned.

use spec::ReasonCode;
use spec::defence::Threat;
use tests::Context;

use crate::harness::{Refusal, is_refused};
use crate::registry::{registry, world};
use crate::server::Answer;
use crate::world::World;

#[test]
fn an_extension_without_its_signatures_is_not_used() {
    let refusal =
        Refusal::by_judge(ReasonCode::SignatureMissing, "tool is not signed: there is no signature bundle");
    is_refused(Threat::B5, refusal, |programs| {
        let (world, manifest) = world();
        let (address, _) = registry(&world, &manifest, |request, honest| {
            if request.path.contains("sha256-") { Answer::status("404 Not Found") } else { honest }
        });
        let context = Context::new();
        let pulled = programs.pull(&context, address, ":1.0.0");
        assert_eq!(pulled.code, Some(0), "{pulled:#?}");

        let machine = World::new();
        std::fs::remove_dir_all(machine.store_dir()).unwrap();
        std::fs::rename(context.dir().join("out"), machine.store_dir()).unwrap();
        machine.want(&["tool"]);
        programs.plan(&machine, &[])
    });
}

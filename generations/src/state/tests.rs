use super::*;

const ONE: Generation = Generation::new(1);
const TWO: Generation = Generation::new(2);

fn fits(_: Generation) -> Fitness {
    Fitness::Fits
}

/// Generation 1 is current, 2 is staged.
fn staged() -> State {
    State::from_parts(ONE, Generation::BASE, None, "").unwrap().stage(TWO, TRIES)
}

/// What boots, one after the other, when nobody confirms anything.
fn boots(mut state: State, fitness: impl Fn(Generation) -> Fitness) -> Vec<(u64, Role)> {
    let mut chosen = Vec::new();
    for _ in 0..4 {
        let Boot { write, choice } = state.boot(&fitness);
        chosen.push((choice.generation.number(), choice.role));
        state = write.unwrap_or(state);
    }
    chosen
}

#[test]
fn two_failed_boots_of_a_trial_end_on_the_old_set() {
    use Role::{Current, Trial};
    assert_eq!(boots(staged(), fits), [(2, Trial), (2, Trial), (1, Current), (1, Current)]);
}

#[test]
fn tries_are_counted_before_anything_is_activated() {
    let Boot { write, choice } = staged().boot(fits);
    assert_eq!(choice.role, Role::Trial);
    assert_eq!(write.unwrap().trial().unwrap().tries_left, 1);
}

#[test]
fn a_trial_for_another_base_waits_and_costs_no_try() {
    let state = staged();
    let other = |generation| match generation == TWO {
        true => Fitness::OtherBase("it is for another".into()),
        false => Fitness::Fits,
    };
    let Boot { write, choice } = state.boot(other);
    assert_eq!((write, choice.generation, choice.role), (None, ONE, Role::Current));
    assert_eq!(choice.notes, ["generation 2 is not tried on this base: it is for another"]);
}

#[test]
fn a_trial_that_cannot_be_read_is_given_up() {
    let damaged = |generation| match generation == TWO {
        true => Fitness::Damaged("it is gone".into()),
        false => Fitness::Fits,
    };
    let Boot { write, choice } = staged().boot(damaged);
    assert_eq!(choice.generation, ONE);
    let written = write.unwrap();
    assert_eq!((written.trial(), written.why()), (None, "generation 2 was given up: it is gone"));
}

#[test]
fn what_cannot_run_gives_way_to_what_ran_before_and_then_to_the_base() {
    let state = staged().confirm(TWO).unwrap();
    let without_two = |generation| match generation == TWO {
        true => Fitness::Damaged("it is gone".into()),
        false => Fitness::Fits,
    };
    let choice = state.boot(without_two).choice;
    assert_eq!((choice.generation, choice.role), (ONE, Role::Previous));
    let Boot { write, choice } = state.boot(|_| Fitness::OtherBase("it is for another".into()));
    assert_eq!((write, choice.generation, choice.role), (None, Generation::BASE, Role::Fallback));
    assert_eq!(choice.notes.len(), 2, "{:?}", choice.notes);
}

#[test]
fn to_do_it_twice_is_to_do_it_once() {
    let confirmed = staged().confirm(TWO).unwrap();
    assert_eq!(confirmed.confirm(TWO).unwrap(), confirmed);
    let back = confirmed.rollback(TWO, "no").unwrap();
    assert_eq!((back.current(), back.previous()), (ONE, Generation::BASE));
    assert_eq!(back.rollback(TWO, "no").unwrap(), back);
    let dropped = staged().rollback(TWO, "no").unwrap();
    assert_eq!((dropped.current(), dropped.trial()), (ONE, None));
    assert_eq!(dropped.rollback(TWO, "no").unwrap(), dropped);
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert_eq!(staged().confirm(Generation::new(3)), Err(StateError::NotOnTrial(Generation::new(3))));
    assert_eq!(staged().rollback(Generation::BASE, "no"), Err(StateError::NothingBefore));
    let trial = |generation| Some(Trial { generation, tries_left: 1 });
    assert_eq!(State::from_parts(ONE, TWO, trial(ONE), ""), None);
    assert_eq!(State::from_parts(ONE, TWO, trial(Generation::BASE), ""), None);
    assert_eq!(State::from_parts(ONE, TWO, None, "two\nlines"), None);
}

#[test]
fn to_stage_what_is_current_takes_back_what_was_staged() {
    assert_eq!(staged().stage(ONE, TRIES).trial(), None);
}

#[test]
fn a_trial_that_a_rollback_makes_current_is_no_trial() {
    let state = State::from_parts(TWO, ONE, None, "").unwrap().stage(ONE, TRIES);
    let back = state.rollback(TWO, "no").unwrap();
    assert_eq!((back.current(), back.trial()), (ONE, None));
}

#[test]
fn reasons_are_one_line_of_bounded_length() {
    let back = staged().rollback(TWO, &"ä\n".repeat(WHY_MAX)).unwrap();
    assert!(back.why().len() <= WHY_MAX && !back.why().contains('\n'));
}

#[test]
fn lint() {
    for l in crate::signatures::RuleSet::lint(&["builtin".into()]) {
        println!("{l}");
    }
}

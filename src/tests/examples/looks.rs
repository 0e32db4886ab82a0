//! Looks at rounds.

#[test]
fn plan() {
    use crate::run::LookHorizon;
    use crate::verdict::look_plan::choose_look_plan;
    let spend_at_10 = |margin| {
        let plan = choose_look_plan(margin, 0.007, LookHorizon::Rounds20);
        plan.spend(8, 10).expect("a new look").alpha
    };
    assert!((spend_at_10(0.04) - 0.25).abs() < 1e-12, "within reach");
    assert!((spend_at_10(0.02) - 0.04).abs() < 1e-12, "out of reach");
}

#[test]
fn plan_next_look() {
    use crate::run::LookHorizon;
    use crate::verdict::look_plan::plan_without_history;
    let plan = plan_without_history(LookHorizon::Rounds20);
    assert_eq!(plan.find_next_look(5), Some(7));
    assert_eq!(plan.find_next_look(20), None);
    assert_eq!(plan_without_history(LookHorizon::Rounds40).find_next_look(20), Some(28));
}

#[test]
fn plan_spend() {
    use crate::run::LookHorizon;
    use crate::verdict::look_plan::plan_without_history;
    let plan = plan_without_history(LookHorizon::Rounds20);
    let share = plan.spend(5, 6).expect("a new round");
    assert!((share.alpha - 0.04375).abs() < 1e-12 && (share.pass_error - 0.05).abs() < 1e-12);
    assert_eq!(plan.spend(0, 2), None);
}

#[test]
fn benchmark_alpha() {
    use crate::verdict::look_plan::compute_benchmark_alpha;
    assert_eq!(compute_benchmark_alpha(50), 0.0008);
    assert_eq!(compute_benchmark_alpha(5), 0.005);
}

#[test]
fn form() {
    use crate::stats::test::t::TestForm;
    use crate::verdict::test_form::choose_test_form;
    assert_eq!(choose_test_form(10, None, None), TestForm::Welch);
    assert_eq!(choose_test_form(20, None, None), TestForm::Paired);
    assert_eq!(choose_test_form(3, Some(-0.3), None), TestForm::Paired);
    assert_eq!(choose_test_form(20, Some(0.1), Some(0.1)), TestForm::Welch);
    assert_eq!(choose_test_form(20, Some(0.1), Some(-0.3)), TestForm::Paired);
    assert_eq!(choose_test_form(9, None, Some(0.5)), TestForm::Welch);
    assert_eq!(choose_test_form(10, None, Some(0.5)), TestForm::Paired);
}

#[test]
fn partner_correlation() {
    use crate::verdict::test_form::compute_partner_correlation;
    let rising: Vec<f64> = (0..15).map(f64::from).collect();
    assert!(compute_partner_correlation(&rising, &rising).is_some_and(|r| (r - 1.0).abs() < 1e-12));
    assert_eq!(compute_partner_correlation(&rising[1..], &rising[1..]), None);
}

#[test]
fn correlation() {
    use crate::stats::summary::compute_correlation;
    assert!(
        compute_correlation(&[1.0, 2.0, 3.0], &[6.0, 4.0, 2.0])
            .is_some_and(|r| (r + 1.0).abs() < 1e-12)
    );
    assert_eq!(compute_correlation(&[1.0, 2.0], &[1.0, 1.0]), None);
}

#[test]
fn test() -> Result<(), crate::stats::StatsError> {
    use crate::stats::test::t::{TestForm, compute_t_test};
    let (baseline, candidate) = ([1.0, 2.0, 3.0], [1.1, 2.1, 3.1]);
    assert_eq!(compute_t_test(TestForm::Welch, &baseline, &candidate)?.degrees_of_freedom, 4.0);
    assert_eq!(compute_t_test(TestForm::Paired, &baseline, &candidate)?.degrees_of_freedom, 2.0);
    Ok(())
}

#[test]
fn p_over_looks() {
    use crate::stats::spending::combine_look_p_values;
    assert!((combine_look_p_values([(0.01, 0.1), (0.0003, 0.3)]) - 0.002).abs() < 1e-15);
}

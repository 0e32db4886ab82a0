//! Small examples of the statistics and the units, one per function.

mod render {
    #[test]
    fn plain() {
        assert_eq!(crate::render::escape_for_terminal("a\u{1b}[2J"), "a\\u{1b}[2J");
    }
}

mod bootstrap {
    #[test]
    fn percentile_interval() {
        use crate::stats::bootstrap::compute_percentile_interval;
        let ascending: Vec<f64> = (0..=100).map(f64::from).collect();
        let (low, high) = compute_percentile_interval(&ascending, 0.5).expect("not empty");
        assert_eq!((low, high), (25.0, 75.0));
    }

    #[test]
    fn ratio_distribution() {
        use crate::stats::bootstrap::resample_ratios;
        let mean = |x: &mut [f64]| x.iter().sum::<f64>() / x.len() as f64;
        let ratios = resample_ratios(&[1.0, 1.1], &[2.0, 2.2], 100, 7, mean);
        assert!(ratios[0] > 1.8 && ratios[99] < 2.3);
    }

    #[test]
    fn pooled_p_value() {
        use crate::stats::bootstrap::compute_pooled_p_value;
        let p = compute_pooled_p_value(&[1.0, 1.1, 0.9, 1.0], &[2.0, 2.1, 1.9, 2.0], 1000, 7);
        assert!(p.is_some_and(|p| p < 0.05));
    }
}

mod changes {
    #[test]
    fn change_points() -> Result<(), crate::stats::StatsError> {
        use crate::stats::change_points::{MIN_SHIFT, find_change_points};
        let nights = [100.0, 101.0, 100.5, 99.5, 100.2, 110.0, 111.0, 110.4, 109.8, 110.3];
        let found = find_change_points(&nights, MIN_SHIFT, 0.95)?;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].index, 5);
        assert!(found[0].interval.0 < 1.1 && 1.1 < found[0].interval.1);
        Ok(())
    }
}

mod components {
    #[test]
    fn components_of() -> Result<(), crate::stats::StatsError> {
        use crate::stats::components::VarianceComponents;
        let launches: [&[f64]; 2] = [&[1.0, 3.0], &[5.0, 7.0]];
        let parts = VarianceComponents::from_groups(&launches)?;
        assert_eq!(
            (parts.between_mean_square, parts.within_mean_square, parts.group_variance()),
            (16.0, 2.0, 7.0)
        );
        Ok(())
    }

    #[test]
    fn components_optimal_group_size() -> Result<(), crate::stats::StatsError> {
        use crate::stats::components::VarianceComponents;
        let launches: [&[f64]; 2] = [&[1.0, 3.0], &[5.0, 7.0]];
        assert_eq!(
            VarianceComponents::from_groups(&launches)?.compute_optimal_group_size(14.0),
            2.0
        );
        Ok(())
    }
}

mod fisher {
    #[test]
    fn upper_tail() {
        use crate::stats::distribution::f::f_upper_tail;
        assert!((f_upper_tail(3.326, 5.0, 10.0) - 0.05).abs() < 1e-4);
    }

    #[test]
    fn median() {
        use crate::stats::distribution::f::f_median;
        assert!((f_median(4.0, 15.0) - 0.878_304_944).abs() < 1e-9);
    }

    #[test]
    fn upper_quantile() {
        use crate::stats::distribution::f::f_upper_quantile;
        assert!((f_upper_quantile(0.05, 5.0, 10.0) - 3.325_834_530_4).abs() < 1e-9);
    }
}

mod multiplicity {
    #[test]
    fn benjamini_hochberg() {
        use crate::stats::multiplicity::adjust_benjamini_hochberg;
        assert_eq!(adjust_benjamini_hochberg(&[0.01, 0.5, 0.02]), [0.03, 0.5, 0.03]);
    }

    #[test]
    fn holm() {
        use crate::stats::multiplicity::adjust_holm;
        assert_eq!(adjust_holm(&[0.01, 0.5, 0.02]), [0.03, 0.5, 0.04]);
    }
}

mod normal {
    #[test]
    fn upper_tail() {
        use crate::stats::distribution::normal::normal_upper_tail;
        assert!((normal_upper_tail(1.96) - 0.025).abs() < 1e-5);
    }

    #[test]
    fn upper_quantile() {
        use crate::stats::distribution::normal::normal_upper_quantile;
        assert!((normal_upper_quantile(0.025) - 1.96).abs() < 1e-4);
    }
}

mod order {
    #[test]
    fn upper_bound() {
        use crate::stats::order_statistics::compute_quantile_upper_bound;
        let sorted: Vec<f64> = (1..=59).map(f64::from).collect();
        assert_eq!(compute_quantile_upper_bound(&sorted, 0.95, 0.95), Some(59.0));
        assert_eq!(compute_quantile_upper_bound(&sorted[..58], 0.95, 0.95), None);
    }

    #[test]
    fn lower_bound() {
        use crate::stats::order_statistics::compute_quantile_lower_bound;
        let sorted: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(compute_quantile_lower_bound(&sorted, 0.95, 0.95), Some(91.0));
    }

    #[test]
    fn upper_order() {
        use crate::stats::order_statistics::find_upper_order;
        assert_eq!(find_upper_order(0.99, 500, 0.05), Some(499));
    }

    #[test]
    fn lower_order() {
        use crate::stats::order_statistics::find_lower_order;
        assert_eq!(find_lower_order(0.95, 1000, 0.025), Some(936));
    }

    #[test]
    fn least_count() {
        use crate::stats::order_statistics::find_min_sample_count;
        assert_eq!(find_min_sample_count(0.95, 0.95), 59);
        assert_eq!(find_min_sample_count(0.99, 0.95), 299);
    }

    #[test]
    fn count_to_decide() {
        use crate::stats::order_statistics::find_sample_count_to_decide;
        // One of 100 calls is over the limit. The data already decide p95; they cannot decide p99.
        assert_eq!(find_sample_count_to_decide(0.95, 1, 100, 0.95), Some(100));
        assert_eq!(find_sample_count_to_decide(0.99, 1, 100, 0.95), None);
    }
}

mod power {
    #[test]
    fn minimum_detectable() {
        use crate::stats::power::find_minimum_detectable_effect;
        let known = find_minimum_detectable_effect(0.01, f64::INFINITY, 0.025, 0.8);
        assert!((known - 0.028_016).abs() < 1e-6);
        assert!(find_minimum_detectable_effect(0.01, 4.0, 0.025, 0.8) > known);
    }

    #[test]
    fn detectable_after() {
        use crate::stats::{power::find_detectable_effect_after, test::t::TestForm};
        let at = |rounds| find_detectable_effect_after(rounds, TestForm::Welch, 0.015, 15.0, 0.001);
        assert!(at(20) < at(10) && at(10) < at(5));
    }
}

mod proportion {
    #[test]
    fn clopper_pearson() {
        use crate::stats::proportion::compute_clopper_pearson;
        // R 4.5: binom.test(3, 100)$conf.int
        let (low, high) = compute_clopper_pearson(3, 100, 0.95);
        assert!((low - 0.006_229_972).abs() < 1e-8 && (high - 0.085_176_05).abs() < 1e-8);
        assert_eq!(compute_clopper_pearson(0, 0, 0.95), (0.0, 1.0));
    }
}

mod quantile {
    #[test]
    fn type7() {
        use crate::stats::quantile::compute_quantile;
        assert_eq!(compute_quantile(&[1.0, 2.0, 3.0, 5.0], 0.5), Some(2.5));
    }
}

mod random_effects {
    #[test]
    fn level_of() -> Result<(), crate::stats::StatsError> {
        use crate::stats::random_effects::BaselineLevel;
        let level = BaselineLevel::estimate(&[&[1.00, 1.02], &[1.03, 1.01], &[0.98, 1.00]])?;
        assert!((level.mean - 1.00667).abs() < 1e-5 && level.degrees_of_freedom == 2.0);
        Ok(())
    }

    #[test]
    fn level_with_known_deviation() -> Result<(), crate::stats::StatsError> {
        use crate::stats::random_effects::BaselineLevel;
        let level = BaselineLevel::with_known_deviation(&[&[1.00, 1.02]], 0.02)?;
        assert_eq!(level.degrees_of_freedom, f64::INFINITY);
        Ok(())
    }

    #[test]
    fn level_compare() -> Result<(), crate::stats::StatsError> {
        use crate::stats::random_effects::BaselineLevel;
        let level = BaselineLevel::estimate(&[&[1.00, 1.02], &[1.03, 1.01], &[0.98, 1.00]])?;
        let test = level.compare(&[1.20, 1.22])?;
        assert!(test.p_greater(0.0) < 0.01 && test.degrees_of_freedom > 2.0);
        Ok(())
    }
}

mod rank {
    #[test]
    fn mann_whitney_of() {
        use crate::stats::test::rank::MannWhitney;
        let test = MannWhitney::compute(&[1.0, 2.0, 3.0], &[2.5, 4.0, 5.0]).expect("two sides");
        assert_eq!(test.u, 8.0);
        assert_eq!(test.p_exact_two_sided(), Some(0.2));
    }

    #[test]
    fn mann_whitney_p_asymptotic_two_sided() {
        use crate::stats::test::rank::MannWhitney;
        let test = MannWhitney::compute(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]).expect("two sides");
        assert_eq!(test.p_asymptotic_two_sided(0.5), 1.0);
    }
}

mod looks {
    #[test]
    fn plan() {
        use crate::verdict::look_plan::{OUT_OF_REACH_PLAN, WITHIN_REACH_PLAN, choose_look_plan};
        assert_eq!(choose_look_plan(0.04, 0.007), WITHIN_REACH_PLAN);
        assert_eq!(choose_look_plan(0.02, 0.007), OUT_OF_REACH_PLAN);
    }

    #[test]
    fn plan_next_look() {
        use crate::verdict::look_plan::{WITHIN_REACH_PLAN, WITHOUT_HISTORY_PLAN};
        assert_eq!(WITHIN_REACH_PLAN.find_next_look(0), Some(3));
        assert_eq!(WITHOUT_HISTORY_PLAN.find_next_look(5), Some(7));
        assert_eq!(WITHIN_REACH_PLAN.find_next_look(20), None);
    }

    #[test]
    fn plan_spend() {
        use crate::verdict::look_plan::WITHOUT_HISTORY_PLAN;
        let share = WITHOUT_HISTORY_PLAN.spend(5, 6).expect("a new round");
        assert!((share.alpha - 0.04375).abs() < 1e-12 && (share.pass_error - 0.05).abs() < 1e-12);
        assert_eq!(WITHOUT_HISTORY_PLAN.spend(0, 2), None);
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
        assert!(
            compute_partner_correlation(&rising, &rising).is_some_and(|r| (r - 1.0).abs() < 1e-12)
        );
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
        assert_eq!(
            compute_t_test(TestForm::Paired, &baseline, &candidate)?.degrees_of_freedom,
            2.0
        );
        Ok(())
    }

    #[test]
    fn p_over_looks() {
        use crate::stats::spending::{ErrorShare, combine_look_p_values};
        let looks = [
            (0.01, ErrorShare { alpha: 0.1, pass_error: 0.1 }),
            (0.0003, ErrorShare { alpha: 0.3, pass_error: 0.3 }),
        ];
        assert!((combine_look_p_values(looks) - 0.002).abs() < 1e-15);
    }
}

mod shrinkage {
    #[test]
    fn prior_new() {
        use crate::stats::shrinkage::VariancePrior;
        assert!(
            VariancePrior::new(4e-4, 38.0).is_some() && VariancePrior::new(0.0, 38.0).is_none()
        );
    }

    #[test]
    fn prior_of_two_means() {
        use crate::stats::shrinkage::VariancePrior;
        let prior = VariancePrior::new(0.02, 38.0).expect("positive");
        assert_eq!(prior.compute_error_of_two_means(4, 4).value, 0.1);
        assert_eq!(prior.compute_error_of_two_means(4, 4).degrees_of_freedom, 30.0);
    }

    #[test]
    fn prior_of_differences() {
        use crate::stats::shrinkage::VariancePrior;
        let prior = VariancePrior::new(0.04, 9.0).expect("positive");
        assert_eq!(prior.compute_error_of_differences(4).value, 0.1);
    }

    #[test]
    fn shrink() {
        use crate::stats::{
            shrinkage::shrink,
            test::t::{StandardError, TTest},
        };
        let test = TTest { difference: 0.1, standard_error: 0.0, degrees_of_freedom: 5.0 };
        let shrunk = shrink(test, StandardError { value: 0.2, degrees_of_freedom: 15.0 });
        assert_eq!(shrunk.degrees_of_freedom, 20.0);
        assert!((shrunk.standard_error - 0.2 * 0.75_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn guard() {
        use crate::stats::{shrinkage::select_usable_priors, test::t::StandardError};
        let prior = StandardError { value: 0.01, degrees_of_freedom: 15.0 };
        let as_before = StandardError { value: 0.011, degrees_of_freedom: 4.0 };
        let noisy = StandardError { value: 0.03, degrees_of_freedom: 4.0 };
        assert_eq!(
            select_usable_priors(&[(as_before, prior), (noisy, prior)]),
            [Some(prior), None]
        );
    }
}

mod student {
    #[test]
    fn upper_tail() {
        use crate::stats::distribution::t::t_upper_tail;
        assert!((t_upper_tail(2.5706, 5.0) - 0.025).abs() < 1e-6);
    }

    #[test]
    fn upper_quantile() {
        use crate::stats::distribution::t::t_upper_quantile;
        assert!((t_upper_quantile(0.025, 5.0) - 2.570_581_835_6).abs() < 1e-9);
    }
}

mod summary {
    #[test]
    fn summary_of() -> Result<(), crate::stats::StatsError> {
        use crate::stats::summary::Moments;
        let summary = Moments::from_values(&[1e15 + 1.0, 1e15 + 2.0, 1e15 + 3.0])?;
        assert_eq!((summary.mean(), summary.variance()), (1e15 + 2.0, 1.0));
        Ok(())
    }

    #[test]
    fn log_ratios() -> Result<(), crate::stats::StatsError> {
        use crate::stats::summary::compute_log_ratios;
        assert_eq!(compute_log_ratios(&[2.0, 1.0], 1.0)?, [2_f64.ln(), 0.0]);
        Ok(())
    }

    #[test]
    fn median_in_place() {
        use crate::stats::summary::compute_median_in_place;
        assert_eq!(compute_median_in_place(&mut [3.0, 1.0, 2.0, 4.0]), Some(2.5));
    }

    #[test]
    fn autocorrelation() {
        use crate::stats::summary::compute_autocorrelation;
        assert_eq!(compute_autocorrelation(&[1.0, -1.0, 1.0, -1.0], 1), Some(-0.75));
    }
}

mod welch {
    #[test]
    fn t_test_t() {
        use crate::stats::test::t::TTest;
        let test = TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert_eq!(test.t_statistic(0.0), 3.0);
    }

    #[test]
    fn t_test_p_two_sided() {
        use crate::stats::test::t::TTest;
        let test = TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert!((test.p_two_sided(0.0) - 0.017).abs() < 1e-3);
    }

    #[test]
    fn t_test_p_greater() {
        use crate::stats::test::t::TTest;
        let test = TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert!((test.p_greater(0.0) - 0.0085).abs() < 1e-3);
    }

    #[test]
    fn t_test_p_less() {
        use crate::stats::test::t::TTest;
        let test = TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert!((test.p_less(0.1) - 0.04).abs() < 1e-2);
    }

    #[test]
    fn t_test_lower() {
        use crate::stats::test::t::TTest;
        let test = TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert!(test.lower_bound(0.01) > 0.0 && test.lower_bound(0.001) < 0.0);
    }

    #[test]
    fn t_test_upper() {
        use crate::stats::test::t::TTest;
        let test = TTest { difference: 0.0, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert_eq!(test.upper_bound(0.05), -test.lower_bound(0.05));
    }

    #[test]
    fn t_test_interval() {
        use crate::stats::test::t::TTest;
        let test =
            TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: f64::INFINITY };
        let (low, high) = test.confidence_interval(0.95);
        assert!((low - 0.0208).abs() < 1e-4 && (high - 0.0992).abs() < 1e-4);
    }

    #[test]
    fn welch() -> Result<(), crate::stats::StatsError> {
        use crate::stats::test::t::compute_welch_test;
        let test = compute_welch_test(&[5.0, 5.1, 4.9, 5.0], &[5.5, 5.6, 5.4, 5.5])?;
        assert!((test.difference - 0.5).abs() < 1e-12 && test.p_two_sided(0.0) < 1e-3);
        assert!(compute_welch_test(&[7.0], &[8.0, 9.0]).is_err());
        Ok(())
    }

    #[test]
    fn welch_of_summaries() -> Result<(), crate::stats::StatsError> {
        use crate::stats::{summary::Moments, test::t::compute_welch_test_from_moments};
        let baseline = Moments::from_values(&[0.9, 0.95, 1.0, 1.05, 1.1])?;
        let candidate = Moments::from_values(&[1.1, 1.15, 1.2, 1.25, 1.3])?;
        let test = compute_welch_test_from_moments(&baseline, &candidate)?;
        assert!((test.degrees_of_freedom - 8.0).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn with_errors() {
        use crate::stats::test::t::{StandardError, combine_standard_errors};
        let side = StandardError { value: 3.0, degrees_of_freedom: 4.0 };
        let test = combine_standard_errors(1.0, side, StandardError { value: 4.0, ..side });
        assert_eq!(test.standard_error, 5.0);
    }

    #[test]
    fn satterthwaite() {
        use crate::stats::test::t::{StandardError, combine_degrees_of_freedom};
        let side = StandardError { value: 1.0, degrees_of_freedom: 4.0 };
        assert_eq!(combine_degrees_of_freedom(side, side), 8.0);
    }

    #[test]
    fn paired() -> Result<(), crate::stats::StatsError> {
        use crate::stats::test::t::compute_paired_test;
        let test = compute_paired_test(&[1.0, 2.0, 3.0], &[1.5, 2.7, 3.6])?;
        assert!((test.difference - 0.6).abs() < 1e-12 && test.degrees_of_freedom == 2.0);
        Ok(())
    }

    #[test]
    fn of_differences() -> Result<(), crate::stats::StatsError> {
        use crate::stats::test::t::compute_one_sample_test;
        assert_eq!(compute_one_sample_test(&[0.1, 0.2, 0.3])?.degrees_of_freedom, 2.0);
        Ok(())
    }
}

mod units {
    #[test]
    fn nanos() {
        use crate::units::Nanos;
        assert_eq!("1.5us".parse::<Nanos>().unwrap().get(), 1500.0);
        assert!(Nanos::new(f64::NAN).is_err());
    }

    #[test]
    fn ratio() {
        use crate::units::Ratio;
        assert_eq!(Ratio::new(1.25).unwrap().get(), 1.25);
        assert!(Ratio::new(0.0).is_err());
    }

    #[test]
    fn share() {
        use crate::units::Percent;
        assert_eq!("3%".parse::<Percent>().unwrap().get(), 0.03);
        assert!("3".parse::<Percent>().is_err());
    }

    #[test]
    fn quantile() {
        use crate::units::Quantile;
        assert!(Quantile::new(0.95).is_ok());
        assert!(Quantile::new(1.0).is_err());
    }

    #[test]
    fn confidence() {
        use crate::units::Confidence;
        assert_eq!("0.95".parse::<Confidence>().unwrap().get(), 0.95);
        assert!("95".parse::<Confidence>().is_err());
    }
}

//! Small examples of the statistics and the units, one for each function.

mod render {
    #[test]
    fn plain() {
        assert_eq!(crate::render::plain("a\u{1b}[2J"), "a\\u{1b}[2J");
    }
}

mod bootstrap {
    #[test]
    fn percentile_interval() {
        use crate::stats::bootstrap::percentile_interval;
        let ascending: Vec<f64> = (0..=100).map(f64::from).collect();
        let (low, high) = percentile_interval(&ascending, 0.5).expect("not empty");
        assert_eq!((low, high), (25.0, 75.0));
    }

    #[test]
    fn ratio_distribution() {
        use crate::stats::bootstrap::ratio_distribution;
        let mean = |x: &mut [f64]| x.iter().sum::<f64>() / x.len() as f64;
        let ratios = ratio_distribution(&[1.0, 1.1], &[2.0, 2.2], 100, 7, mean);
        assert!(ratios[0] > 1.8 && ratios[99] < 2.3);
    }

    #[test]
    fn pooled_p_value() {
        use crate::stats::bootstrap::pooled_p_value;
        let p = pooled_p_value(&[1.0, 1.1, 0.9, 1.0], &[2.0, 2.1, 1.9, 2.0], 1000, 7);
        assert!(p.is_some_and(|p| p < 0.05));
    }
}

mod changes {
    #[test]
    fn change_points() -> Result<(), crate::stats::Undefined> {
        use crate::stats::changes::{LEAST_SHIFT, change_points};
        let nights = [100.0, 101.0, 100.5, 99.5, 100.2, 110.0, 111.0, 110.4, 109.8, 110.3];
        let found = change_points(&nights, LEAST_SHIFT, 0.95)?;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].index, 5);
        assert!(found[0].interval.0 < 1.1 && 1.1 < found[0].interval.1);
        Ok(())
    }
}

mod components {
    #[test]
    fn components_of() -> Result<(), crate::stats::Undefined> {
        use crate::stats::components::Components;
        let launches: [&[f64]; 2] = [&[1.0, 3.0], &[5.0, 7.0]];
        let parts = Components::of(&launches)?;
        assert_eq!((parts.between, parts.within, parts.group_variance()), (16.0, 2.0, 7.0));
        Ok(())
    }

    #[test]
    fn components_optimal_group_size() -> Result<(), crate::stats::Undefined> {
        use crate::stats::components::Components;
        let launches: [&[f64]; 2] = [&[1.0, 3.0], &[5.0, 7.0]];
        assert_eq!(Components::of(&launches)?.optimal_group_size(14.0), 2.0);
        Ok(())
    }
}

mod fisher {
    #[test]
    fn upper_tail() {
        use crate::stats::fisher::upper_tail;
        assert!((upper_tail(3.326, 5.0, 10.0) - 0.05).abs() < 1e-4);
    }

    #[test]
    fn median() {
        use crate::stats::fisher::median;
        assert!((median(4.0, 15.0) - 0.878_304_944).abs() < 1e-9);
    }

    #[test]
    fn upper_quantile() {
        use crate::stats::fisher::upper_quantile;
        assert!((upper_quantile(0.05, 5.0, 10.0) - 3.325_834_530_4).abs() < 1e-9);
    }
}

mod multiplicity {
    #[test]
    fn benjamini_hochberg() {
        use crate::stats::multiplicity::benjamini_hochberg;
        assert_eq!(benjamini_hochberg(&[0.01, 0.5, 0.02]), [0.03, 0.5, 0.03]);
    }

    #[test]
    fn holm() {
        use crate::stats::multiplicity::holm;
        assert_eq!(holm(&[0.01, 0.5, 0.02]), [0.03, 0.5, 0.04]);
    }
}

mod normal {
    #[test]
    fn upper_tail() {
        use crate::stats::normal::upper_tail;
        assert!((upper_tail(1.96) - 0.025).abs() < 1e-5);
    }

    #[test]
    fn upper_quantile() {
        use crate::stats::normal::upper_quantile;
        assert!((upper_quantile(0.025) - 1.96).abs() < 1e-4);
    }
}

mod order {
    #[test]
    fn upper_bound() {
        use crate::stats::order::upper_bound;
        let sorted: Vec<f64> = (1..=59).map(f64::from).collect();
        assert_eq!(upper_bound(&sorted, 0.95, 0.95), Some(59.0));
        assert_eq!(upper_bound(&sorted[..58], 0.95, 0.95), None);
    }

    #[test]
    fn lower_bound() {
        use crate::stats::order::lower_bound;
        let sorted: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(lower_bound(&sorted, 0.95, 0.95), Some(91.0));
    }

    #[test]
    fn upper_order() {
        use crate::stats::order::upper_order;
        assert_eq!(upper_order(0.99, 500, 0.05), Some(499));
    }

    #[test]
    fn lower_order() {
        use crate::stats::order::lower_order;
        assert_eq!(lower_order(0.95, 1000, 0.025), Some(936));
    }

    #[test]
    fn least_count() {
        use crate::stats::order::least_count;
        assert_eq!(least_count(0.95, 0.95), 59);
        assert_eq!(least_count(0.99, 0.95), 299);
    }

    #[test]
    fn count_to_decide() {
        use crate::stats::order::count_to_decide;
        // One call of a hundred is over the limit: p95 is met as it is, p99 cannot be told.
        assert_eq!(count_to_decide(0.95, 1, 100, 0.95), Some(100));
        assert_eq!(count_to_decide(0.99, 1, 100, 0.95), None);
    }
}

mod power {
    #[test]
    fn minimum_detectable() {
        use crate::stats::power::minimum_detectable;
        let known = minimum_detectable(0.01, f64::INFINITY, 0.025, 0.8);
        assert!((known - 0.028_016).abs() < 1e-6);
        assert!(minimum_detectable(0.01, 4.0, 0.025, 0.8) > known);
    }

    #[test]
    fn detectable_after() {
        use crate::stats::{power::detectable_after, sequential::Form};
        let at = |rounds| detectable_after(rounds, Form::Welch, 0.015, 15.0, 0.001);
        assert!(at(20) < at(10) && at(10) < at(5));
    }
}

mod proportion {
    #[test]
    fn clopper_pearson() {
        use crate::stats::proportion::clopper_pearson;
        // R 4.5: binom.test(3, 100)$conf.int
        let (low, high) = clopper_pearson(3, 100, 0.95);
        assert!((low - 0.006_229_972).abs() < 1e-8 && (high - 0.085_176_05).abs() < 1e-8);
        assert_eq!(clopper_pearson(0, 0, 0.95), (0.0, 1.0));
    }
}

mod quantile {
    #[test]
    fn type7() {
        use crate::stats::quantile::type7;
        assert_eq!(type7(&[1.0, 2.0, 3.0, 5.0], 0.5), Some(2.5));
    }
}

mod random_effects {
    #[test]
    fn level_of() -> Result<(), crate::stats::Undefined> {
        use crate::stats::random_effects::Level;
        let level = Level::of(&[&[1.00, 1.02], &[1.03, 1.01], &[0.98, 1.00]])?;
        assert!((level.mean - 1.00667).abs() < 1e-5 && level.degrees_of_freedom == 2.0);
        Ok(())
    }

    #[test]
    fn level_with_known_deviation() -> Result<(), crate::stats::Undefined> {
        use crate::stats::random_effects::Level;
        let level = Level::with_known_deviation(&[&[1.00, 1.02]], 0.02)?;
        assert_eq!(level.degrees_of_freedom, f64::INFINITY);
        Ok(())
    }

    #[test]
    fn level_compare() -> Result<(), crate::stats::Undefined> {
        use crate::stats::random_effects::Level;
        let level = Level::of(&[&[1.00, 1.02], &[1.03, 1.01], &[0.98, 1.00]])?;
        let test = level.compare(&[1.20, 1.22])?;
        assert!(test.p_greater(0.0) < 0.01 && test.degrees_of_freedom > 2.0);
        Ok(())
    }
}

mod rank {
    #[test]
    fn mann_whitney_of() {
        use crate::stats::rank::MannWhitney;
        let test = MannWhitney::of(&[1.0, 2.0, 3.0], &[2.5, 4.0, 5.0]).expect("two sides");
        assert_eq!(test.u, 8.0);
        assert_eq!(test.p_exact_two_sided(), Some(0.2));
    }

    #[test]
    fn mann_whitney_p_asymptotic_two_sided() {
        use crate::stats::rank::MannWhitney;
        let test = MannWhitney::of(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]).expect("two sides");
        assert_eq!(test.p_asymptotic_two_sided(0.5), 1.0);
    }
}

mod sequential {
    #[test]
    fn plan() {
        use crate::stats::sequential::{OUT_OF_REACH, WITHIN_REACH, plan};
        assert_eq!(plan(0.04, 0.007), WITHIN_REACH);
        assert_eq!(plan(0.02, 0.007), OUT_OF_REACH);
    }

    #[test]
    fn plan_next_look() {
        use crate::stats::sequential::{WITHIN_REACH, WITHOUT_HISTORY};
        assert_eq!(WITHIN_REACH.next_look(0), Some(3));
        assert_eq!(WITHOUT_HISTORY.next_look(5), Some(7));
        assert_eq!(WITHIN_REACH.next_look(20), None);
    }

    #[test]
    fn plan_spend() {
        use crate::stats::sequential::WITHOUT_HISTORY;
        let share = WITHOUT_HISTORY.spend(5, 6).expect("a new round");
        assert!((share.alpha - 0.04375).abs() < 1e-12 && (share.pass - 0.05).abs() < 1e-12);
        assert_eq!(WITHOUT_HISTORY.spend(0, 2), None);
    }

    #[test]
    fn benchmark_alpha() {
        use crate::stats::sequential::benchmark_alpha;
        assert_eq!(benchmark_alpha(50), 0.0008);
        assert_eq!(benchmark_alpha(5), 0.005);
    }

    #[test]
    fn form() {
        use crate::stats::sequential::{Form, form};
        assert_eq!(form(10, None, None), Form::Welch);
        assert_eq!(form(20, None, None), Form::Paired);
        assert_eq!(form(3, Some(-0.3), None), Form::Paired);
        assert_eq!(form(20, Some(0.1), Some(0.1)), Form::Welch);
        assert_eq!(form(20, Some(0.1), Some(-0.3)), Form::Paired);
        assert_eq!(form(9, None, Some(0.5)), Form::Welch);
        assert_eq!(form(10, None, Some(0.5)), Form::Paired);
    }

    #[test]
    fn partner_correlation() {
        use crate::stats::sequential::partner_correlation;
        let rising: Vec<f64> = (0..15).map(f64::from).collect();
        assert!(partner_correlation(&rising, &rising).is_some_and(|r| (r - 1.0).abs() < 1e-12));
        assert_eq!(partner_correlation(&rising[1..], &rising[1..]), None);
    }

    #[test]
    fn correlation() {
        use crate::stats::sequential::correlation;
        assert!(
            correlation(&[1.0, 2.0, 3.0], &[6.0, 4.0, 2.0])
                .is_some_and(|r| (r + 1.0).abs() < 1e-12)
        );
        assert_eq!(correlation(&[1.0, 2.0], &[1.0, 1.0]), None);
    }

    #[test]
    fn test() -> Result<(), crate::stats::Undefined> {
        use crate::stats::sequential::{Form, test};
        let (baseline, candidate) = ([1.0, 2.0, 3.0], [1.1, 2.1, 3.1]);
        assert_eq!(test(Form::Welch, &baseline, &candidate)?.degrees_of_freedom, 4.0);
        assert_eq!(test(Form::Paired, &baseline, &candidate)?.degrees_of_freedom, 2.0);
        Ok(())
    }

    #[test]
    fn p_over_looks() {
        use crate::stats::sequential::{Share, p_over_looks};
        let looks =
            [(0.01, Share { alpha: 0.1, pass: 0.1 }), (0.0003, Share { alpha: 0.3, pass: 0.3 })];
        assert!((p_over_looks(looks) - 0.002).abs() < 1e-15);
    }
}

mod shrinkage {
    #[test]
    fn prior_new() {
        use crate::stats::shrinkage::Prior;
        assert!(Prior::new(4e-4, 38.0).is_some() && Prior::new(0.0, 38.0).is_none());
    }

    #[test]
    fn prior_of_two_means() {
        use crate::stats::shrinkage::Prior;
        let prior = Prior::new(0.02, 38.0).expect("positive");
        assert_eq!(prior.of_two_means(4, 4).value, 0.1);
        assert_eq!(prior.of_two_means(4, 4).degrees_of_freedom, 30.0);
    }

    #[test]
    fn prior_of_differences() {
        use crate::stats::shrinkage::Prior;
        let prior = Prior::new(0.04, 9.0).expect("positive");
        assert_eq!(prior.of_differences(4).value, 0.1);
    }

    #[test]
    fn shrink() {
        use crate::stats::{
            shrinkage::shrink,
            welch::{StandardError, TTest},
        };
        let test = TTest { difference: 0.1, standard_error: 0.0, degrees_of_freedom: 5.0 };
        let shrunk = shrink(test, StandardError { value: 0.2, degrees_of_freedom: 15.0 });
        assert_eq!(shrunk.degrees_of_freedom, 20.0);
        assert!((shrunk.standard_error - 0.2 * 0.75_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn guard() {
        use crate::stats::{shrinkage::guard, welch::StandardError};
        let prior = StandardError { value: 0.01, degrees_of_freedom: 15.0 };
        let as_before = StandardError { value: 0.011, degrees_of_freedom: 4.0 };
        let noisy = StandardError { value: 0.03, degrees_of_freedom: 4.0 };
        assert_eq!(guard(&[(as_before, prior), (noisy, prior)]), [Some(prior), None]);
    }
}

mod student {
    #[test]
    fn upper_tail() {
        use crate::stats::student::upper_tail;
        assert!((upper_tail(2.5706, 5.0) - 0.025).abs() < 1e-6);
    }

    #[test]
    fn upper_quantile() {
        use crate::stats::student::upper_quantile;
        assert!((upper_quantile(0.025, 5.0) - 2.570_581_835_6).abs() < 1e-9);
    }
}

mod summary {
    #[test]
    fn summary_of() -> Result<(), crate::stats::Undefined> {
        use crate::stats::summary::Summary;
        let summary = Summary::of(&[1e15 + 1.0, 1e15 + 2.0, 1e15 + 3.0])?;
        assert_eq!((summary.mean(), summary.variance()), (1e15 + 2.0, 1.0));
        Ok(())
    }

    #[test]
    fn log_ratios() -> Result<(), crate::stats::Undefined> {
        use crate::stats::summary::log_ratios;
        assert_eq!(log_ratios(&[2.0, 1.0], 1.0)?, [2_f64.ln(), 0.0]);
        Ok(())
    }

    #[test]
    fn median_in_place() {
        use crate::stats::summary::median_in_place;
        assert_eq!(median_in_place(&mut [3.0, 1.0, 2.0, 4.0]), Some(2.5));
    }

    #[test]
    fn autocorrelation() {
        use crate::stats::summary::autocorrelation;
        assert_eq!(autocorrelation(&[1.0, -1.0, 1.0, -1.0], 1), Some(-0.75));
    }
}

mod welch {
    #[test]
    fn t_test_t() {
        use crate::stats::welch::TTest;
        let test = TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert_eq!(test.t(0.0), 3.0);
    }

    #[test]
    fn t_test_p_two_sided() {
        use crate::stats::welch::TTest;
        let test = TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert!((test.p_two_sided(0.0) - 0.017).abs() < 1e-3);
    }

    #[test]
    fn t_test_p_greater() {
        use crate::stats::welch::TTest;
        let test = TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert!((test.p_greater(0.0) - 0.0085).abs() < 1e-3);
    }

    #[test]
    fn t_test_p_less() {
        use crate::stats::welch::TTest;
        let test = TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert!((test.p_less(0.1) - 0.04).abs() < 1e-2);
    }

    #[test]
    fn t_test_lower() {
        use crate::stats::welch::TTest;
        let test = TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert!(test.lower(0.01) > 0.0 && test.lower(0.001) < 0.0);
    }

    #[test]
    fn t_test_upper() {
        use crate::stats::welch::TTest;
        let test = TTest { difference: 0.0, standard_error: 0.02, degrees_of_freedom: 8.0 };
        assert_eq!(test.upper(0.05), -test.lower(0.05));
    }

    #[test]
    fn t_test_interval() {
        use crate::stats::welch::TTest;
        let test =
            TTest { difference: 0.06, standard_error: 0.02, degrees_of_freedom: f64::INFINITY };
        let (low, high) = test.interval(0.95);
        assert!((low - 0.0208).abs() < 1e-4 && (high - 0.0992).abs() < 1e-4);
    }

    #[test]
    fn welch() -> Result<(), crate::stats::Undefined> {
        use crate::stats::welch::welch;
        let test = welch(&[5.0, 5.1, 4.9, 5.0], &[5.5, 5.6, 5.4, 5.5])?;
        assert!((test.difference - 0.5).abs() < 1e-12 && test.p_two_sided(0.0) < 1e-3);
        assert!(welch(&[7.0], &[8.0, 9.0]).is_err());
        Ok(())
    }

    #[test]
    fn welch_of_summaries() -> Result<(), crate::stats::Undefined> {
        use crate::stats::{summary::Summary, welch::welch_of_summaries};
        let baseline = Summary::of(&[0.9, 0.95, 1.0, 1.05, 1.1])?;
        let candidate = Summary::of(&[1.1, 1.15, 1.2, 1.25, 1.3])?;
        let test = welch_of_summaries(&baseline, &candidate)?;
        assert!((test.degrees_of_freedom - 8.0).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn with_errors() {
        use crate::stats::welch::{StandardError, with_errors};
        let side = StandardError { value: 3.0, degrees_of_freedom: 4.0 };
        let test = with_errors(1.0, side, StandardError { value: 4.0, ..side });
        assert_eq!(test.standard_error, 5.0);
    }

    #[test]
    fn satterthwaite() {
        use crate::stats::welch::{StandardError, satterthwaite};
        let side = StandardError { value: 1.0, degrees_of_freedom: 4.0 };
        assert_eq!(satterthwaite(side, side), 8.0);
    }

    #[test]
    fn paired() -> Result<(), crate::stats::Undefined> {
        use crate::stats::welch::paired;
        let test = paired(&[1.0, 2.0, 3.0], &[1.5, 2.7, 3.6])?;
        assert!((test.difference - 0.6).abs() < 1e-12 && test.degrees_of_freedom == 2.0);
        Ok(())
    }

    #[test]
    fn of_differences() -> Result<(), crate::stats::Undefined> {
        use crate::stats::welch::of_differences;
        assert_eq!(of_differences(&[0.1, 0.2, 0.3])?.degrees_of_freedom, 2.0);
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
        use crate::units::Share;
        assert_eq!("3%".parse::<Share>().unwrap().get(), 0.03);
        assert!("3".parse::<Share>().is_err());
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

//! Tests of two sides, and what corrects them.

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

//! Estimates from one sample or several, and their intervals.

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

mod quantile {
    #[test]
    fn type7() {
        use crate::stats::quantile::compute_quantile;
        assert_eq!(compute_quantile(&[1.0, 2.0, 3.0, 5.0], 0.5), Some(2.5));
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

mod changes {
    #[test]
    fn change_points() -> Result<(), crate::stats::StatsError> {
        use crate::stats::change_points::MIN_SHIFT;
        use crate::stats::drift::find_trend_changes;
        let nights = [100.0, 101.0, 100.5, 99.5, 100.2, 110.0, 111.0, 110.4, 109.8, 110.3];
        let found = find_trend_changes(&nights, MIN_SHIFT, 0.95)?.steps;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].index, 5);
        assert!(found[0].interval.0 < 1.1 && 1.1 < found[0].interval.1);
        Ok(())
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

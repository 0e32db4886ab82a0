//! Distributions.

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

//! Small examples of the statistics and the units, one per function.

mod distributions;
mod estimates;
mod hypotheses;
mod looks;

mod render {
    #[test]
    fn plain() {
        assert_eq!(crate::render::escape_for_terminal("a\u{1b}[2J"), "a\\u{1b}[2J");
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

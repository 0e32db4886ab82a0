//! Noise models: the values that launches of unchanged code may show.

use rand::RngExt as _;
use rand_pcg::Pcg64;

use crate::run::Sampling;

/// Launches of one side of a simulated benchmark; each launch is the logarithms of its samples.
pub(super) type SimulatedSide = Vec<Vec<f64>>;

/// One kind of noise. All parts are on the scale of logarithms, so that 0.02 is about 2 %.
///
/// One sample is machine + launch + environment + drift + private. The environment evolves from
/// sample to sample, or from launch to launch, in the order of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scenario {
    /// Name of the scenario on the command line.
    pub(crate) name: &'static str,
    /// Short description of the noise.
    pub(crate) about: &'static str,
    /// Standard deviation between machines. Both sides share one draw if they are measured
    /// alternately.
    pub(crate) machine: f64,
    /// Standard deviation between launches.
    pub(crate) launch: f64,
    /// Share of launches that run in a slower mode, from 0 to 1.
    pub(crate) slow_share: f64,
    /// Slowdown of the slower mode, on the log scale.
    pub(crate) slow_by: f64,
    /// When the environment changes: with every sample or with every launch.
    pub(crate) pace: EnvironmentPace,
    /// Autoregression coefficient of the environment, from one step to the next.
    pub(crate) phi: f64,
    /// Standard deviation of the environment.
    pub(crate) environment: f64,
    /// Trend per launch, on the log scale.
    pub(crate) drift: f64,
    /// Correlation of the launch parts of the two partners of a round.
    pub(crate) partner_correlation: f64,
    /// Scale of the private noise of a sample.
    pub(crate) private_scale: f64,
    /// Whether the private noise follows Student's t with three degrees of freedom instead of the
    /// normal distribution.
    pub(crate) heavy_tails: bool,
    /// Share of samples that are late, from 0 to 1.
    pub(crate) late_share: f64,
    /// Mean delay of a late sample, on the log scale. Delays are exponentially distributed.
    pub(crate) late_by: f64,
    /// What one sample is. With batches, a launch has one value.
    pub(crate) sampling: Sampling,
    /// Noise of launches and environment, as a multiple of what the history showed.
    pub(crate) regime: f64,
    /// Number of rounds after which the time budget is used up; `None` without a budget.
    pub(crate) budget: Option<usize>,
}

/// When the environment changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnvironmentPace {
    /// With every sample.
    Sample,
    /// With every launch, so that all samples of a launch share it.
    Launch,
}

/// Number of samples of a simulated launch.
const SAMPLES_PER_LAUNCH: usize = 10;

/// Scenario without any noise but the private noise of samples; the base of the others.
const QUIET: Scenario = Scenario {
    name: "",
    about: "",
    machine: 0.0,
    launch: 0.0,
    slow_share: 0.0,
    slow_by: 0.0,
    pace: EnvironmentPace::Sample,
    phi: 0.0,
    environment: 0.0,
    drift: 0.0,
    partner_correlation: 0.0,
    private_scale: 0.02,
    heavy_tails: false,
    late_share: 0.0,
    late_by: 0.0,
    sampling: Sampling::Call,
    regime: 1.0,
    budget: None,
};

/// Scenario with every common kind of noise.
const MIXED: Scenario = Scenario {
    name: "mixed",
    about: "machine 5 %, launch 1.5 %, AR(1) 0.6 with 1.5 %, heavy tails, 3 % of samples late",
    machine: 0.05,
    launch: 0.015,
    phi: 0.6,
    environment: 0.015,
    private_scale: 0.006,
    heavy_tails: true,
    late_share: 0.03,
    late_by: 0.2,
    ..QUIET
};

/// All scenarios. The mixed one is first, because the floor refers to it.
pub(crate) const SCENARIOS: [Scenario; 21] = [
    MIXED,
    Scenario { name: "iid", about: "independent samples with 2 %", ..QUIET },
    build_autoregressive("ar-0.5", "AR(1) 0.5 with 2 % through all launches", 0.5),
    build_autoregressive("ar-0.7", "AR(1) 0.7 with 2 % through all launches", 0.7),
    build_autoregressive("ar-0.9", "AR(1) 0.9 with 2 % through all launches", 0.9),
    Scenario {
        name: "slow-environment",
        about: "mixed, but the environment changes from launch to launch only",
        pace: EnvironmentPace::Launch,
        ..MIXED
    },
    Scenario { name: "launch-1", about: "launches differ by 1 %", launch: 0.01, ..QUIET },
    Scenario { name: "launch-2", about: "launches differ by 2 %", launch: 0.02, ..QUIET },
    Scenario { name: "launch-3", about: "launches differ by 3 %", launch: 0.03, ..QUIET },
    Scenario {
        name: "machine-5",
        about: "machines differ by 5 %",
        machine: 0.05,
        launch: 0.01,
        ..QUIET
    },
    Scenario {
        name: "machine-10",
        about: "machines differ by 10 %",
        machine: 0.1,
        launch: 0.01,
        ..QUIET
    },
    Scenario {
        name: "heavy",
        about: "t with 3 degrees of freedom × 1.2 %, 5 % of samples late by 30 %",
        launch: 0.01,
        private_scale: 0.012,
        heavy_tails: true,
        late_share: 0.05,
        late_by: 0.3,
        ..QUIET
    },
    Scenario {
        name: "bimodal",
        about: "30 % of launches are 4 % slower",
        launch: 0.005,
        slow_share: 0.3,
        slow_by: 0.04,
        ..QUIET
    },
    Scenario {
        name: "drift",
        about: "mixed, and each launch 0.3 % slower than the last",
        drift: 0.003,
        ..MIXED
    },
    Scenario {
        name: "antipodal",
        about: "mixed without AR(1); partners correlate by −0.3",
        environment: 0.0,
        launch: 0.02,
        partner_correlation: -0.3,
        ..MIXED
    },
    Scenario {
        name: "batch",
        about: "mixed, one value per launch",
        sampling: Sampling::Batch,
        ..MIXED
    },
    Scenario {
        name: "budget-4",
        about: "mixed, the time limit ends it after 4 rounds",
        budget: Some(4),
        ..MIXED
    },
    Scenario {
        name: "budget-12",
        about: "mixed, the time limit ends it after 12 rounds",
        budget: Some(12),
        ..MIXED
    },
    Scenario {
        name: "regime-1.5",
        about: "mixed, launches 1.5 times as noisy as in the history",
        regime: 1.5,
        ..MIXED
    },
    Scenario {
        name: "regime-2",
        about: "mixed, launches 2 times as noisy as in the history",
        regime: 2.0,
        ..MIXED
    },
    Scenario {
        name: "regime-3",
        about: "mixed, launches 3 times as noisy as in the history",
        regime: 3.0,
        ..MIXED
    },
];

const fn build_autoregressive(name: &'static str, about: &'static str, phi: f64) -> Scenario {
    Scenario { name, about, phi, environment: 0.02, private_scale: 0.006, ..QUIET }
}

impl Scenario {
    /// Returns the scenario with this name, or `None` if there is no such scenario.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        SCENARIOS.into_iter().find(|scenario| scenario.name == name)
    }

    /// Returns the scenario as it was before its noise changed.
    pub(super) fn with_history_noise(self) -> Self {
        Self { regime: 1.0, ..self }
    }

    /// Draws `rounds` rounds of unchanged code on one machine and returns `(baseline, candidate)`.
    ///
    /// The order within each round is random.
    pub(super) fn draw_rounds(
        &self,
        rounds: usize,
        random: &mut Pcg64,
    ) -> (SimulatedSide, SimulatedSide) {
        let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
        let mut environment = self.environment * draw_normal(random);
        for round in 0..rounds {
            let first_launch = draw_normal(random);
            let second_launch = self.partner_correlation * first_launch
                + (1.0 - self.partner_correlation.powi(2)).sqrt() * draw_normal(random);
            let is_candidate_first = random.random_bool(0.5);
            for (place, launch) in [first_launch, second_launch].into_iter().enumerate() {
                let trend = self.drift * (2 * round + place) as f64;
                let shared = self.regime * self.launch * launch + trend + self.draw_mode(random);
                let samples = self.draw_samples(shared, &mut environment, random);
                let is_candidate = (place == 0) == is_candidate_first;
                if is_candidate { candidate.push(samples) } else { baseline.push(samples) }
            }
        }
        (baseline, candidate)
    }

    /// Draws the difference between two machines, on the log scale.
    pub(super) fn draw_machine_difference(&self, random: &mut Pcg64) -> f64 {
        self.machine * std::f64::consts::SQRT_2 * draw_normal(random)
    }

    fn draw_mode(&self, random: &mut Pcg64) -> f64 {
        if self.slow_share > 0.0 && random.random_bool(self.slow_share) {
            self.slow_by
        } else {
            0.0
        }
    }

    fn draw_samples(&self, shared: f64, environment: &mut f64, random: &mut Pcg64) -> Vec<f64> {
        let count = match self.sampling {
            Sampling::Call => SAMPLES_PER_LAUNCH,
            Sampling::Batch => 1,
        };
        if self.pace == EnvironmentPace::Launch {
            self.step_environment(environment, random);
        }
        let samples = (0..count).map(|_| {
            if self.pace == EnvironmentPace::Sample {
                self.step_environment(environment, random);
            }
            shared + self.regime * *environment + self.draw_private_noise(random)
        });
        samples.collect()
    }

    fn step_environment(&self, environment: &mut f64, random: &mut Pcg64) {
        if self.environment > 0.0 {
            let fresh = self.environment * (1.0 - self.phi.powi(2)).sqrt();
            *environment = self.phi * *environment + fresh * draw_normal(random);
        }
    }

    fn draw_private_noise(&self, random: &mut Pcg64) -> f64 {
        let mut noise = draw_normal(random);
        if self.heavy_tails {
            // The sum of an exponential and a squared normal number is χ² with three degrees of
            // freedom.
            let chi_squared = draw_normal(random).powi(2) - 2.0 * draw_positive(random).ln();
            noise /= (chi_squared / 3.0).sqrt();
        }
        let is_late = self.late_share > 0.0 && random.random_bool(self.late_share);
        let late = if is_late { -self.late_by * draw_positive(random).ln() } else { 0.0 };
        self.private_scale * noise + late
    }
}

/// Draws a standard normal number (Box & Muller 1958).
pub(super) fn draw_normal(random: &mut Pcg64) -> f64 {
    let angle = std::f64::consts::TAU * random.random::<f64>();
    (-2.0 * draw_positive(random).ln()).sqrt() * angle.cos()
}

/// Draws a uniform number above zero and at most one.
fn draw_positive(random: &mut Pcg64) -> f64 {
    1.0 - random.random::<f64>()
}

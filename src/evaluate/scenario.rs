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
    /// Share of launches that a burst hits, from 0 to 1.
    pub(crate) burst_share: f64,
    /// Mean slowdown of a launch that a burst hits, as a share. Slowdowns are exponentially
    /// distributed.
    pub(crate) burst_by: f64,
    /// Another tenant that comes and goes. `None` without one.
    pub(crate) neighbour: Option<NoisyNeighbour>,
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

/// Another tenant of the machine that comes and goes, and slows every launch while it is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NoisyNeighbour {
    /// Mean number of launches that it stays.
    pub(crate) stays: f64,
    /// Mean number of launches that it is away.
    pub(crate) is_away: f64,
    /// Slowdown while it is there, as a share.
    pub(crate) slows_by: f64,
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
    burst_share: 0.0,
    burst_by: 0.0,
    neighbour: None,
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
pub(crate) const SCENARIOS: [Scenario; 25] = [
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
        name: "bursts",
        about: "launches differ by 1.4 %, 15 % of them slower by an exponential of mean 30 %",
        launch: 0.014,
        burst_share: 0.15,
        burst_by: 0.3,
        ..QUIET
    },
    Scenario {
        name: "neighbour",
        about: "launches differ by 1.4 %, a neighbour stays for 3 launches at +40 %, is away for 9",
        launch: 0.014,
        neighbour: Some(NoisyNeighbour { stays: 3.0, is_away: 9.0, slows_by: 0.4 }),
        ..QUIET
    },
    Scenario {
        name: "two-speeds",
        about: "half of the launches are 8 % slower, the others differ by 0.3 %",
        launch: 0.003,
        slow_share: 0.5,
        slow_by: 0.08,
        ..QUIET
    },
    Scenario {
        name: "repelling",
        about: "launches follow AR(1) −0.5 with 2 %, so that partners repel each other",
        pace: EnvironmentPace::Launch,
        phi: -0.5,
        environment: 0.02,
        ..QUIET
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

    /// Draws the difference between two machines, on the log scale.
    pub(super) fn draw_machine_difference(&self, random: &mut Pcg64) -> f64 {
        self.machine * std::f64::consts::SQRT_2 * draw_normal(random)
    }

    /// Draws the slowdown of a launch by a burst, on the log scale.
    fn draw_burst(&self, random: &mut Pcg64) -> f64 {
        if self.burst_share > 0.0 && random.random_bool(self.burst_share) {
            (-self.burst_by * draw_positive(random).ln()).ln_1p()
        } else {
            0.0
        }
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

impl NoisyNeighbour {
    /// Returns whether it is there at a random moment.
    fn draw_presence(self, random: &mut Pcg64) -> bool {
        random.random_bool(self.stays / (self.stays + self.is_away))
    }

    /// Returns whether it is there one launch later. How long it stays or is away is geometrically
    /// distributed.
    fn step_presence(self, is_there: bool, random: &mut Pcg64) -> bool {
        if is_there {
            !random.random_bool(1.0 / self.stays)
        } else {
            random.random_bool(1.0 / self.is_away)
        }
    }
}

/// Launches of unchanged code on one machine, drawn round by round.
#[derive(Clone, Debug)]
pub(super) struct RoundStream {
    scenario: Scenario,
    random: Pcg64,
    /// State of the environment, on the log scale.
    environment: f64,
    /// Whether the neighbour is there.
    has_neighbour: bool,
    /// Number of launches drawn so far.
    launch_count: u32,
}

impl RoundStream {
    /// Begins at a random state of the machine.
    pub(super) fn new(scenario: Scenario, mut random: Pcg64) -> Self {
        let environment = scenario.environment * draw_normal(&mut random);
        let neighbour = scenario.neighbour;
        let has_neighbour = neighbour.is_some_and(|neighbour| neighbour.draw_presence(&mut random));
        Self { scenario, random, environment, has_neighbour, launch_count: 0 }
    }

    /// Draws the next `rounds` rounds and returns `(baseline, candidate)`. The order within each
    /// round is random.
    pub(super) fn draw_rounds(&mut self, rounds: usize) -> (SimulatedSide, SimulatedSide) {
        let correlation = self.scenario.partner_correlation;
        let (mut baseline, mut candidate) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let first = draw_normal(&mut self.random);
            let second = correlation * first
                + (1.0 - correlation.powi(2)).sqrt() * draw_normal(&mut self.random);
            let is_candidate_first = self.random.random_bool(0.5);
            for (place, launch) in [first, second].into_iter().enumerate() {
                let samples = self.draw_launch(launch);
                let is_candidate = (place == 0) == is_candidate_first;
                if is_candidate { candidate.push(samples) } else { baseline.push(samples) }
            }
        }
        (baseline, candidate)
    }

    /// Draws the samples of the next launch. `launch` is its own deviation, a standard normal
    /// number.
    fn draw_launch(&mut self, launch: f64) -> Vec<f64> {
        let Self { scenario, random, environment, has_neighbour, launch_count } = self;
        let trend = scenario.drift * f64::from(*launch_count);
        *launch_count += 1;
        let mut shared = scenario.regime * scenario.launch * launch
            + trend
            + scenario.draw_mode(random)
            + scenario.draw_burst(random);
        if let Some(neighbour) = scenario.neighbour {
            *has_neighbour = neighbour.step_presence(*has_neighbour, random);
            shared += if *has_neighbour { neighbour.slows_by.ln_1p() } else { 0.0 };
        }
        scenario.draw_samples(shared, environment, random)
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

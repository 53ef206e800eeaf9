"""How often intervals cover the true value and the true difference, in simulated evaluations.

    python -m benchmarks.coverage                          # 400 pairs over 30 recordings
    python -m benchmarks.coverage --recordings 8 --seeds 3

A large population of recordings is simulated, whose average precision is computed exactly. Each
simulated pair of evaluations sees a few of them. Recordings differ in difficulty and in their
number of objects, and in which of the two detectors they suit. With `--seeds`, each detector is
trained several times: its skill varies from seed to seed, and so do its detections; the true
difference is then that of the means over all seeds.
"""

import argparse
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float64, Int64

from etram_pipeline.evaluation.intervals import find_intervals
from etram_pipeline.evaluation.matches import Matches, Rankings
from etram_pipeline.evaluation.paired import compare_matches
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.resampling import resample

POPULATION = 4000
SKILLS = (0.0, 0.25)
SEED_EFFECT = 0.15
FITS = (-0.3, 0.8)
CLASS_SHARES = (1.0, 0.6, 0.35)
PROTOCOL = Protocol(
    name="simulated", class_names=("a", "b", "c"), area_ranges={}, iou_thresholds=(0.5, 0.75, 0.9)
)


@dataclass(frozen=True)
class Recordings:
    """Simulated recordings.

    Attributes:
        difficulty: How hard the objects of each are to find.
        suits: How well each suits the two detectors.
        num_labels: Number of objects by class.
    """

    difficulty: Float64[np.ndarray, " R"]
    suits: Float64[np.ndarray, "2 R"]
    num_labels: Int64[np.ndarray, "R K"]

    @classmethod
    def drawn(cls, rng: np.random.Generator, number: int) -> "Recordings":
        """Some recordings of the kind."""
        shared = rng.normal(0, 0.3, number)
        counts = [rng.poisson(rng.gamma(2, 10 * share, number)) for share in CLASS_SHARES]
        return cls(
            rng.normal(0, 0.8, number),
            shared + rng.normal(0, 0.4, (2, number)),
            np.stack(counts, axis=1),
        )

    def take(self, rows: Int64[np.ndarray, " N"]) -> "Recordings":
        """The recordings at `rows`."""
        return Recordings(self.difficulty[rows], self.suits[:, rows], self.num_labels[rows])

    def detected(self, rng: np.random.Generator, side: int, skill: float) -> Matches:
        """What a detector finds in them."""
        parts, starts, number = [], [0], len(self.difficulty)
        for class_id, counts in enumerate(self.num_labels.T):
            of_label = np.repeat(np.arange(number), counts)
            quality = skill - 0.5 * class_id + (self.suits[side] - self.difficulty)[of_label]
            is_found = rng.random(len(of_label)) < 1 / (1 + np.exp(-quality - 0.8))
            recordings, quality = of_label[is_found], quality[is_found]
            fit = rng.normal(quality)
            middle, high = (fit > least for least in FITS)
            right = (1 + 2 * middle + 4 * high).astype(np.uint8)
            noise = rng.poisson(rng.gamma(1.5, 12, number) * np.exp(0.4 * self.difficulty))
            recordings = np.concatenate([recordings, np.repeat(np.arange(number), noise)])
            right = np.concatenate([right, np.zeros(noise.sum(), np.uint8)])
            scores = rng.normal(np.append(0.5 * quality + 1, np.full(noise.sum(), -0.5)))
            order = np.argsort(-scores)
            parts.append((recordings[order].astype(np.uint16), right[order], 0 * right))
            starts.append(starts[-1] + len(order))
        rows = tuple(np.concatenate(column) for column in zip(*parts, strict=True))
        labels = np.ascontiguousarray(self.num_labels.T[:, None])
        names = tuple(f"recording_{index:04d}" for index in range(number))
        rankings = {
            "": Rankings(np.array(starts), (rows[0], rows[1], rows[2], 0 * rows[2]), labels)
        }
        return Matches(PROTOCOL, names, PROTOCOL.class_names or (), "simulated", rankings)


def simulate(num_pairs: int, num_recordings: int, num_seeds: int) -> dict[str, float]:
    """Share of pairs whose interval covers the true difference, and that of a single value."""
    rng = np.random.default_rng(0)
    everything = Recordings.drawn(rng, POPULATION)
    true = [true_value(everything, rng, side, several=num_seeds > 1) for side in (0, 1)]
    effect = SEED_EFFECT if num_seeds > 1 else 0.0
    covered, covered_single = 0, 0
    for _ in range(num_pairs):
        seen = everything.take(rng.choice(POPULATION, num_recordings, replace=False))
        sides = [
            [
                seen.detected(rng, side, SKILLS[side] + effect * rng.normal())
                for _ in range(num_seeds)
            ]
            for side in (0, 1)
        ]
        found = compare_matches(sides[0], sides[1])["AP"]
        single = find_intervals(sides[1][0])["AP"]
        covered += (found.low or 0) <= true[1] - true[0] <= (found.high or 0)
        covered_single += single.low <= true[1] <= single.high
    return {"difference": covered / num_pairs, "value": covered_single / num_pairs}


def true_value(
    everything: Recordings, rng: np.random.Generator, side: int, *, several: bool
) -> float:
    """Average precision over the whole population, and over all seeds if there are several."""
    steps = 25 if several else 5
    effects = [
        SEED_EFFECT * NormalDist().inv_cdf((step + 0.5) / steps) * several for step in range(steps)
    ]
    found = [everything.detected(rng, side, SKILLS[side] + effect) for effect in effects]
    return float(np.mean([resample(matches, 1)["AP",].values[0] for matches in found]))


def main() -> None:
    """Print how often intervals cover what they should."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--recordings", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    shares = simulate(arguments.pairs, arguments.recordings, arguments.seeds)
    print(
        f"{arguments.pairs} pairs, {arguments.recordings} recordings, {arguments.seeds} seeds: the "
        f"interval covers the true difference in {shares['difference']:.1%}"
        + (f", the true value in {shares['value']:.1%}" if arguments.seeds == 1 else "")
    )


if __name__ == "__main__":
    main()

"""FITNESS: any detector, adapted to recent and similar samples before each score."""

from marigram.detectors.fitness.detector import Fitness
from marigram.detectors.fitness.parameters import FitnessParameters, theory_radius

__all__ = ["Fitness", "FitnessParameters", "theory_radius"]

"""Diffusion: two processes, the denoiser they share, and the model of vectors with classes that uses them."""

from marigram.graph.diffusion.ddpm import Ddpm
from marigram.graph.diffusion.denoiser import Denoiser
from marigram.graph.diffusion.edm import Edm
from marigram.graph.diffusion.latent import LatentDiffusion

__all__ = ["Ddpm", "Denoiser", "Edm", "LatentDiffusion"]

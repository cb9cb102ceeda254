"""Families of generators: physics, anatomy and diffusion, and the catalogue that finds them."""

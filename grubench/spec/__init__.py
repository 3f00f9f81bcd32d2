"""One trial's settings, and the registries that they name."""

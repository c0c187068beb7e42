"""YAML configs: loading with inheritance and overrides, checking against the registries, sources of every value."""

from paddle_portrait.config.config import Config, load_config
from paddle_portrait.config.nodes import ConfigError, Problem, Source

__all__ = ["Config", "ConfigError", "Problem", "Source", "load_config"]

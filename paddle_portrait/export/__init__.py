"""From a trained network to files that run elsewhere, each proved to be the same model."""

from paddle_portrait.export.errors import ExportError, MissingPackageError, ParityError
from paddle_portrait.export.exporter import ExportReport, export_model, prove_each

__all__ = ["ExportError", "ExportReport", "MissingPackageError", "ParityError", "export_model", "prove_each"]

"""From a trained network to files that run elsewhere, each proved to be the same model."""

from paddle_portrait.export.errors import ExportError, ParityError
from paddle_portrait.export.exporter import ExportReport, export_model

__all__ = ["ExportError", "ExportReport", "ParityError", "export_model"]

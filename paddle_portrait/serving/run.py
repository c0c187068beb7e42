"""Starting the server: one process, or several that share the port."""

from __future__ import annotations

import os
import tempfile

from paddle_portrait import zoo
from paddle_portrait.errors import UserError
from paddle_portrait.serving.address import check_address
from paddle_portrait.serving.settings import Settings
from paddle_portrait.video.smoothing import FILTERS

_BACKLOG = 1024


def serve(settings: Settings) -> None:
    """Run until SIGTERM or Ctrl-C; what was taken is finished first.

    Raises:
        UserError: the port cannot be had, a package is missing, or there is no such model.
    """
    check_address(settings.host, settings.port)
    try:
        import uvicorn

        import paddle_portrait.serving.app  # noqa: F401  every package that workers need
        from paddle_portrait.serving.pages import find_page
        from paddle_portrait.serving.protocol import PatientProtocol
    except ImportError as error:
        raise UserError(
            f"the server needs a package that is not installed ({error}): pip install '.[server]'"
        ) from None
    # Told here, once, and not by every worker with a traceback.
    zoo.find_export(settings.model) if settings.model else zoo.default_export()
    settings.read_token()
    find_page(settings.page)
    FILTERS.get(settings.smoothing)
    settings.to_environment()
    with tempfile.TemporaryDirectory(prefix="paddle_portrait_metrics_") as shared:
        if settings.workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared  # read by the workers, when they import the client
        uvicorn.run(
            "paddle_portrait.serving.app:from_environment",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            backlog=_BACKLOG,
            access_log=settings.access_log,
            http=PatientProtocol,
            ws="websockets-sansio",
            ws_max_size=settings.max_body,
            ws_per_message_deflate=False,  # pictures are compressed already
            timeout_graceful_shutdown=settings.stop_timeout_s,
            server_header=False,
        )

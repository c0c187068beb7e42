"""The process that runs Paddle Lite: ``python worker.py CHANNEL INPUT OUTPUT MODEL``, in Paddle Lite's environment.

The first three arguments are inherited file descriptors: a socket on which each request and each answer is one
line of JSON, and two anonymous files in memory for the arrays, each grown by whoever writes to it.

    {"shape": [1, 3, 192, 192], "dtype": "float32"}
    {"shape": [1, 2, 192, 192], "dtype": "float32"}  or  {"error": "..."}

It ends when the other side closes the socket.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import sys
from typing import Any


class SharedArray:
    """An array in a file in memory; each side maps it anew when it has grown."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map: Any = None

    def bytes(self, size: int) -> Any:
        """Return the mapping, of ``size`` bytes or more."""
        if self._map is None or len(self._map) < size:
            if os.fstat(self.descriptor).st_size < size:
                os.ftruncate(self.descriptor, size)
            self._map = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)
        return self._map


class Graph:
    """A ``.nb`` file, loaded."""

    def __init__(self, model: str) -> None:
        from paddlelite.lite import MobileConfig, Opt, create_paddle_predictor

        self.version = Opt().version()
        config = MobileConfig()
        config.set_model_from_file(model)
        self._predictor = create_paddle_predictor(config)
        self._proved = False

    def run(self, tensor: Any) -> Any:
        """Map N×C×H×W to the first output. What it returns is overwritten by the next run."""
        import numpy as np

        given = self._predictor.get_input(0)
        given.from_numpy(tensor)
        if not self._proved and not np.array_equal(given.numpy(), tensor):
            # Seen with numpy 2: every answer is noise, and nothing else tells.
            raise RuntimeError(
                "Paddle Lite does not get the numbers that it is given; its environment has "
                f"numpy {np.__version__} and needs numpy < 2"
            )
        self._proved = True
        self._predictor.run()
        return self._predictor.get_output(0).numpy()


def main() -> None:
    """Load the model and answer until the other side is gone."""
    import numpy as np

    channel_number, input_number, output_number = map(int, sys.argv[1:4])
    with socket.socket(fileno=channel_number) as channel, channel.makefile("rw", encoding="utf-8") as lines:

        def answer(**content: Any) -> None:
            lines.write(json.dumps(content) + "\n")
            lines.flush()

        graph = Graph(sys.argv[4])
        arrived, leaving = SharedArray(input_number), SharedArray(output_number)
        answer(version=graph.version)
        for line in lines:
            request = json.loads(line)
            kind, count = np.dtype(request["dtype"]), int(np.prod(request["shape"]))
            tensor = np.frombuffer(arrived.bytes(kind.itemsize * count), kind, count).reshape(request["shape"])
            try:
                output = graph.run(tensor)
            except Exception as error:
                answer(error=str(error) or type(error).__name__)
                continue
            place = np.frombuffer(leaving.bytes(output.nbytes), output.dtype, output.size)
            np.copyto(place, output.ravel())
            answer(shape=list(output.shape), dtype=output.dtype.name)


if __name__ == "__main__":
    main()

"""What restoring folded batch norms is worth: the loss of the first training step, with and without, beside evaluation.

python benchmarks/restored_norms.py

The network itself labels 32 generated portraits, so that its evaluation loss is near zero. In training mode batch
norms use the batch's statistics: where mean and variance were never measured, the same weights answer otherwise.
"""

from __future__ import annotations

import argparse
from typing import Any

from _record import record

NAMES = ("mnv3_small_256", "mobile_unet_bilinear_128")
PORTRAITS = range(9100, 9132)


def losses(name: str) -> dict[str, float]:
    """Return the evaluation loss of a released network, and its first training step's, restored and not."""
    import numpy as np
    import paddle

    from paddle_portrait.config import load_config
    from paddle_portrait.data.synthesis import render_portrait
    from paddle_portrait.engine.trained import load_trained
    from paddle_portrait.losses import CrossEntropyLoss
    from paddle_portrait.models import as_seg_output
    from paddle_portrait.preprocess import Preprocess
    from paddle_portrait.zoo import find_config

    config = load_config(find_config(name))
    network = load_trained(config, name)
    preprocess = Preprocess.from_transforms(config.inference_transforms())
    pictures = [preprocess.fit(render_portrait(seed, (256, 256))[0])[0] for seed in PORTRAITS]
    images = paddle.to_tensor(preprocess.to_tensor(pictures))
    loss = CrossEntropyLoss()

    def measured(training: bool) -> float:
        for layer in network.sublayers(include_self=True):
            # Dropout stays out: it is no matter of statistics, and its noise would hide them.
            layer.training = training and isinstance(layer, paddle.nn.BatchNorm2D)
        with paddle.no_grad():
            return round(float(loss(as_seg_output(network(images)).logits, labels).item()), 4)

    network.eval()
    with paddle.no_grad():
        logits = as_seg_output(network(images)).logits.numpy()
    person = logits[:, 0] > 0 if logits.shape[1] == 1 else logits[:, 1] > logits[:, 0]
    labels = paddle.to_tensor(person.astype(np.int64))
    kept = {key: value.clone() for key, value in network.state_dict().items()}
    figures = {"evaluation": measured(False), "restored": measured(True)}
    network.set_state_dict(kept)
    forget_statistics(network)
    return {**figures, "evaluation_not_restored": measured(False), "not_restored": measured(True)}


def forget_statistics(network: Any) -> None:
    """Give every batch norm mean 0 and variance 1 again, its scale and shift chosen so that evaluation stays."""
    import paddle

    for layer in network.sublayers():
        if isinstance(layer, paddle.nn.BatchNorm2D):
            scale = layer.weight / paddle.sqrt(layer._variance + layer._epsilon)
            layer.bias.set_value(layer.bias - scale * layer._mean)
            layer.weight.set_value(scale * (1.0 + layer._epsilon) ** 0.5)
            layer._mean.set_value(paddle.zeros_like(layer._mean))
            layer._variance.set_value(paddle.ones_like(layer._variance))


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    record("restored_norms", {name: losses(name) for name in NAMES})


if __name__ == "__main__":
    main()

"""Released networks of the U shape: Prisma-Net, Slim-Net, LikeUNet and MediaPipe's selfie segmentation."""

from __future__ import annotations

from paddle_portrait.convert.recipes.origins import HUMAN_MATTING, MEDIAPIPE, PORTRAIT_SEGMENTATION
from paddle_portrait.convert.recipes.recipe import Golden, Recipe, by_execution

RECIPES = (
    Recipe(
        name="prisma_net_256",
        sources=("prisma_net/prisma-net.tflite",),
        config="configs/prisma_net/prisma_net_256.yml",
        match=by_execution(),
        origin=PORTRAIT_SEGMENTATION,
        golden=Golden("prisma_net.npz"),
        note="Prisma-Net, 256×256.",
    ),
    Recipe(
        name="prisma_trinet_256",
        sources=("prisma_net/prisma-trinet.tflite",),
        config="configs/prisma_net/prisma_trinet_256.yml",
        match=by_execution(),
        origin=PORTRAIT_SEGMENTATION,
        golden=Golden("prisma_trinet.npz"),
        note="Prisma-Net, 256×256, a later training that is better at hair and outlines.",
    ),
    Recipe(
        name="slimnet_512",
        sources=("slim_net/slim_reshape_v2.h5",),
        config="configs/slim_net/slimnet_512.yml",
        match=by_execution(),
        origin=PORTRAIT_SEGMENTATION,
        golden=Golden("slimnet_v2.npz"),
        note="Slim-Net, second training, 512×512: the best of the released ones on clean portraits; it leaks where the "
        "background is cluttered.",
    ),
    Recipe(
        name="likeunet_dark_light",
        sources=("like_unet/dark-light-50-0.9735.h5",),
        config="configs/likeunet/likeunet_dark_light.yml",
        match=by_execution(),
        origin=HUMAN_MATTING,
        golden=Golden("likeunet_dark_light_256.npz"),
        note="LikeUNet dark-light after 50 epochs, grey, any size of multiples of 32, triples of convolutions merged.",
    ),
    Recipe(
        name="mediapipe_selfie_general",
        sources=("mediapipe_selfie/selfie_segmentation.tflite",),
        config="configs/mediapipe_selfie/mediapipe_selfie_general.yml",
        match=by_execution(),
        origin=MEDIAPIPE,
        golden=Golden("selfie_general_256.npz"),
        note="MediaPipe's selfie segmentation, general, 256×256. The file holds its weights in 16 bits.",
    ),
    Recipe(
        name="mediapipe_selfie_landscape",
        sources=("mediapipe_selfie/selfie_segmentation_landscape.tflite",),
        config="configs/mediapipe_selfie/mediapipe_selfie_landscape.yml",
        match=by_execution(),
        origin=MEDIAPIPE,
        golden=Golden("selfie_landscape_144x256.npz"),
        note="MediaPipe's selfie segmentation, landscape, 256×144 (width × height): general's network, other weights.",
    ),
)

/** What a network's output means, and the person's probability in it. */

/**
 * Class 0 is the background; the person is whatever is not background.
 *
 * @param {ArrayLike<number>} output N x C x H x W with N = 1.
 * @param {number} pixels H x W.
 * @param {string} outputOp `Deploy.output_op` of deploy.json.
 * @returns {Float32Array} H x W.
 */
export function personProbability(output, pixels, outputOp) {
  const channels = output.length / pixels;
  if (!Number.isInteger(channels) || channels < 1) {
    throw new Error(`The network gave ${output.length} values for ${pixels} pixels.`);
  }
  if (outputOp === 'sigmoid' || outputOp === 'softmax') {
    if (channels > 2) return Float32Array.from({length: pixels}, (_, i) => 1 - output[i]);
    return Float32Array.from({length: pixels}, (_, i) => output[(channels - 1) * pixels + i]);
  }
  if (outputOp === 'none' && channels <= 2) {
    const back = (i) => (channels === 2 ? output[i] : 0);
    return Float32Array.from({length: pixels}, (_, i) => 1 / (1 + Math.exp(back(i) - output[(channels - 1) * pixels + i])));
  }
  throw new Error(`This page cannot read outputs of '${outputOp}' with ${channels} channels. Export with --output_op sigmoid.`);
}

/** From probabilities to opacities: a steadier, sharper or softer edge. */

/**
 * @typedef {object} Refinement
 * @property {number} threshold Probability of an edge's middle, 0..1.
 * @property {number} softness 1: opacity is the probability, as Python's effects take it; 0: a hard edge.
 * @property {number} smoothing 0: every frame for itself; towards 1: the frames before count more.
 */

/** @type {Refinement} */
export const AS_IT_IS = {threshold: 0.5, softness: 1, smoothing: 0};

/** Steadies probabilities from frame to frame, less where they really change. */
export class Smoother {
  /** @type {Float32Array | null} */
  #before = null;

  /**
   * @param {Float32Array} probability
   * @param {number} smoothing
   * @returns {Float32Array}
   */
  apply(probability, smoothing) {
    const before = this.#before;
    if (smoothing <= 0) {
      this.#before = null;
      return probability;
    }
    if (!before || before.length !== probability.length) {
      this.#before = probability.slice();
      return probability;
    }
    for (let i = 0; i < probability.length; i++) {
      const change = Math.abs(probability[i] - before[i]);
      // A flicker is small; what changes by all of the range has moved, and half of it must show at once.
      before[i] += (probability[i] - before[i]) * (1 - smoothing * (1 - 0.5 * change));
    }
    return before.slice();
  }

  reset() {
    this.#before = null;
  }
}

/**
 * @param {Float32Array} probability
 * @param {Refinement} refinement
 * @returns {Uint8ClampedArray} Opacity.
 */
export function toAlpha(probability, {threshold, softness}) {
  // The ramp stays within 0..1, so that what is surely the person stays opaque at any threshold.
  const width = Math.max(softness * 2 * Math.min(threshold, 1 - threshold), 1 / 255);
  const slope = 255 / width;
  const start = threshold - width / 2;
  const alpha = new Uint8ClampedArray(probability.length);
  for (let i = 0; i < alpha.length; i++) alpha[i] = (probability[i] - start) * slope;
  return alpha;
}

/** The golden check: a runtime must answer what Python answers before it is used. */

/** Largest difference of a probability that passes. Graphics cards round more than processors. */
export const LIMITS = {wasm: 1e-4, webgpu: 2e-3, webgl: 2e-3};
const TENSOR_LIMIT = 1e-5;

/** @param {string} text @returns {Uint8Array} */
function decodeBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/**
 * @param {any} golden Content of a golden file.
 * @param {(picture: import('./preprocess.js').Picture) => import('./preprocess.js').Prepared} prepare
 * @param {(prepared: import('./preprocess.js').Prepared) => Promise<Float32Array>} answer Probability at the picture's size.
 * @returns {Promise<{tensorDifference: number, difference: number}>}
 */
export async function compareWithGolden({vector}, prepare, answer) {
  const [height, width] = vector.size_hw;
  const rgb = decodeBase64(vector.rgb_base64);
  const picture = {data: new Uint8ClampedArray(height * width * 4), height, width};
  // Another picture first: a runtime that answers with the result before this one is found out.
  await answer(prepare(picture));
  for (let i = 0, o = 0; i < rgb.length; i += 3, o += 4) picture.data.set(rgb.subarray(i, i + 3), o);
  const prepared = prepare(picture);
  let tensorDifference = 0;
  for (const [place, value] of vector.tensor_samples) {
    tensorDifference = Math.max(tensorDifference, Math.abs(prepared.values[place] - value) / Math.max(1, Math.abs(value)));
  }
  const levels = decodeBase64(vector.probability_uint16_base64);
  const view = new DataView(levels.buffer);
  const probability = await answer(prepared);
  let difference = 0;
  for (let i = 0; i < probability.length; i++) {
    const gap = Math.abs(probability[i] - view.getUint16(2 * i, true) / 65535);
    difference = gap <= difference ? difference : gap; // so that NaN is kept
  }
  return {tensorDifference, difference};
}

/**
 * @param {string} runtime
 * @param {{tensorDifference: number, difference: number}} found
 * @returns {boolean}
 */
export function passes(runtime, {tensorDifference, difference}) {
  return tensorDifference <= TENSOR_LIMIT && difference <= LIMITS[runtime];
}

/** The background alone, out of focus: the person does not run into it, so that there is no halo. */

/** A blur is worked out on cells this many times finer than its radius. */
const CELLS = 3;
const ROUNDS = 3;

/** @type {CanvasRenderingContext2D | null} */
let small = null;

/**
 * @param {CanvasImageSource} frame
 * @param {CanvasImageSource} stencil Opaque where the person is.
 * @param {number} width
 * @param {number} height
 * @param {number} radius Standard deviation as share of the shorter side.
 * @returns {{plate: HTMLCanvasElement, cell: number}} The background, `cell` times smaller than the frame.
 */
export function blurPlate(frame, stencil, width, height, radius) {
  const deviation = radius * Math.min(width, height);
  const cell = Math.max(2, Math.floor(deviation / CELLS));
  const [columns, rows] = [Math.ceil(width / cell), Math.ceil(height / cell)];
  small ??= document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  if (small.canvas.width !== columns || small.canvas.height !== rows) Object.assign(small.canvas, {width: columns, height: rows});
  small.imageSmoothingQuality = 'medium';
  small.globalCompositeOperation = 'copy';
  small.drawImage(frame, 0, 0, width / cell, height / cell);
  small.globalCompositeOperation = 'destination-out';
  small.drawImage(stencil, 0, 0, width / cell, height / cell);
  const image = small.getImageData(0, 0, columns, rows);
  spread(image, deviation / cell);
  small.putImageData(image, 0, 0);
  return {plate: small.canvas, cell};
}

/**
 * Blur what is there, weighted by its opacity, over all of the picture.
 *
 * @param {ImageData} image Changed.
 * @param {number} deviation
 */
export function spread({data, width, height}, deviation) {
  const reach = boxReach(deviation);
  const plane = new Float32Array(width * height * 4);
  const other = new Float32Array(plane.length);
  const sums = [0, 0, 0, 1e-3];
  for (let i = 0; i < plane.length; i += 4) {
    const weight = data[i + 3] / 255;
    plane[i + 3] = weight;
    sums[3] += weight;
    for (let c = 0; c < 3; c++) sums[c] += plane[i + c] = data[i + c] * weight;
  }
  for (let round = 0; round < ROUNDS; round++) {
    box(plane, other, height, width, 4 * width, 4, reach);
    box(other, plane, width, height, 4, 4 * width, reach);
  }
  // Far inside the person there is nothing to take from: the background's mean, which nobody sees.
  const faint = 1e-4;
  for (let i = 0; i < plane.length; i += 4) {
    const weight = plane[i + 3] + faint;
    for (let c = 0; c < 3; c++) data[i + c] = (plane[i + c] + faint * sums[c] / sums[3]) / weight;
    data[i + 3] = 255;
  }
}

/** @param {number} deviation @returns {number} Reach of a box that, applied three times, blurs that much. */
function boxReach(deviation) {
  return Math.max(1, Math.round((Math.sqrt(12 * deviation * deviation / ROUNDS + 1) - 1) / 2));
}

/**
 * Average over boxes along lines of pixels; borders are repeated.
 *
 * @param {Float32Array} from
 * @param {Float32Array} to
 * @param {number} lines
 * @param {number} length
 * @param {number} lineStep
 * @param {number} step
 * @param {number} reach
 */
function box(from, to, lines, length, lineStep, step, reach) {
  const clamp = (place) => Math.max(0, Math.min(place, length - 1)) * step;
  const share = 1 / (2 * reach + 1);
  for (let line = 0; line < lines; line++) {
    for (let c = 0; c < 4; c++) {
      const start = line * lineStep + c;
      let sum = 0;
      for (let i = -reach; i <= reach; i++) sum += from[start + clamp(i)];
      for (let i = 0; i < length; i++) {
        to[start + i * step] = sum * share;
        sum += from[start + clamp(i + reach + 1)] - from[start + clamp(i - reach)];
      }
    }
  }
}

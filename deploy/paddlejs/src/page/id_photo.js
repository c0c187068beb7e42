/** ID photos: where the head is, and the part of the picture around it. */

const INCH_MM = 25.4;
const DOTS_PER_INCH = 300;
/** Shares of the photo's height that the head takes, and that stay free above it. */
const HEAD = 0.6;
const ABOVE = 0.1;

/** @type {{name: string, width: number, height: number}[]} In millimetres. */
export const SIZES = [
  {name: 'EU and others, 35 × 45 mm', width: 35, height: 45},
  {name: 'USA, 51 × 51 mm', width: 50.8, height: 50.8},
  {name: 'China, 33 × 48 mm', width: 33, height: 48},
  {name: 'One inch, 25 × 35 mm', width: 25, height: 35},
  {name: 'Two inches, 35 × 49 mm', width: 35, height: 49},
];

/** @param {{width: number, height: number}} size @returns {{width: number, height: number}} In pixels. */
export function pixelsOf({width, height}) {
  const pixels = (millimetres) => Math.round(millimetres / INCH_MM * DOTS_PER_INCH);
  return {width: pixels(width), height: pixels(height)};
}

/**
 * @param {{alpha: Uint8ClampedArray, width: number, height: number}} mask
 * @returns {{top: number, bottom: number, middle: number} | null} Crown, chin and centre of the topmost person's head;
 *   null where there is nobody.
 */
export function findHead({alpha, width, height}) {
  const left = new Int32Array(height).fill(width);
  const right = new Int32Array(height).fill(-1);
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      if (alpha[i] < 128) continue;
      if (column < left[row]) left[row] = column;
      right[row] = column;
    }
  }
  const wide = Int32Array.from(left, (start, row) => Math.max(0, right[row] - start + 1));
  const top = wide.findIndex((span) => span > 0.02 * width);
  if (top < 0) return null;
  const bottom = findChin(wide, top) ?? Math.min(height, top + Math.round((wide.findLastIndex((span) => span > 0) - top) * 0.45));
  let middle = 0;
  for (let row = top; row < bottom; row++) middle += (left[row] + right[row]) / 2;
  return {top, bottom, middle: middle / Math.max(1, bottom - top)};
}

/**
 * The neck is where the silhouette is narrow between a head and shoulders.
 *
 * @param {Int32Array} wide
 * @param {number} top
 * @returns {number | null}
 */
function findChin(wide, top) {
  let widest = 0;
  let narrow = {row: -1, span: Infinity};
  for (let row = top; row < wide.length; row++) {
    const span = wide[row];
    if (narrow.row > 0 && span > 1.35 * narrow.span && narrow.span < 0.9 * widest) return narrow.row;
    if (span >= widest) {
      widest = span;
      narrow = {row: -1, span: Infinity};
    } else if (span < narrow.span) {
      narrow = {row, span};
    }
  }
  return null;
}

/**
 * @param {{top: number, bottom: number, middle: number}} head
 * @param {{width: number, height: number}} picture
 * @param {number} ratio Width to height of the photo.
 * @returns {{x: number, y: number, width: number, height: number}} Part of the picture; it may reach over its borders.
 */
export function cropAround({top, bottom, middle}, picture, ratio) {
  // Where the picture ends early below, the head is shown a little larger before it is shown floating.
  const wanted = (bottom - top) / HEAD;
  const height = Math.max(Math.min(wanted, (picture.height - top) / (1 - ABOVE)), (bottom - top) / (HEAD + 0.2));
  const y = Math.min(top - ABOVE * height, Math.max(picture.height - height, top - 0.3 * height));
  return {x: middle - height * ratio / 2, y, width: height * ratio, height};
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement} person The person cut out.
 * @param {import('../portrait/index.js').Mask} mask
 * @param {{width: number, height: number}} size In millimetres.
 * @param {string} color
 * @returns {boolean} false where there is nobody.
 */
export function drawIdPhoto(canvas, person, mask, size, color) {
  const head = findHead(mask);
  if (!head) return false;
  const {width, height} = pixelsOf(size);
  Object.assign(canvas, {width, height});
  const context = canvas.getContext('2d');
  context.fillStyle = color;
  context.fillRect(0, 0, width, height);
  const crop = cropAround(head, mask, width / height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(person, crop.x, crop.y, crop.width, crop.height, 0, 0, width, height);
  return true;
}

/**
 * Bilinear scaling as OpenCV does it, because that is what networks are trained and exported with: half-pixel centres;
 * eight-bit pictures in 11-bit fixed point, bit for bit; maps of floats in floats. A canvas scales otherwise, and
 * otherwise again on each machine.
 */

const ONE = 2048;

/**
 * @typedef {object} Side For each place of a side, what it is made of.
 * @property {Int32Array} lower
 * @property {Int32Array} upper
 * @property {Float32Array} share Weight of the upper one.
 * @property {Int32Array} first Weight of the lower one in 2048ths.
 * @property {Int32Array} second Weight of the upper one in 2048ths.
 */

/**
 * @param {number} value
 * @returns {number} The nearest whole number; halves go to the even one.
 */
function roundEven(value) {
  const floor = Math.floor(value);
  const over = value - floor;
  if (over !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * @param {number} before
 * @param {number} after
 * @param {boolean} rows Beyond the border a row is mixed with itself, a column is taken as it is: that rounds otherwise.
 * @returns {Side}
 */
function planSide(before, after, rows) {
  const side = {
    lower: new Int32Array(after),
    upper: new Int32Array(after),
    share: new Float32Array(after),
    first: new Int32Array(after),
    second: new Int32Array(after),
  };
  const scale = 1 / (after / before);
  for (let place = 0; place < after; place++) {
    const at = Math.fround((place + 0.5) * scale - 0.5);
    const floor = Math.floor(at);
    const inside = floor >= 0 && floor < before - 1;
    const share = inside || rows ? Math.fround(at - floor) : 0;
    side.lower[place] = Math.max(0, Math.min(floor, before - 1));
    side.upper[place] = Math.max(0, Math.min(floor + 1, before - 1));
    side.share[place] = share;
    side.first[place] = roundEven(Math.fround(1 - share) * ONE);
    side.second[place] = roundEven(share * ONE);
  }
  return side;
}

/**
 * Scale an RGBA picture; its opacity is left out.
 *
 * @param {Uint8Array | Uint8ClampedArray} rgba
 * @param {number} height
 * @param {number} width
 * @param {number} newHeight
 * @param {number} newWidth
 * @returns {Uint8Array} RGB, three bytes a pixel.
 */
export function resizePicture(rgba, height, width, newHeight, newWidth) {
  const rows = planSide(height, newHeight, true);
  const columns = planSide(width, newWidth, false);
  const result = new Uint8Array(newHeight * newWidth * 3);
  if (height === newHeight && width === newWidth) {
    for (let i = 0, o = 0; o < result.length; i += 4) {
      result[o++] = rgba[i];
      result[o++] = rgba[i + 1];
      result[o++] = rgba[i + 2];
    }
    return result;
  }
  let above = new Int32Array(newWidth * 3);
  let below = new Int32Array(newWidth * 3);
  let [aboveRow, belowRow] = [-1, -1];
  for (let row = 0; row < newHeight; row++) {
    if (rows.lower[row] === belowRow) {
      [above, below, aboveRow, belowRow] = [below, above, belowRow, -1];
    }
    if (aboveRow !== rows.lower[row]) scaleRow(rgba, (aboveRow = rows.lower[row]) * width, columns, above);
    if (belowRow !== rows.upper[row]) scaleRow(rgba, (belowRow = rows.upper[row]) * width, columns, below);
    const first = rows.first[row];
    const second = rows.second[row];
    const start = row * newWidth * 3;
    for (let i = 0; i < above.length; i++) {
      result[start + i] = (((first * (above[i] >> 4)) >> 16) + ((second * (below[i] >> 4)) >> 16) + 2) >> 2;
    }
  }
  return result;
}

/**
 * @param {Uint8Array | Uint8ClampedArray} rgba
 * @param {number} start First pixel of the row.
 * @param {Side} columns
 * @param {Int32Array} target
 */
function scaleRow(rgba, start, columns, target) {
  const {lower, upper, first, second} = columns;
  for (let column = 0, o = 0; column < lower.length; column++) {
    const left = 4 * (start + lower[column]);
    const right = 4 * (start + upper[column]);
    const a = first[column];
    const b = second[column];
    target[o++] = rgba[left] * a + rgba[right] * b;
    target[o++] = rgba[left + 1] * a + rgba[right + 1] * b;
    target[o++] = rgba[left + 2] * a + rgba[right + 2] * b;
  }
}

/**
 * Scale a map of floats.
 *
 * @param {Float32Array} map
 * @param {number} height
 * @param {number} width
 * @param {number} newHeight
 * @param {number} newWidth
 * @returns {Float32Array} The map itself where the size stays.
 */
export function resizeMap(map, height, width, newHeight, newWidth) {
  if (height === newHeight && width === newWidth) return map;
  const rows = planSide(height, newHeight, true);
  const {lower, upper, share} = planSide(width, newWidth, false);
  const result = new Float32Array(newHeight * newWidth);
  for (let row = 0, o = 0; row < newHeight; row++) {
    const above = rows.lower[row] * width;
    const below = rows.upper[row] * width;
    const down = rows.share[row];
    for (let column = 0; column < newWidth; column++) {
      const right = share[column];
      const top = map[above + lower[column]] * (1 - right) + map[above + upper[column]] * right;
      const bottom = map[below + lower[column]] * (1 - right) + map[below + upper[column]] * right;
      result[o++] = top * (1 - down) + bottom * down;
    }
  }
  return result;
}

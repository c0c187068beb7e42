/** From a picture to the network's input, as deploy.json describes it. */

import {Geometry} from './geometry.js';
import {resizePicture} from './resize.js';

/**
 * @typedef {object} Picture
 * @property {Uint8Array | Uint8ClampedArray} data RGBA.
 * @property {number} height
 * @property {number} width
 */

/**
 * @typedef {object} Prepared
 * @property {Float32Array} values N x C x H x W.
 * @property {number[]} shape
 * @property {Geometry} geometry The way back.
 */

export class Preprocess {
  #steps;
  #colour;
  #tables;

  /** @param {any} description `paddle_portrait.preprocess` of a deploy.yaml. */
  constructor(description) {
    if (description.version !== 1) {
      throw new Error(`deploy.json describes preprocessing of version ${description.version}; this page knows version 1.`);
    }
    for (const {type} of description.steps) {
      if (!(type in STEPS)) throw new Error(`deploy.json asks for ${type}. Known: ${Object.keys(STEPS).join(', ')}.`);
    }
    this.#steps = description.steps;
    this.#colour = description.colour;
    const channels = this.#colour === 'gray' ? 1 : 3;
    const pick = (values, channel) => values[values.length > 1 ? channel : 0];
    this.#tables = Array.from({length: channels}, (_, channel) =>
      levelTable(description.scale, pick(description.mean, channel), pick(description.std, channel)));
  }

  /** @param {Picture} picture @returns {Prepared} */
  apply(picture) {
    const frame = new Frame(picture);
    for (const step of this.#steps) STEPS[step.type](frame, step);
    frame.fixSize();
    return {
      values: this.#tensor(frame.rgb, frame.height * frame.width),
      shape: [1, this.#tables.length, frame.height, frame.width],
      geometry: frame.geometry,
    };
  }

  /** @param {Uint8Array} rgb @param {number} pixels @returns {Float32Array} */
  #tensor(rgb, pixels) {
    const tables = this.#tables;
    const values = new Float32Array(tables.length * pixels);
    if (tables.length === 1) {
      for (let i = 0, p = 0; i < pixels; i++, p += 3) { // OpenCV's weights, in 15 bits
        values[i] = tables[0][(rgb[p] * 9798 + rgb[p + 1] * 19235 + rgb[p + 2] * 3735 + (1 << 14)) >> 15];
      }
      return values;
    }
    for (let channel = 0; channel < 3; channel++) {
      const table = tables[channel];
      const from = this.#colour === 'bgr' ? 2 - channel : channel;
      for (let i = 0, p = from, o = channel * pixels; i < pixels; i++, p += 3) values[o + i] = table[rgb[p]];
    }
    return values;
  }
}

/**
 * @param {number} scale
 * @param {number} mean
 * @param {number} std
 * @returns {Float32Array} The value of each of 256 levels, rounded where the trained network's preprocessing rounds.
 */
function levelTable(scale, mean, std) {
  const most = Math.fround(1 / scale);
  return Float32Array.from({length: 256}, (_, level) => Math.fround(Math.fround(level / most) - mean) / std);
}

/** A picture on its way: RGBA as it came, RGB once something was done to it. */
class Frame {
  geometry = new Geometry();

  /** @param {Picture} picture */
  constructor({data, height, width}) {
    this.rgba = data;
    this.height = height;
    this.width = width;
    /** @type {Uint8Array | null} */
    this.rgb = null;
  }

  /** @param {number} height @param {number} width */
  scaleTo(height, width) {
    this.geometry.scaledFrom(this.height, this.width);
    if (this.rgb) this.rgba = toRgba(this.rgb);
    this.rgb = resizePicture(this.rgba, this.height, this.width, height, width);
    [this.height, this.width] = [height, width];
  }

  /** @param {number} scale */
  scaleBy(scale) {
    const scaled = (side) => Math.max(1, roundHalfEven(side * scale));
    this.scaleTo(scaled(this.height), scaled(this.width));
  }

  /** @param {number} height @param {number} width @param {number} level */
  borderTo(height, width, level) {
    if (this.height > height || this.width > width) throw new Error('The picture is larger than the frame it is to be put into.');
    this.fixSize();
    this.geometry.borderedFrom(this.height, this.width);
    const framed = new Uint8Array(height * width * 3).fill(roundHalfEven(level));
    for (let row = 0; row < this.height; row++) {
      framed.set(this.rgb.subarray(row * this.width * 3, (row + 1) * this.width * 3), row * width * 3);
    }
    this.rgb = framed;
    [this.height, this.width] = [height, width];
  }

  fixSize() {
    this.rgb ??= resizePicture(this.rgba, this.height, this.width, this.height, this.width);
  }
}

/** @param {Uint8Array} rgb @returns {Uint8Array} */
function toRgba(rgb) {
  const rgba = new Uint8Array(rgb.length / 3 * 4);
  for (let i = 0, o = 0; i < rgb.length; i += 3, o += 4) rgba.set(rgb.subarray(i, i + 3), o);
  return rgba;
}

/** @param {number} value @returns {number} */
function roundHalfEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** @type {Record<string, (frame: Frame, step: any) => void>} */
const STEPS = {
  Resize(frame, step) {
    if (step.interp !== 'LINEAR') throw new Error(`This page scales LINEAR, not ${step.interp}.`);
    let [width, height] = step.target_size;
    if (step.keep_ratio) {
      const toLong = Math.max(width, height) / Math.max(frame.height, frame.width);
      const toShort = Math.min(width, height) / Math.min(frame.height, frame.width);
      const scale = Math.min(toLong, toShort);
      height = Math.max(1, roundHalfEven(frame.height * scale));
      width = Math.max(1, roundHalfEven(frame.width * scale));
    }
    const divisor = step.size_divisor ?? 1;
    frame.scaleTo(Math.ceil(height / divisor) * divisor, Math.ceil(width / divisor) * divisor);
  },
  ResizeByLong(frame, step) {
    frame.scaleBy(step.long_size / Math.max(frame.height, frame.width));
  },
  ResizeByShort(frame, step) {
    const shorter = Math.min(frame.height, frame.width);
    const longer = Math.max(frame.height, frame.width);
    let wanted = step.short_size;
    if (wanted / shorter * longer > step.max_size) wanted = Math.max(1, Math.trunc(step.max_size / longer * shorter));
    frame.scaleBy(wanted / shorter);
  },
  LimitLong(frame, step) {
    const side = Math.max(frame.height, frame.width);
    const wanted = Math.min(Math.max(side, step.min_long ?? side), step.max_long ?? Infinity);
    if (wanted !== side) frame.scaleBy(wanted / side);
  },
  Padding(frame, step) {
    frame.borderTo(step.target_size[1], step.target_size[0], step.im_padding_value);
  },
  PaddingByAspectRatio(frame, {aspect_ratio: ratio, im_padding_value: level}) {
    const {height, width} = frame;
    const wide = width / height > ratio;
    const high = wide ? Math.max(height, Math.trunc(width / ratio)) : height;
    frame.borderTo(high, wide ? width : Math.max(width, Math.trunc(height * ratio)), level);
  },
};

/** Pictures made of a frame and its mask, drawn onto a canvas. */

import {blurPlate} from './blur.js';

/** @typedef {import('./index.js').Mask} Mask */
/** @typedef {(context: CanvasRenderingContext2D) => void} Between Draws what is behind the person. */

/** @type {WeakMap<Mask, HTMLCanvasElement>} */
const stencils = new WeakMap();
/** The person cut out, one to a canvas that is drawn on. @type {WeakMap<HTMLCanvasElement, HTMLCanvasElement>} */
const cutouts = new WeakMap();

/** @param {number} width @param {number} height @returns {HTMLCanvasElement} */
function makeCanvas(width, height) {
  return Object.assign(document.createElement('canvas'), {width, height});
}

/** @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
function fitCanvas(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
}

/**
 * @param {Mask} mask
 * @returns {HTMLCanvasElement} A canvas that is opaque where the person is.
 */
export function stencilOf(mask) {
  let canvas = stencils.get(mask);
  if (!canvas) {
    canvas = makeCanvas(mask.width, mask.height);
    const image = new ImageData(mask.width, mask.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i++) pixels[i] = mask.alpha[i] << 24;
    canvas.getContext('2d').putImageData(image, 0, 0);
    stencils.set(mask, canvas);
  }
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasImageSource} frame
 * @param {Mask} mask
 * @returns {HTMLCanvasElement}
 */
function cutOut(canvas, frame, mask) {
  const cutout = cutouts.get(canvas) ?? makeCanvas(mask.width, mask.height);
  cutouts.set(canvas, cutout);
  fitCanvas(cutout, mask.width, mask.height);
  const context = cutout.getContext('2d');
  context.globalCompositeOperation = 'copy';
  context.drawImage(frame, 0, 0, mask.width, mask.height);
  context.globalCompositeOperation = 'destination-in';
  context.drawImage(stencilOf(mask), 0, 0);
  return cutout;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasImageSource} frame
 * @param {Mask} mask
 * @param {Between} drawBackground
 */
function compose(canvas, frame, mask, drawBackground) {
  const cutout = cutOut(canvas, frame, mask);
  fitCanvas(canvas, mask.width, mask.height);
  const context = canvas.getContext('2d');
  context.clearRect(0, 0, canvas.width, canvas.height);
  drawBackground(context);
  context.drawImage(cutout, 0, 0);
}

/**
 * The person before a colour, a picture, a film, or nothing.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasImageSource} frame
 * @param {Mask} mask
 * @param {{background?: string | CanvasImageSource | null, between?: Between}} [options] A CSS colour, anything that can
 *   be drawn (its middle fills the canvas), or null.
 */
export function replaceBackground(canvas, frame, mask, {background = null, between} = {}) {
  compose(canvas, frame, mask, (context) => {
    if (typeof background === 'string') {
      context.fillStyle = background;
      context.fillRect(0, 0, mask.width, mask.height);
    } else if (background) {
      drawCover(context, background, mask.width, mask.height);
    }
    between?.(context);
  });
}

/**
 * The background out of focus.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasImageSource} frame
 * @param {Mask} mask
 * @param {{radius?: number, between?: Between}} [options] Radius: standard deviation as share of the shorter side.
 */
export function blurBackground(canvas, frame, mask, {radius = 0.02, between} = {}) {
  compose(canvas, frame, mask, (context) => {
    if (radius > 0) {
      const {plate, cell} = blurPlate(frame, stencilOf(mask), mask.width, mask.height, radius);
      context.imageSmoothingQuality = 'high';
      context.drawImage(plate, 0, 0, plate.width * cell, plate.height * cell);
    } else {
      context.drawImage(frame, 0, 0, mask.width, mask.height);
    }
    between?.(context);
  });
}

/**
 * The frame with the person tinted, or without a frame the mask in black and white.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Mask} mask
 * @param {{frame?: CanvasImageSource, color?: string, opacity?: number}} [options]
 */
export function drawMask(canvas, mask, {frame, color = '#3b82f6', opacity = 0.55} = {}) {
  const tint = document.createElement('canvas');
  fitCanvas(tint, mask.width, mask.height);
  const tinted = tint.getContext('2d');
  tinted.fillStyle = frame ? color : '#fff';
  tinted.fillRect(0, 0, tint.width, tint.height);
  tinted.globalCompositeOperation = 'destination-in';
  tinted.drawImage(stencilOf(mask), 0, 0);
  fitCanvas(canvas, mask.width, mask.height);
  const context = canvas.getContext('2d');
  context.save();
  context.fillStyle = '#000';
  if (frame) context.drawImage(frame, 0, 0, mask.width, mask.height);
  else context.fillRect(0, 0, mask.width, mask.height);
  context.globalAlpha = frame ? opacity : 1;
  context.drawImage(tint, 0, 0);
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {CanvasImageSource} source
 * @param {number} width
 * @param {number} height
 */
function drawCover(context, source, width, height) {
  const ownWidth = source.videoWidth ?? source.displayWidth ?? source.naturalWidth ?? source.width;
  const ownHeight = source.videoHeight ?? source.displayHeight ?? source.naturalHeight ?? source.height;
  if (!ownWidth || !ownHeight) return; // a film of which nothing is there yet
  const scale = Math.max(width / ownWidth, height / ownHeight);
  context.imageSmoothingQuality = 'high';
  context.drawImage(
    source,
    (width - ownWidth * scale) / 2, (height - ownHeight * scale) / 2, ownWidth * scale, ownHeight * scale,
  );
}

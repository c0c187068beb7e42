/**
 * Portrait segmentation in the browser. Nothing leaves the visitor's machine.
 *
 *     import {load, segment, blurBackground} from 'paddle-portrait-web';
 *     const session = await load({base: '/model/'});
 *     const mask = await segment(session, image);
 *     blurBackground(canvas, image, mask, {radius: 0.03});
 */

import {Session} from './session.js';

export {blurBackground, drawMask, replaceBackground} from './draw.js';
export {LABELS, RUNTIMES} from './candidates.js';

/**
 * @typedef {object} Mask
 * @property {number} width
 * @property {number} height
 * @property {Uint8ClampedArray} alpha Opacity of the person, rows from the top.
 * @property {Float32Array} [probability] Of the person, before threshold and softness; only when `raw` was asked for.
 * @property {{before: number, network: number, after: number}} milliseconds
 */

/**
 * Load a network and choose the runtime: each is checked against a golden answer and timed.
 *
 * @param {{base?: string, runtime?: string, onchange?: (session: Session) => void}} [options] `base`: folder of
 *   deploy.json; `runtime`: auto, wasm, webgpu or webgl; `onchange`: told of each runtime that was tried.
 * @returns {Promise<Session>} Rejected with the reasons where no runtime gives right answers.
 */
export async function load({base = './model/', runtime = 'auto', onchange} = {}) {
  const session = new Session(new URL(base, document.baseURI).href);
  if (onchange) session.onchange = onchange;
  await session.start(runtime);
  return session;
}

/**
 * Find the person.
 *
 * @param {Session} session
 * @param {Blob | HTMLImageElement | HTMLVideoElement | HTMLCanvasElement | ImageBitmap | ImageData | VideoFrame} source A
 *   bitmap or frame is taken away: give a clone where it is needed again.
 * @param {Partial<import('./refine.js').Refinement> & {raw?: boolean}} [options]
 * @returns {Promise<Mask>} Of the picture's own size.
 */
export async function segment(session, source, options) {
  const movable = source instanceof ImageData || source instanceof ImageBitmap
    || (typeof VideoFrame !== 'undefined' && source instanceof VideoFrame);
  return session.segment(movable ? source : await createImageBitmap(source), options);
}

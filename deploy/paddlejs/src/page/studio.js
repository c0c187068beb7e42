/** From a source and the settings to the canvas, frame after frame. */

import {blurBackground, replaceBackground, segment} from '../portrait/index.js';
import {Pace} from './pace.js';

/** So many frames may fail one after another before the source is given up. */
const PATIENCE = 3;
/** Where drawing is slow it would take all of the time, and recordings, clicks and answers would wait for their turn. */
const BREATH_MS = 12;

/**
 * @typedef {object} Settings
 * @property {string} background blur, color, picture, film, none or original.
 * @property {number} blur
 * @property {string} color
 * @property {CanvasImageSource} picture
 * @property {CanvasImageSource} film
 * @property {number} threshold
 * @property {number} softness
 * @property {number} smoothing
 */

export class Studio {
  /** @type {import('../portrait/session.js').Session | null} */
  session = null;
  /** @type {import('./sources.js').Source | null} */
  source = null;
  /** @type {{image: ImageBitmap | VideoFrame, mask: import('../portrait/index.js').Mask} | null} */
  shown = null;
  pace = new Pace();
  /** Canvases that show the person alone, or the frame as it came, as long as somebody wants them. */
  cutout = document.createElement('canvas');
  wantsCutout = false;
  wantsBefore = false;
  /** Draw at every refresh of the screen, as recordings need it; it begins with the next `redraw`. */
  restless = false;
  onframe = () => {};
  /** @type {(error: Error) => void} */
  onerror = () => {};
  #awake = false;
  #busy = false;
  #stale = false;
  #dirty = false;
  #failures = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLCanvasElement} before
   * @param {Settings} settings
   * @param {import('./barrage.js').Barrage} barrage
   */
  constructor(canvas, before, settings, barrage) {
    Object.assign(this, {canvas, before, settings, barrage});
  }

  /** @param {import('./sources.js').Source | null} source */
  setSource(source) {
    this.source?.close();
    this.source = source;
    this.#failures = 0;
    this.#stale = Boolean(source);
    this.#wake();
    this.pace = new Pace();
    this.session?.reset();
    if (!source) this.#replace(null);
  }

  /** The mask must be made anew. */
  refine() {
    this.#stale = true;
    this.#wake();
  }

  /** The canvas must be drawn anew. */
  redraw() {
    this.#dirty = true;
    this.#wake();
  }

  /** A film is always worked on; it is busy only as long as it does not show what was asked for. */
  #tellBusy() {
    this.canvas.ariaBusy = String((this.#busy && !this.source?.live) || this.#stale || this.#dirty);
  }

  /**
   * Work at the next refresh of the screen, once. A page that has nothing to do costs nothing.
   *
   * @param {number} [rest] Milliseconds for others before.
   */
  #wake(rest = 0) {
    this.#tellBusy();
    if (this.#awake) return;
    this.#awake = true;
    setTimeout(() => requestAnimationFrame((now) => {
      this.#awake = false;
      this.#tick(now);
    }), rest);
  }

  /** @param {number} now */
  #tick(now) {
    if (this.source && this.session && !this.#busy && (this.#stale || this.source.hasNew())) this.#look();
    const moving = this.restless || this.barrage.moving || this.settings.background === 'film';
    if (this.shown && (this.#dirty || moving)) this.#draw(now);
    this.#tellBusy();
    if ((this.shown && moving) || (this.session && this.source?.live)) this.#wake(BREATH_MS);
  }

  async #look() {
    this.#busy = true;
    this.#stale = false;
    const source = this.source;
    try {
      const image = await source.grab();
      const copy = image instanceof ImageBitmap ? await createImageBitmap(image) : image.clone();
      const {threshold, softness, smoothing} = this.settings;
      const mask = await segment(this.session, copy, {threshold, softness, smoothing: source.live ? smoothing : 0});
      this.#failures = 0;
      if (source === this.source) this.#replace({image, mask});
      else image.close();
    } catch (error) {
      if (source === this.source) this.#fail(error);
    }
    this.#busy = false;
    this.#wake();
  }

  /** @param {Error} error */
  #fail(error) {
    this.#failures += 1;
    if (this.#failures < PATIENCE) {
      this.#stale = true;
      return;
    }
    this.setSource(null);
    this.onerror(error);
  }

  /** @param {Studio['shown']} next */
  #replace(next) {
    this.shown?.image.close();
    this.shown = next;
    this.#dirty = true;
    if (next) this.pace.add(next.mask.milliseconds);
  }

  /** @param {number} now */
  #draw(now) {
    const start = performance.now();
    this.#dirty = false;
    const {image, mask} = this.shown;
    const between = (context) => this.barrage.draw(context, now);
    const {settings} = this;
    if (settings.background === 'blur') {
      blurBackground(this.canvas, image, mask, {radius: settings.blur, between});
    } else {
      const behind = {color: settings.color, picture: settings.picture, film: settings.film, none: null, original: image};
      replaceBackground(this.canvas, image, mask, {background: behind[settings.background], between});
    }
    if (this.wantsCutout) replaceBackground(this.cutout, image, mask);
    if (this.wantsBefore) this.#drawBefore(image, mask);
    this.pace.drawn(performance.now() - start);
    this.onframe();
  }

  #drawBefore(image, {width, height}) {
    if (this.before.width !== width || this.before.height !== height) Object.assign(this.before, {width, height});
    this.before.getContext('2d').drawImage(image, 0, 0, width, height);
  }

  /** @returns {HTMLCanvasElement} The person alone, now. */
  cutOutNow() {
    replaceBackground(this.cutout, this.shown.image, this.shown.mask);
    return this.cutout;
  }
}

/** Comments that fly past from right to left; whoever draws them decides what is in front. */

const STOCK = [
  'Hello from here!', 'Looking good', '哈哈哈', 'What a nice background', '👏👏👏', 'Behind you!', '666', 'Wow',
  'How does it know where I am?', '好看', 'Greetings to all', '❤️', 'This text goes behind the head', 'Bravo!',
];
const COLORS = ['#ffffff', '#ffe066', '#8ce99a', '#74c0fc', '#ffa8d8', '#ffc078'];
const LANES = 7;
const CROSSING_SECONDS = 7;
const PAUSE_SECONDS = 0.55;

/**
 * @typedef {object} Comment
 * @property {string} text
 * @property {string} color
 * @property {number} lane
 * @property {number} x Of its left end, in widths of the picture.
 * @property {number} width In widths of the picture.
 */

export class Barrage {
  on = false;
  speed = 1;
  /** @type {Comment[]} */
  #flying = [];
  /** @type {string[]} */
  #queue = [];
  #next = 0;
  #before = 0;
  #wait = 0;

  /** @returns {boolean} The next drawing differs from this one. */
  get moving() {
    return this.speed > 0 && (this.on || this.#flying.length > 0);
  }

  /** @param {string} text */
  send(text) {
    this.#queue.push(text);
    this.#wait = 0;
    this.on = true;
  }

  clear() {
    this.#flying = [];
    this.#queue = [];
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} now Milliseconds.
   */
  draw(context, now) {
    const seconds = Math.min((now - this.#before) / 1000, 0.1);
    this.#before = now;
    if (!this.on && !this.#flying.length) return;
    const {width, height} = context.canvas;
    const size = height / (LANES * 1.7);
    context.save();
    context.font = `600 ${size}px system-ui, "Noto Sans CJK SC", sans-serif`;
    context.textBaseline = 'middle';
    context.lineJoin = 'round';
    context.lineWidth = size / 6;
    context.strokeStyle = 'rgb(0 0 0 / 55%)';
    this.#wait -= seconds * this.speed;
    if (this.on && this.#wait <= 0) this.#launch(context, width);
    for (const comment of this.#flying) {
      comment.x -= seconds * this.speed * (1 + comment.width) / CROSSING_SECONDS;
      const y = (comment.lane + 0.6) * height / (LANES + 0.2);
      context.strokeText(comment.text, comment.x * width, y);
      context.fillStyle = comment.color;
      context.fillText(comment.text, comment.x * width, y);
    }
    context.restore();
    this.#flying = this.#flying.filter(({x, width: length}) => x + length > 0);
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width */
  #launch(context, width) {
    const lane = this.#freeLane();
    if (lane === null) return;
    const text = this.#queue.shift() ?? STOCK[this.#next % STOCK.length];
    const color = COLORS[this.#next % COLORS.length];
    this.#flying.push({text, color, lane, x: 1, width: context.measureText(text).width / width});
    this.#next += 1;
    this.#wait = PAUSE_SECONDS;
  }

  /** @returns {number | null} The lane with the most room at its right end. */
  #freeLane() {
    const ends = Array.from({length: LANES}, () => 0);
    for (const {lane, x, width} of this.#flying) ends[lane] = Math.max(ends[lane], x + width);
    const start = this.#next * 3 % LANES; // so that neighbours in time are none in space
    const order = ends.map((_, i) => (start + i) % LANES).sort((a, b) => ends[a] - ends[b]);
    return ends[order[0]] < 0.95 ? order[0] : null;
  }
}

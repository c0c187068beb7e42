/** How many frames a second, and how long one takes. */

const REMEMBERED = 30;

export class Pace {
  /** @type {number[]} */
  #times = [];
  /** @type {number[]} */
  #costs = [];
  #drawing = 0;
  frames = 0;

  /** @param {{before: number, network: number, after: number}} milliseconds */
  add({before, network, after}) {
    this.frames += 1;
    this.#times.push(performance.now());
    this.#costs.push(before + network + after);
    if (this.#times.length > REMEMBERED) this.#times.shift();
    if (this.#costs.length > REMEMBERED) this.#costs.shift();
  }

  /** @param {number} milliseconds */
  drawn(milliseconds) {
    this.#drawing = milliseconds;
  }

  /** @returns {number} */
  get fps() {
    const spent = this.#times.at(-1) - this.#times[0];
    return spent > 0 ? 1000 * (this.#times.length - 1) / spent : 0;
  }

  /** @returns {number} Milliseconds of a frame from pixels to the canvas; the median of the last ones. */
  get milliseconds() {
    return [...this.#costs].sort((a, b) => a - b)[this.#costs.length >> 1] + this.#drawing;
  }
}

/** A network ready to be asked: the runtime that proved right, and was the quickest. */

import {findCandidates, LABELS} from './candidates.js';
import {AS_IT_IS} from './refine.js';
import {WorkerClient} from './worker_client.js';

/** Another runtime must be quicker by this much to be worth the change. */
const WORTH = 0.8;

/**
 * @typedef {object} Trial
 * @property {string} runtime
 * @property {'waiting' | 'trying' | 'used' | 'right' | 'wrong' | 'failed' | 'missing' | 'skipped'} state
 * @property {string} [reason]
 * @property {number} [difference] From Python, of the golden picture's probabilities.
 * @property {number} [milliseconds] Of one run of the network.
 */

export class Session {
  /** @type {Trial[]} */
  trials = [];
  model = '';
  /** @type {(session: Session) => void} */
  onchange = () => {};
  /** Resolves when all runtimes that are worth it were tried. @type {Promise<void>} */
  settled = Promise.resolve();
  /** @type {WorkerClient | null} */
  #client = null;
  #base;

  /** @param {string} base Folder of deploy.json. */
  constructor(base) {
    this.#base = base;
  }

  /** @returns {Trial | undefined} */
  get used() {
    return this.trials.find(({state}) => state === 'used');
  }

  /**
   * Resolves as soon as one runtime can be used; quicker ones may take its place later.
   *
   * @param {string} wanted `auto` or the name of a runtime.
   */
  async start(wanted) {
    const candidates = await findCandidates();
    this.trials = candidates.map(({runtime, missing, slow}) => {
      if (missing) return {runtime, state: 'missing', reason: missing};
      if (wanted !== 'auto' && runtime !== wanted) return {runtime, state: 'skipped', reason: 'another one was asked for'};
      if (wanted === 'auto' && slow) return {runtime, state: 'skipped', reason: slow};
      return {runtime, state: 'waiting'};
    });
    await this.#tryUntil(() => this.used);
    if (!this.used && wanted === 'auto') {
      for (const trial of this.trials) if (trial.state === 'skipped') trial.state = 'waiting'; // better slow than not at all
      await this.#tryUntil(() => this.used);
    }
    if (!this.used) throw new Error(this.#explain());
    this.settled = this.#tryUntil(() => false);
  }

  /** @param {() => unknown} enough */
  async #tryUntil(enough) {
    for (const trial of this.trials) {
      if (trial.state === 'waiting' && !enough()) await this.#try(trial);
    }
  }

  /** @param {Trial} trial */
  async #try(trial) {
    trial.state = 'trying';
    this.onchange(this);
    const client = new WorkerClient();
    try {
      const found = await client.ask('open', {base: this.#base, runtime: trial.runtime});
      Object.assign(trial, found, {state: found.passed ? 'right' : 'wrong'});
      this.model = found.model;
    } catch (error) {
      Object.assign(trial, {state: 'failed', reason: error.message});
    }
    const used = this.used;
    if (trial.state === 'right' && (!used || trial.milliseconds < WORTH * used.milliseconds)) {
      if (used) used.state = 'right';
      trial.state = 'used';
      this.#replaceClient(client);
    } else {
      client.close();
    }
    this.onchange(this);
  }

  /** @param {WorkerClient} client */
  #replaceClient(client) {
    const old = this.#client;
    this.#client = client;
    // What the old one was asked, it may still answer.
    old?.ask('reset').catch(() => {}).finally(() => old.close());
  }

  #explain() {
    const tell = ({runtime, state, reason, difference}) =>
      `${LABELS[runtime]}: ${state === 'wrong' ? `its answers differ by ${difference} from the right ones` : reason}`;
    return `No way to run the network was found. ${this.trials.map(tell).join('; ')}.`;
  }

  /**
   * @param {ImageBitmap | VideoFrame | ImageData} source A bitmap or frame is taken away.
   * @param {Partial<import('./refine.js').Refinement> & {raw?: boolean}} [options]
   * @returns {Promise<import('./index.js').Mask>}
   */
  segment(source, {raw = false, ...refinement} = {}) {
    const transfer = source instanceof ImageData ? [] : [/** @type {Transferable} */ (source)];
    return this.#client.ask('segment', {source, raw, refinement: {...AS_IT_IS, ...refinement}}, transfer);
  }

  /** Forget the frames so far: another film begins. */
  reset() {
    return this.#client.ask('reset').catch(() => {}); // whoever is gone has forgotten them
  }

  close() {
    this.#client?.close();
    this.#client = null;
  }
}

import './worker_globals.js';
import {Runner, env} from '@paddlejs/paddlejs-core';
import '@paddlejs/paddlejs-backend-webgl';

/**
 * Paddle.js. Its backend is one for all runners of a worker, so that there is one runner to a worker.
 *
 * @param {URL} base Folder of deploy.json.
 * @param {any} deploy
 * @returns {Promise<import('./onnx.js').Runtime>}
 */
export async function open(base, deploy) {
  const [height, width] = deploy.paddle_portrait.preprocess.input_size_hw;
  const guard = new LossGuard(new OffscreenCanvas(1, 1));
  env.set('canvas', guard.canvas);
  const runner = new Runner({
    modelPath: new URL(deploy.paddle_portrait.targets.paddlejs.model, base).href,
    feedShape: {fw: width, fh: height},
  });
  await guard.watch(() => runner.init());
  return {
    detail: 'Paddle.js 2.2',
    // A bare Float32Array would be taken for an ImageData, and the answer before this one be given again.
    run: (data, shape) => guard.watch(() => runner.predictWithFeed([{data, shape, name: 'image', persistable: true}])),
  };
}

/** Paddle.js waits for ever for an answer of a graphics card that was lost; whoever asked must hear of it. */
class LossGuard {
  #lost = false;
  #fail = () => {};

  /** @param {OffscreenCanvas} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    canvas.addEventListener('webglcontextlost', () => {
      this.#lost = true;
      this.#fail();
    });
  }

  /** @template T @param {() => Promise<T>} work One at a time. @returns {Promise<T>} */
  watch(work) {
    return new Promise((resolve, reject) => {
      this.#fail = () => reject(new Error('the graphics card was lost; choose another runtime, or load the page anew'));
      if (this.#lost) this.#fail();
      else work().then(resolve, reject);
    });
  }
}

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
  env.set('canvas', new OffscreenCanvas(1, 1));
  const runner = new Runner({
    modelPath: new URL(deploy.paddle_portrait.targets.paddlejs.model, base).href,
    feedShape: {fw: width, fh: height},
  });
  await runner.init();
  return {
    detail: 'Paddle.js 2.2',
    // A bare Float32Array would be taken for an ImageData, and the answer before this one be given again.
    run: (data, shape) => runner.predictWithFeed([{data, shape, name: 'image', persistable: true}]),
  };
}

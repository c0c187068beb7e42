/** One network in one runtime, in a worker of its own: pictures in, opacities out. */

import {compareWithGolden, passes} from './golden.js';
import {personProbability} from './outputs.js';
import {readPixels} from './pixels.js';
import {Preprocess} from './preprocess.js';
import {Smoother, toAlpha} from './refine.js';

const OPEN = {
  wasm: () => import('./runtimes/wasm.js'),
  webgpu: () => import('./runtimes/webgpu.js'),
  webgl: () => import('./runtimes/webgl.js'),
};
const TIMED_RUNS = 7;
const TIMING_BUDGET_MS = 700;

const smoother = new Smoother();
/** @type {{runtime: import('./runtimes/onnx.js').Runtime, preprocess: Preprocess, outputOp: string}} */
let network;

/** @param {import('./preprocess.js').Prepared} prepared @returns {Promise<Float32Array>} In the network's frame. */
async function infer({values, shape}) {
  const output = await network.runtime.run(values, shape);
  return personProbability(output, shape[2] * shape[3], network.outputOp);
}

/** @param {() => Promise<unknown>} run @returns {Promise<number>} Median of a few runs. */
async function timeRuns(run) {
  const times = [];
  const start = performance.now();
  while (times.length < TIMED_RUNS && (times.length < 1 || performance.now() - start < TIMING_BUDGET_MS)) {
    const before = performance.now();
    await run();
    times.push(performance.now() - before);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

const HANDLERS = {
  /** @param {{base: string, runtime: string}} request */
  async open({base, runtime}) {
    const folder = new URL(base);
    const read = async (name) => (await fetch(new URL(name, folder))).json();
    const [deploy, golden] = await Promise.all([read('deploy.json'), read('golden.json')]);
    if (deploy.paddle_portrait.takes_prior) throw new Error('Networks that take the mask before are not for this page.');
    const {open} = await OPEN[runtime]();
    network = {
      runtime: await open(folder, deploy),
      preprocess: new Preprocess(deploy.paddle_portrait.preprocess),
      outputOp: deploy.Deploy.output_op,
    };
    const prepare = (picture) => network.preprocess.apply(picture);
    const found = await compareWithGolden(golden, prepare, async (prepared) =>
      prepared.geometry.restore(await infer(prepared), prepared.shape[2], prepared.shape[3]));
    const zeros = prepare({data: new Uint8ClampedArray(4 * 64 * 64), height: 64, width: 64});
    return {
      ...found,
      passed: passes(runtime, found),
      milliseconds: await timeRuns(() => infer(zeros)),
      detail: network.runtime.detail,
      model: golden.name,
    };
  },

  /** @param {{source: ImageBitmap | VideoFrame | ImageData, refinement: import('./refine.js').Refinement, raw: boolean}} request */
  async segment({source, refinement, raw}) {
    const start = performance.now();
    const picture = await readPixels(source);
    source.close?.();
    const prepared = network.preprocess.apply(picture);
    const ready = performance.now();
    const found = await infer(prepared);
    const answered = performance.now();
    const [, , height, width] = prepared.shape;
    const probability = prepared.geometry.restore(smoother.apply(found, refinement.smoothing), height, width);
    const alpha = toAlpha(probability, refinement);
    const done = performance.now();
    return {
      alpha,
      probability: raw ? probability : undefined,
      width: picture.width,
      height: picture.height,
      milliseconds: {before: ready - start, network: answered - ready, after: done - answered},
    };
  },

  async reset() {
    smoother.reset();
  },
};

self.onmessage = async ({data: {id, kind, request}}) => {
  try {
    const answer = await HANDLERS[kind](request);
    const transfer = [answer?.alpha, answer?.probability].filter(Boolean).map((array) => array.buffer);
    self.postMessage({id, answer}, {transfer});
  } catch (error) {
    self.postMessage({id, error: String(error?.message ?? error)});
  }
};

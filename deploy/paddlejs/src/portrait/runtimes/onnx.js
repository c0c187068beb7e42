/** ONNX Runtime Web behind the interface of a runtime. */

/**
 * @typedef {object} Runtime
 * @property {string} detail What it runs on.
 * @property {(values: Float32Array, shape: number[]) => Promise<ArrayLike<number>>} run
 */

/**
 * @param {any} ort One build of onnxruntime-web.
 * @param {string} provider
 * @param {URL} base Folder of deploy.json.
 * @param {any} deploy
 * @returns {Promise<Runtime>}
 */
export async function openOnnx(ort, provider, base, deploy) {
  // One thread: a second gains nothing on networks this small, and would ask the server for special headers.
  ort.env.wasm.numThreads = 1;
  const url = new URL(deploy.paddle_portrait.targets.onnx.model, base);
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.pathname} cannot be loaded (${answer.status}).`);
  const session = await ort.InferenceSession.create(new Uint8Array(await answer.arrayBuffer()), {
    executionProviders: [provider],
    logSeverityLevel: 3, // its warnings come as errors of the console
  });
  const [input] = session.inputNames;
  const [output] = session.outputNames;
  return {
    detail: `ONNX Runtime Web ${ort.env.versions?.web ?? ''}`.trim(),
    async run(values, shape) {
      const tensor = new ort.Tensor('float32', values, shape);
      const answers = await session.run({[input]: tensor});
      const data = await answers[output].getData();
      answers[output].dispose();
      tensor.dispose();
      return data;
    },
  };
}

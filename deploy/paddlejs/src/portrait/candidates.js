/** Which runtimes this browser could have, and why not the others. */

const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;

/** In the order in which they are tried. */
export const RUNTIMES = ['wasm', 'webgpu', 'webgl'];

/** @type {Record<string, string>} */
export const LABELS = {wasm: 'WebAssembly', webgpu: 'WebGPU', webgl: 'WebGL'};

/**
 * @typedef {object} Candidate
 * @property {string} runtime
 * @property {string} [missing] Why it cannot run at all.
 * @property {string} [slow] Why it is not tried unless asked for.
 */

/** @returns {Promise<Candidate[]>} */
export async function findCandidates() {
  const [wasm, webgpu, webgl] = [lookForWasm(), await lookForWebgpu(), lookForWebgl()];
  return [{runtime: 'wasm', ...wasm}, {runtime: 'webgpu', ...webgpu}, {runtime: 'webgl', ...webgl}];
}

function lookForWasm() {
  return typeof WebAssembly === 'object' ? {} : {missing: 'this browser has no WebAssembly, or it is switched off'};
}

async function lookForWebgpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) return {missing: 'this browser offers no WebGPU here'};
  const {vendor = '', architecture = '', description = ''} = adapter.info ?? {};
  const software = adapter.info?.isFallbackAdapter || SOFTWARE.test(`${vendor} ${architecture} ${description}`);
  return software ? {slow: 'WebGPU is drawn in software here'} : {};
}

function lookForWebgl() {
  if (typeof OffscreenCanvas === 'undefined') return {missing: 'this browser has no WebGL in workers'};
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl) return {missing: 'this browser has no WebGL 2, or it is switched off'};
  const floats = gl.getExtension('EXT_color_buffer_float');
  const named = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(gl.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  if (!floats) return {missing: 'this graphics card draws no floating-point textures'};
  return SOFTWARE.test(renderer) ? {slow: 'WebGL is drawn in software here'} : {};
}

import * as ort from 'onnxruntime-web/wasm';
import {openOnnx} from './onnx.js';

/** @param {URL} base @param {any} deploy @returns {Promise<import('./onnx.js').Runtime>} */
export function open(base, deploy) {
  return openOnnx(ort, 'wasm', base, deploy);
}

// Runs modules of the page in Node: a job on standard input, the answer on standard output, arrays as base64.
import {readFileSync} from 'node:fs';
import {Preprocess} from '../../deploy/paddlejs/src/portrait/preprocess.js';
import {cropAround, findHead} from '../../deploy/paddlejs/src/page/id_photo.js';

const job = JSON.parse(readFileSync(0, 'utf8'));
const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'));
const text = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');

const answers = {
  preprocess({description, rgba, height, width, map}) {
    const prepared = new Preprocess(description).apply({data: bytes(rgba), height, width});
    const [, , tensorHeight, tensorWidth] = prepared.shape;
    const restored = prepared.geometry.restore(new Float32Array(bytes(map).buffer), tensorHeight, tensorWidth);
    return {shape: prepared.shape, values: text(prepared.values), restored: text(restored)};
  },
  head({alpha, height, width, ratio}) {
    const head = findHead({alpha: bytes(alpha), height, width});
    return {head, crop: head && cropAround(head, {height, width}, ratio)};
  },
};
process.stdout.write(JSON.stringify(answers[job.kind](job)));

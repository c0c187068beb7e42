/** Paddle.js looks for these names of a page, and runs in a worker once they are there. It must be imported first. */

globalThis.window = globalThis;
globalThis.HTMLVideoElement ??= class {};
globalThis.HTMLImageElement ??= class {};
globalThis.HTMLCanvasElement ??= class {};
globalThis.document ??= {createElement: () => new OffscreenCanvas(1, 1)};

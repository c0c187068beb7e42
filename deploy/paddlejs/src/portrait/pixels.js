/** The bytes of a picture or frame at its own size. */

/** @type {OffscreenCanvasRenderingContext2D | null} */
let context = null;

/**
 * @param {ImageBitmap | VideoFrame | ImageData} source
 * @returns {Promise<import('./preprocess.js').Picture>}
 */
export async function readPixels(source) {
  if (source instanceof ImageData) return source;
  if (typeof VideoFrame !== 'undefined' && source instanceof VideoFrame) {
    const copied = await copyFrame(source);
    if (copied) return copied;
  }
  const width = source.displayWidth ?? source.width;
  const height = source.displayHeight ?? source.height;
  context ??= new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
  if (context.canvas.width !== width || context.canvas.height !== height) Object.assign(context.canvas, {width, height});
  context.clearRect(0, 0, width, height);
  context.drawImage(source, 0, 0);
  return context.getImageData(0, 0, width, height);
}

/**
 * @param {VideoFrame} frame
 * @returns {Promise<import('./preprocess.js').Picture | null>} null where the browser cannot convert colours.
 */
async function copyFrame(frame) {
  const {displayWidth: width, displayHeight: height, visibleRect} = frame;
  if (visibleRect?.width !== width || visibleRect.height !== height || (frame.rotation ?? 0) !== 0) return null;
  const data = new Uint8ClampedArray(width * height * 4);
  try {
    const [plane] = await frame.copyTo(data, {format: 'RGBA'});
    return plane.stride === width * 4 ? {data, width, height} : null;
  } catch {
    return null; // older browsers copy frames in their own format only
  }
}

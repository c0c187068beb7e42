/** Where frames come from: a picture, a film, a camera. */

const LARGEST_SIDE = 4096; // canvases of some phones end there

/**
 * @typedef {object} Source
 * @property {boolean} live Frames follow one another.
 * @property {string} name
 * @property {() => boolean} hasNew There is a frame that was not grabbed yet.
 * @property {() => Promise<ImageBitmap | VideoFrame>} grab The frame now; it belongs to the caller.
 * @property {() => void} close
 */

/** A message for the visitor. */
export class SourceError extends Error {}

/** @param {Blob} blob @param {string} name @returns {Promise<Source>} */
export async function openPicture(blob, name) {
  let bitmap = await createImageBitmap(blob).catch(() => {
    throw new SourceError(`“${name}” cannot be read as a picture. JPEG, PNG, WebP and AVIF are sure to work.`);
  });
  const shrink = LARGEST_SIDE / Math.max(bitmap.width, bitmap.height);
  if (shrink < 1) {
    const [resizeWidth, resizeHeight] = [Math.round(bitmap.width * shrink), Math.round(bitmap.height * shrink)];
    bitmap = await createImageBitmap(bitmap, {resizeWidth, resizeHeight, resizeQuality: 'high'});
  }
  let grabbed = false;
  return {
    live: false,
    name,
    hasNew: () => !grabbed,
    grab() {
      grabbed = true;
      return createImageBitmap(bitmap);
    },
    close: () => bitmap.close(),
  };
}

/** @param {Blob} blob @param {string} name @returns {Promise<HTMLVideoElement>} A film that plays without sound, and loops. */
export async function playFilm(blob, name) {
  const video = document.createElement('video');
  Object.assign(video, {muted: true, loop: true, playsInline: true, src: URL.createObjectURL(blob)});
  try {
    await video.play();
    if (!video.videoWidth) throw new Error('no pictures in it');
  } catch {
    URL.revokeObjectURL(video.src);
    throw new SourceError(`“${name}” cannot be played here. WebM and MP4 (H.264) are sure to work.`);
  }
  return video;
}

/** @param {HTMLVideoElement} video */
export function stopFilm(video) {
  video.pause();
  URL.revokeObjectURL(video.src);
  video.removeAttribute('src');
}

/** @param {Blob} blob @param {string} name @returns {Promise<Source>} */
export async function openFilm(blob, name) {
  const video = await playFilm(blob, name);
  return framesOf(video, name, () => stopFilm(video));
}

/** @returns {Promise<Source>} */
export async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new SourceError('This page may not use a camera: browsers allow it on https:// and on localhost only.');
  }
  const wanted = {video: {width: {ideal: 1280}, height: {ideal: 720}, facingMode: 'user'}, audio: false};
  const stream = await navigator.mediaDevices.getUserMedia(wanted).catch((error) => {
    throw new SourceError(CAMERA_TROUBLE[error.name] ?? `The camera cannot be used: ${error.message || error.name}.`);
  });
  const video = Object.assign(document.createElement('video'), {muted: true, playsInline: true, srcObject: stream});
  await video.play();
  return framesOf(video, 'Camera', () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  });
}

/** @type {Record<string, string>} */
const CAMERA_TROUBLE = {
  NotAllowedError: 'The camera was not allowed. Allow it in the address bar, or open a file instead.',
  NotFoundError: 'No camera was found. Connect one, or open a file instead.',
  NotReadableError: 'The camera is used by another program. Close that, or open a file instead.',
  OverconstrainedError: 'The camera offers no format that this page can use.',
};

/** @param {HTMLVideoElement} video @param {string} name @param {() => void} close @returns {Source} */
function framesOf(video, name, close) {
  let fresh = true;
  let open = true;
  const watch = () => {
    fresh = true;
    if (open) video.requestVideoFrameCallback(watch);
  };
  const counted = 'requestVideoFrameCallback' in video;
  if (counted) video.requestVideoFrameCallback(watch);
  return {
    live: true,
    name,
    hasNew: () => (fresh || !counted) && video.readyState >= 2,
    async grab() {
      fresh = false;
      return typeof VideoFrame === 'undefined' ? createImageBitmap(video) : new VideoFrame(video);
    },
    close() {
      open = false;
      close();
    },
  };
}

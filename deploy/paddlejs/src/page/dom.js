/**
 * @param {string} id
 * @returns {any} The element; typed loosely, as the page is one file beside this one.
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no element '${id}'.`);
  return element;
}

/** @param {Blob} blob @param {string} name */
export function saveFile(blob, name) {
  const url = URL.createObjectURL(blob);
  Object.assign(document.createElement('a'), {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** @returns {string} Such as 2026-01-31-12-00-59, for names of files. */
export function timestamp() {
  return new Date().toISOString().slice(0, 19).replace(/[T:]/g, '-');
}

/** @param {HTMLCanvasElement} canvas @param {string} name */
export function savePicture(canvas, name) {
  canvas.toBlob((blob) => saveFile(blob, name), 'image/png');
}

/** Snapshots, recordings and ID photos: what the visitor takes along. */

import {byId, saveFile, savePicture, timestamp} from './dom.js';
import {drawIdPhoto, pixelsOf, SIZES} from './id_photo.js';
import {complain, tell} from './messages.js';
import {Recorder, recordingType} from './recorder.js';
import {offerColors} from './swatches.js';

/** @typedef {import('./studio.js').Studio} Studio */

/** @param {Studio} studio */
export function offerSnapshots(studio) {
  byId('snapshot').addEventListener('click', () => {
    const canvas = byId('transparent').checked ? studio.cutOutNow() : studio.canvas;
    savePicture(canvas, `portrait-${timestamp()}.png`);
    tell('Snapshot saved.');
  });
}

/** @param {Studio} studio */
export function offerRecording(studio) {
  const button = byId('record');
  /** @type {Recorder | null} */
  let recorder = null;
  let clock = 0;

  const start = () => {
    if (!recordingType()) {
      complain('This browser cannot record WebM. Snapshots work; Chrome, Edge and Firefox record, too.');
      return;
    }
    studio.wantsCutout = byId('transparent').checked;
    if (studio.wantsCutout) studio.cutOutNow();
    studio.restless = true;
    studio.redraw();
    recorder = new Recorder(studio.wantsCutout ? studio.cutout : studio.canvas);
    clock = setInterval(() => {
      const seconds = Math.floor((performance.now() - recorder.started) / 1000);
      byId('recording-time').textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    }, 250);
    show(true);
    tell('Recording.');
  };

  const stop = async () => {
    clearInterval(clock);
    const finished = recorder;
    recorder = null;
    show(false);
    studio.restless = studio.wantsCutout = false;
    const film = await finished.stop();
    saveFile(film, `portrait-${timestamp()}.webm`);
    tell('Recording saved.');
  };

  const show = (on) => {
    byId('recording').hidden = !on;
    byId('recording-time').textContent = '0:00';
    byId('transparent').disabled = on;
    button.setAttribute('aria-pressed', String(on));
    button.querySelector('span').textContent = on ? 'Stop' : 'Record';
  };

  button.addEventListener('click', () => (recorder ? stop() : start()));
}

/** @param {Studio} studio */
export function offerIdPhotos(studio) {
  const [canvas, select, color] = [byId('id-canvas'), byId('id-size'), byId('id-color')];
  select.replaceChildren(...SIZES.map(({name}, i) => new Option(name, String(i))));
  offerColors(byId('id-colors'), color, [
    ['White', '#ffffff'], ['Light grey', '#e5e7eb'], ['Light blue', '#bfdbfe'], ['Blue', '#438edb'], ['Red', '#d9001b'],
  ]);
  /** @type {{person: HTMLCanvasElement, mask: import('../portrait/index.js').Mask} | null} */
  let taken = null;

  const draw = () => {
    const size = SIZES[Number(select.value)];
    const {width, height} = pixelsOf(size);
    byId('id-pixels').textContent = `${width} × ${height} pixels, 300 to the inch`;
    return drawIdPhoto(canvas, taken.person, taken.mask, size, color.value);
  };

  byId('id-photo').addEventListener('click', () => {
    const person = document.createElement('canvas');
    const cutout = studio.cutOutNow();
    Object.assign(person, {width: cutout.width, height: cutout.height});
    person.getContext('2d').drawImage(cutout, 0, 0);
    taken = {person, mask: studio.shown.mask};
    if (draw()) byId('id-dialog').showModal();
    else complain('There is nobody in the picture.');
  });
  for (const input of [select, color]) input.addEventListener('input', () => taken && draw());
  byId('id-save').addEventListener('click', () => savePicture(canvas, `id-photo-${timestamp()}.png`));
}

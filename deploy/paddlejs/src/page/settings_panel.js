/** The controls on the right: what they change, and what they show. */

import {byId} from './dom.js';
import {clearComplaint, complain} from './messages.js';
import {MovingSky, paintScenes} from './scenes.js';
import {openPicture, playFilm, stopFilm} from './sources.js';
import {offerColors} from './swatches.js';

/** @typedef {import('./studio.js').Studio} Studio */

const EDGE = ['threshold', 'softness', 'smoothing'];
const COLORS = [
  ['Green screen', '#00b140'], ['White', '#ffffff'], ['Charcoal', '#1f2937'], ['Indigo', '#6d5efc'], ['Sky', '#7dd3fc'],
  ['Coral', '#fb7185'], ['Sand', '#f5deb3'],
];
const percent = (value) => `${Math.round(value * 100)} %`;
const SHOWN_AS = {
  blur: (value) => (value ? `${(value * 100).toFixed(1)} %` : 'off'),
  softness: percent,
  threshold: percent,
  smoothing: percent,
  'comment-speed': (value) => (value ? `${value} ×` : 'still'),
};

/** @returns {import('./studio.js').Settings} What the controls say. */
export function readSettings() {
  const number = (id) => Number(byId(id).value);
  return {
    background: document.querySelector('input[name=background]:checked').value,
    blur: number('blur'),
    color: byId('color').value,
    picture: null,
    film: null,
    threshold: number('threshold'),
    softness: number('softness'),
    smoothing: number('smoothing'),
  };
}

/** @param {Studio} studio */
export function connectSettings(studio) {
  connectSliders(studio);
  connectBackgrounds(studio);
  connectPictures(studio);
  connectFilms(studio);
  connectComments(studio);
}

/** @param {Studio} studio */
function connectSliders(studio) {
  for (const output of document.querySelectorAll('output')) {
    const input = byId(output.htmlFor.value);
    const show = () => {
      output.value = SHOWN_AS[input.id](Number(input.value));
      input.setAttribute('aria-valuetext', output.value);
      input.style.setProperty('--share', `${100 * (input.value - input.min) / (input.max - input.min)}%`);
    };
    input.addEventListener('input', show);
    show();
  }
  for (const id of EDGE) {
    byId(id).addEventListener('input', ({target}) => {
      studio.settings[id] = Number(target.value);
      studio.refine();
    });
  }
  byId('reset-edge').addEventListener('click', () => {
    for (const id of EDGE) {
      byId(id).value = byId(id).defaultValue;
      byId(id).dispatchEvent(new Event('input'));
    }
  });
  byId('blur').addEventListener('input', ({target}) => {
    studio.settings.blur = Number(target.value);
    studio.redraw();
  });
}

/** @param {Studio} studio */
function connectBackgrounds(studio) {
  for (const radio of document.querySelectorAll('input[name=background]')) {
    radio.addEventListener('change', () => {
      studio.settings.background = radio.value;
      for (const options of document.querySelectorAll('[data-for]')) options.hidden = options.dataset.for !== radio.value;
      studio.redraw();
    });
  }
  const color = byId('color');
  offerColors(byId('colors'), color, COLORS);
  const change = () => {
    studio.settings.color = color.value;
    byId('color-swatch').style.background = color.value;
    studio.redraw();
  };
  color.addEventListener('input', change);
  change();
}

/** @param {Studio} studio */
function connectPictures(studio) {
  const group = byId('scenes');
  const choose = (picture, chosen) => {
    studio.settings.picture = picture;
    for (const button of group.children) button.setAttribute('aria-pressed', String(button === chosen));
    studio.redraw();
  };
  const addButton = (name, picture) => {
    const button = Object.assign(document.createElement('button'), {type: 'button', title: name});
    button.setAttribute('aria-label', name);
    const preview = Object.assign(document.createElement('canvas'), {width: 160, height: 90});
    preview.getContext('2d').drawImage(picture, 0, 0, 160, 90);
    button.append(preview);
    button.addEventListener('click', () => choose(picture, button));
    group.append(button);
    return button;
  };
  for (const {name, canvas} of paintScenes()) addButton(name, canvas);
  group.children[1].click();
  byId('picture-open').addEventListener('click', () => byId('picture-file').click());
  byId('picture-file').addEventListener('change', async ({target}) => {
    const [file] = target.files;
    if (!file) return;
    await guarded(async () => {
      const picture = await (await openPicture(file, file.name)).grab();
      choose(picture, addButton(file.name, picture));
    });
    target.value = '';
  });
}

/** @param {Studio} studio */
function connectFilms(studio) {
  const sky = new MovingSky();
  /** @type {HTMLVideoElement | null} */
  let film = null;
  Object.defineProperty(studio.settings, 'film', {get: () => film ?? sky.draw(performance.now())});
  byId('film-open').addEventListener('click', () => byId('film-file').click());
  byId('film-file').addEventListener('change', async ({target}) => {
    const [file] = target.files;
    if (!file) return;
    await guarded(async () => {
      const next = await playFilm(file, file.name);
      if (film) stopFilm(film);
      film = next;
      byId('film-name').textContent = file.name;
    });
    target.value = '';
  });
}

/** @param {Studio} studio */
function connectComments(studio) {
  const {barrage} = studio;
  byId('comments').addEventListener('change', ({target}) => {
    barrage.on = target.checked;
    if (!barrage.on) barrage.clear();
    studio.redraw();
  });
  byId('comment-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = byId('comment').value.trim();
    if (!text) return;
    byId('comments').checked = true;
    barrage.send(text);
    studio.redraw();
    byId('comment').value = '';
  });
  byId('comment-speed').addEventListener('input', ({target}) => {
    barrage.speed = Number(target.value);
    studio.redraw();
  });
}

/** @param {() => Promise<void>} work Errors are shown. */
export async function guarded(work) {
  clearComplaint();
  try {
    await work();
  } catch (error) {
    complain(error.message);
  }
}

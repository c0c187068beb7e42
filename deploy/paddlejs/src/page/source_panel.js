/** Opening pictures, films and the camera. */

import {byId} from './dom.js';
import {tell} from './messages.js';
import {guarded} from './settings_panel.js';
import {openCamera, openFilm, openPicture} from './sources.js';

/** @typedef {import('./studio.js').Studio} Studio */

const NEEDING_A_SOURCE = ['compare', 'snapshot', 'record', 'id-photo'];

/** @param {Studio} studio */
export function connectSources(studio) {
  const use = (source, isCamera = false) => {
    studio.setSource(source);
    byId('camera').setAttribute('aria-pressed', String(isCamera));
    byId('welcome').hidden = Boolean(source);
    byId('stage').classList.toggle('busy', Boolean(source));
    if (!source) showStage(false);
    tell(source ? `${source.name} opened.` : 'Closed.');
  };
  const openFile = (file) => guarded(async () =>
    use(await (file.type.startsWith('video/') ? openFilm : openPicture)(file, file.name)));
  const toggleCamera = () => {
    const on = byId('camera').getAttribute('aria-pressed') === 'true';
    return on ? use(null) : guarded(async () => use(await openCamera(), true));
  };

  for (const id of ['open', 'welcome-open']) byId(id).addEventListener('click', () => byId('file').click());
  for (const id of ['camera', 'welcome-camera']) byId(id).addEventListener('click', toggleCamera);
  byId('file').addEventListener('change', ({target}) => {
    if (target.files[0]) openFile(target.files[0]);
    target.value = '';
  });
  byId('example').addEventListener('click', () => guarded(async () => {
    const blob = await (await fetch('./example.jpg')).blob();
    use(await openPicture(blob, 'Example'));
  }));
  acceptDrops(byId('stage'), openFile);
  document.addEventListener('paste', ({clipboardData}) => {
    const [file] = clipboardData?.files ?? [];
    if (file) openFile(file);
  });
  return {close: () => use(null)};
}

/** @param {boolean} there There is something to show. */
export function showStage(there) {
  byId('stage').classList.remove('busy');
  if (byId('frame').hidden === !there) return;
  byId('frame').hidden = !there;
  if (!there) byId('speed').hidden = true;
  for (const id of NEEDING_A_SOURCE) byId(id).disabled = !there;
}

/** @param {HTMLElement} target @param {(file: File) => void} openFile */
function acceptDrops(target, openFile) {
  const mark = (on) => target.classList.toggle('drop', on);
  target.addEventListener('dragover', (event) => {
    event.preventDefault();
    mark(true);
  });
  target.addEventListener('dragleave', () => mark(false));
  target.addEventListener('drop', (event) => {
    event.preventDefault();
    mark(false);
    const [file] = event.dataTransfer.files;
    if (file) openFile(file);
  });
}

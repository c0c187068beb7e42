/** The page: a studio, and the controls around it. */

import * as portrait from '../portrait/index.js';
import {Barrage} from './barrage.js';
import {offerIdPhotos, offerRecording, offerSnapshots} from './capture.js';
import {connectCompare} from './compare.js';
import {byId} from './dom.js';
import {clearComplaint, complain, tell} from './messages.js';
import {showNoRuntime, showRuntimes} from './runtime_panel.js';
import {connectSettings, readSettings} from './settings_panel.js';
import {listenForShortcuts} from './shortcuts.js';
import {connectSources, showStage} from './source_panel.js';
import {Studio} from './studio.js';

const FACTS_EVERY_MS = 400;

const studio = new Studio(byId('result'), byId('before'), readSettings(), new Barrage());
const sources = connectSources(studio);
connectSettings(studio);
connectCompare(studio);
offerSnapshots(studio);
offerRecording(studio);
offerIdPhotos(studio);
listenForShortcuts();
byId('help').addEventListener('click', () => byId('help-dialog').showModal());
byId('runtime-chip').addEventListener('click', () => byId('runtime-dialog').showModal());
byId('runtime').addEventListener('input', ({target}) => start(target.value));

let factsDue = 0;
studio.onframe = () => {
  showStage(true);
  const {width, height} = studio.canvas;
  byId('frame').style.setProperty('--ratio', String(width / height));
  byId('result').dataset.frames = String(studio.pace.frames);
  factsDue ||= setTimeout(showFacts, FACTS_EVERY_MS);
};
studio.onerror = (error) => {
  sources.close();
  complain(`The picture could not be worked on: ${error.message}.`);
};

function showFacts() {
  factsDue = 0;
  if (!studio.shown) return;
  byId('speed').hidden = false;
  byId('fps').textContent = studio.source?.live ? `${studio.pace.fps.toFixed(0)} fps · ` : '';
  byId('milliseconds').textContent = `${studio.pace.milliseconds.toFixed(0)} ms`;
}

/** @param {string} runtime */
async function start(runtime) {
  clearComplaint();
  try {
    const session = await portrait.load({runtime, onchange: showRuntimes});
    studio.session?.close();
    studio.session = session;
    studio.refine();
    tell('Ready.');
    await session.settled;
    document.documentElement.dataset.settled = runtime;
  } catch (error) {
    if (studio.session) showRuntimes(studio.session);
    else showNoRuntime('Cannot run');
    complain(error.message);
  }
}

// For whoever wants to try the module in the console.
globalThis.paddlePortrait = {...portrait, studio};
start(new URLSearchParams(location.search).get('runtime') ?? 'auto');

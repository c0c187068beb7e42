/** Shows which runtime is used, and how the others did. */

import {LABELS} from '../portrait/index.js';
import {byId} from './dom.js';

/** @param {import('../portrait/session.js').Session} session */
export function showRuntimes(session) {
  const {used} = session;
  byId('runtime-name').textContent = used ? `${LABELS[used.runtime]} · ${format(used.milliseconds)}` : 'Starting…';
  byId('runtime-dot').dataset.state = used ? 'ready' : 'waiting';
  document.documentElement.dataset.runtime = used?.runtime ?? '';
  byId('model').textContent = session.model || '–';
  byId('trials').replaceChildren(...session.trials.map(rowOf));
}

/** @param {string} text */
export function showNoRuntime(text) {
  byId('runtime-name').textContent = text;
  byId('runtime-dot').dataset.state = 'failed';
}

/** @param {import('../portrait/session.js').Trial} trial */
function rowOf(trial) {
  const row = document.createElement('tr');
  row.dataset.runtime = trial.runtime;
  row.dataset.state = trial.state;
  if (trial.difference !== undefined) row.dataset.difference = String(trial.difference);
  const name = document.createElement('th');
  name.scope = 'row';
  name.textContent = LABELS[trial.runtime];
  const [check, time] = [document.createElement('td'), document.createElement('td')];
  check.textContent = describe(trial);
  time.textContent = trial.milliseconds === undefined ? '–' : format(trial.milliseconds);
  row.append(name, check, time);
  return row;
}

/** @param {import('../portrait/session.js').Trial} trial @returns {string} */
function describe({state, difference, reason}) {
  const off = difference?.toExponential(0);
  switch (state) {
    case 'used': return `right (± ${off}), in use`;
    case 'right': return `right (± ${off})`;
    case 'wrong': return `wrong (± ${off}), not used`;
    case 'failed': return `failed: ${reason}`;
    case 'trying': return 'being tried…';
    case 'waiting': return 'waits';
    default: return `not tried: ${reason}`;
  }
}

/** @param {number} milliseconds @returns {string} */
function format(milliseconds) {
  return `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
}

/** What the page tells: problems in a box, everything else to screen readers. */

import {byId} from './dom.js';

/** @param {string} text */
export function tell(text) {
  byId('status').textContent = text;
}

/** @param {string} text What went wrong, and what can be done. */
export function complain(text) {
  byId('message-text').textContent = text;
  byId('message').hidden = false;
}

export function clearComplaint() {
  byId('message').hidden = true;
}

byId('message-close').addEventListener('click', clearComplaint);

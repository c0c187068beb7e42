/** One key for what is done often. Keys typed into a field stay there. */

import {byId} from './dom.js';

const BUTTONS = {
  o: 'open', c: 'camera', b: 'compare', s: 'snapshot', r: 'record', i: 'id-photo', m: 'comments', '?': 'help',
};

export function listenForShortcuts() {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (document.querySelector('dialog[open]') || event.target.matches('input[type=text], select')) return;
    const key = event.key.toLowerCase();
    if (key in BUTTONS) byId(BUTTONS[key]).click();
    else if (/^[1-6]$/.test(key)) document.querySelectorAll('input[name=background]')[Number(key) - 1].click();
    else return;
    event.preventDefault();
  });
}

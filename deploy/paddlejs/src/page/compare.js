/** Before on the left, after on the right of a border that can be moved. */

import {byId} from './dom.js';

/** @param {import('./studio.js').Studio} studio */
export function connectCompare(studio) {
  const [button, border] = [byId('compare'), byId('split-at')];
  const move = () => byId('frame').style.setProperty('--split', `${border.value}%`);
  border.addEventListener('input', move);
  move();
  button.addEventListener('click', () => {
    const on = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(on));
    studio.wantsBefore = on;
    studio.redraw();
    byId('before').hidden = byId('split').hidden = !on;
    if (on) border.focus();
  });
}

/** A row of colours beside a free choice. */

/** @param {HTMLElement} group @param {HTMLInputElement} input @param {[string, string][]} colors Name and #rrggbb. */
export function offerColors(group, input, colors) {
  const buttons = colors.map(([name, color]) => {
    const button = Object.assign(document.createElement('button'), {type: 'button', title: name});
    button.style.background = color;
    button.setAttribute('aria-label', name);
    button.addEventListener('click', () => {
      input.value = color;
      input.dispatchEvent(new Event('input', {bubbles: true}));
    });
    return button;
  });
  const mark = () => buttons.forEach((button, i) =>
    button.setAttribute('aria-pressed', String(colors[i][1] === input.value)));
  input.addEventListener('input', mark);
  group.replaceChildren(...buttons);
  mark();
}

/** Backgrounds that the page paints itself, so that there are some before the visitor opens a file. */

const [WIDTH, HEIGHT] = [1280, 720];

/** @param {(context: CanvasRenderingContext2D) => void} paint @returns {HTMLCanvasElement} */
function paintScene(paint) {
  const canvas = Object.assign(document.createElement('canvas'), {width: WIDTH, height: HEIGHT});
  paint(canvas.getContext('2d'));
  return canvas;
}

/** @param {CanvasRenderingContext2D} context @param {string[]} colors */
function fillDown(context, colors) {
  const gradient = context.createLinearGradient(0, 0, 0, HEIGHT);
  colors.forEach((color, i) => gradient.addColorStop(i / (colors.length - 1), color));
  context.fillStyle = gradient;
  context.fillRect(0, 0, WIDTH, HEIGHT);
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} radius @param {string} rgb @param {number} opacity */
function glow(context, x, y, radius, rgb, opacity) {
  const gradient = context.createRadialGradient(x, y, 0, x, y, radius);
  gradient.addColorStop(0, `rgb(${rgb} / ${opacity}%)`);
  gradient.addColorStop(1, `rgb(${rgb} / 0%)`); // 'transparent' would be black on the way
  context.fillStyle = gradient;
  context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
}

/** @param {CanvasRenderingContext2D} context @param {number} base @param {number} rise @param {number} phase @param {string} color */
function hills(context, base, rise, phase, color) {
  context.fillStyle = color;
  context.beginPath();
  context.moveTo(0, HEIGHT);
  for (let x = 0; x <= WIDTH; x += 8) {
    context.lineTo(x, base - rise * (Math.sin(x / 170 + phase) + 0.5 * Math.sin(x / 71 + 2 * phase)));
  }
  context.lineTo(WIDTH, HEIGHT);
  context.fill();
}

/** @type {{name: string, paint: (context: CanvasRenderingContext2D) => void}[]} */
const SCENES = [
  {
    name: 'Studio',
    paint(context) {
      fillDown(context, ['#4b5563', '#374151', '#111827']);
      glow(context, WIDTH * 0.5, HEIGHT * 0.4, 620, '226 232 240', 75);
    },
  },
  {
    name: 'Evening hills',
    paint(context) {
      fillDown(context, ['#1e1b4b', '#7c3aed', '#fb7185', '#fdba74']);
      glow(context, WIDTH * 0.72, HEIGHT * 0.62, 300, '255 244 214', 95);
      hills(context, 560, 34, 1, '#6d3f7a');
      hills(context, 630, 28, 2.4, '#432a5e');
      hills(context, 690, 18, 4, '#231a3d');
    },
  },
  {
    name: 'City lights',
    paint(context) {
      fillDown(context, ['#0b1026', '#172554', '#3b1d4a']);
      const colors = ['255 183 77', '255 112 160', '96 165 250', '253 224 130'];
      for (let i = 0; i < 60; i++) {
        const x = (i * 379) % WIDTH;
        const y = HEIGHT * 0.3 + ((i * 211) % (HEIGHT * 0.7));
        context.fillStyle = `rgb(${colors[i % 4]} / ${18 + (i * 7) % 30}%)`;
        context.beginPath();
        context.arc(x, y, 18 + (i * 13) % 46, 0, 7);
        context.fill();
      }
    },
  },
  {
    name: 'Mint',
    paint(context) {
      fillDown(context, ['#d9f7ec', '#9be3cf']);
      glow(context, WIDTH * 0.2, HEIGHT * 0.2, 700, '255 255 255', 90);
      glow(context, WIDTH * 0.9, HEIGHT * 0.9, 600, '45 156 173', 45);
    },
  },
];

/** @returns {{name: string, canvas: HTMLCanvasElement}[]} */
export function paintScenes() {
  return SCENES.map(({name, paint}) => ({name, canvas: paintScene(paint)}));
}

/** A sky whose clouds drift, drawn whenever it is looked at: the film before the visitor chooses one. */
export class MovingSky {
  canvas = paintScene((context) => fillDown(context, ['#3b82f6', '#93c5fd', '#e0f2fe']));

  /** @param {number} now Milliseconds. */
  draw(now) {
    const context = this.canvas.getContext('2d');
    fillDown(context, ['#3b82f6', '#93c5fd', '#e0f2fe']);
    for (let i = 0; i < 14; i++) {
      const x = ((i * 317 + now * (0.02 + 0.004 * (i % 5))) % (WIDTH + 600)) - 300;
      glow(context, x, 90 + (i * 97) % 420, 130 + (i * 41) % 120, '255 255 255', 75);
    }
    return this.canvas;
  }
}

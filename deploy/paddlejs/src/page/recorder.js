/** What a canvas shows, as a WebM file; opacity is kept. */

const TYPES = ['video/webm;codecs=vp9', 'video/webm;codecs=vp8', 'video/webm'];
const FRAMES_A_SECOND = 30;
const BITS_A_SECOND = 8_000_000;

/** @returns {string | undefined} */
export function recordingType() {
  return globalThis.MediaRecorder && TYPES.find((type) => MediaRecorder.isTypeSupported(type));
}

export class Recorder {
  /** @type {Blob[]} */
  #parts = [];
  #recorder;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.started = performance.now();
    this.stream = canvas.captureStream(FRAMES_A_SECOND);
    this.#recorder = new MediaRecorder(this.stream, {mimeType: recordingType(), videoBitsPerSecond: BITS_A_SECOND});
    this.#recorder.ondataavailable = ({data}) => this.#parts.push(data);
    this.#recorder.start(1000);
  }

  /** @returns {Promise<Blob>} */
  stop() {
    return new Promise((resolve) => {
      this.#recorder.onstop = () => {
        for (const track of this.stream.getTracks()) track.stop();
        resolve(new Blob(this.#parts, {type: 'video/webm'}));
      };
      this.#recorder.stop();
    });
  }
}

/** The page's end of a worker: questions and answers by number. */

export class WorkerClient {
  #worker = new Worker(new URL('./worker.js', import.meta.url), {type: 'module'});
  #waiting = new Map();
  #last = 0;
  #closed = '';

  constructor() {
    this.#worker.onmessage = ({data}) => {
      const {resolve, reject} = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error === undefined) resolve(data.answer);
      else reject(new Error(data.error));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.close(event.message || 'the worker cannot be started');
    };
  }

  /**
   * @param {string} kind
   * @param {object} [request]
   * @param {Transferable[]} [transfer]
   * @returns {Promise<any>}
   */
  ask(kind, request, transfer = []) {
    if (this.#closed) return Promise.reject(new Error(this.#closed)); // nobody would answer
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {resolve, reject});
      this.#worker.postMessage({id, kind, request}, transfer);
    });
  }

  /** @param {string} [reason] What those who still wait are told. */
  close(reason = 'the worker was closed') {
    this.#closed = reason;
    this.#worker.terminate();
    for (const {reject} of this.#waiting.values()) reject(new Error(reason));
    this.#waiting.clear();
  }
}

/** What preprocessing did to the frame of a picture, and its undoing. */

import {resizeMap} from './resize.js';

export class Geometry {
  /** @type {{border: boolean, height: number, width: number}[]} */
  #steps = [];

  /** Note that a frame of this size was scaled. @param {number} height @param {number} width */
  scaledFrom(height, width) {
    this.#steps.push({border: false, height, width});
  }

  /** Note that a frame of this size got a border on the right and below. @param {number} height @param {number} width */
  borderedFrom(height, width) {
    this.#steps.push({border: true, height, width});
  }

  /**
   * Bring a map of the network's frame back to the picture's: borders are cut off, and one scaling undoes all.
   *
   * @param {Float32Array} map
   * @param {number} height
   * @param {number} width
   * @returns {Float32Array}
   */
  restore(map, height, width) {
    let result = map;
    let [atHeight, atWidth, toHeight, toWidth] = [height, width, height, width];
    for (const step of [...this.#steps].reverse()) {
      if (step.border) {
        result = cut(resizeMap(result, atHeight, atWidth, toHeight, toWidth), toWidth, step.height, step.width);
        [atHeight, atWidth] = [step.height, step.width];
      }
      [toHeight, toWidth] = [step.height, step.width];
    }
    return resizeMap(result, atHeight, atWidth, toHeight, toWidth);
  }
}

/**
 * @param {Float32Array} map
 * @param {number} mapWidth
 * @param {number} height
 * @param {number} width
 * @returns {Float32Array} The map's upper left corner.
 */
function cut(map, mapWidth, height, width) {
  const result = new Float32Array(height * width);
  for (let row = 0; row < height; row++) {
    result.set(map.subarray(row * mapWidth, row * mapWidth + width), row * width);
  }
  return result;
}

const BROWSER = [
  'Blob', 'Event', 'File', 'HTMLCanvasElement', 'ImageBitmap', 'ImageData', 'MediaRecorder', 'OffscreenCanvas', 'Option', 'URL',
  'URLSearchParams', 'VideoFrame', 'WebAssembly', 'Worker', 'atob', 'clearInterval', 'console', 'createImageBitmap', 'document',
  'fetch', 'location', 'navigator', 'performance', 'requestAnimationFrame', 'self', 'setInterval', 'setTimeout',
];

export default [{
  files: ['src/**/*.js'],
  languageOptions: {ecmaVersion: 2023, sourceType: 'module', globals: Object.fromEntries(BROWSER.map((name) => [name, 'readonly']))},
  rules: {
    'eqeqeq': 'error', 'no-console': 'error', 'no-shadow': 'error', 'no-undef': 'error', 'no-unused-vars': 'error', 'no-var': 'error',
    'no-empty': 'error', 'no-unreachable': 'error', 'no-dupe-keys': 'error', 'prefer-const': 'error', 'max-lines': ['error', 300],
    'max-lines-per-function': ['error', 80],
  },
}];

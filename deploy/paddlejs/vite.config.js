import {defineConfig} from 'vite';

export default defineConfig({
  base: './', // the page works from any folder of a site
  build: {target: 'es2022', modulePreload: {polyfill: false}, chunkSizeWarningLimit: 600},
  worker: {format: 'es'},
});

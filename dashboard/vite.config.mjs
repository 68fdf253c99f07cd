// The page: built into dist/dashboard by bin/build.mjs; `npx vite dashboard` serves it while it is being worked on.
import path from 'node:path';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  build: {
    outDir: path.join(import.meta.dirname, '..', 'dist', 'dashboard'),
    emptyOutDir: true,
    target: 'es2022',
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: {
    proxy: { '/api': process.env.SPOTKEEPER_API ?? 'http://127.0.0.1:8400' },
  },
  logLevel: 'warn',
});

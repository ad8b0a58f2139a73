import { resolve } from 'node:path';

import { defineConfig } from '@rsbuild/core';
import { pluginReact } from '@rsbuild/plugin-react';

/** Perses's runtime shares these with the plugins: they must be the one copy that our code has, or a plugin sees a React
 *  and contexts of its own ("No QueryClient set"). */
const SHARED = [
  'react',
  'react-dom',
  'react-router-dom',
  'react-hook-form',
  '@tanstack/react-query',
  '@emotion/react',
  '@emotion/styled',
  '@perses-dev/core',
  '@perses-dev/components',
  '@perses-dev/plugin-system',
  '@perses-dev/dashboards',
  '@perses-dev/explore',
  'date-fns',
  'lodash',
  'immer',
  'use-resize-observer',
];

/** In development: the Perses server that the page talks to, and whether the plugin comes from `npm run dev`. */
const PERSES = process.env['PERSES_URL'] ?? 'http://127.0.0.1:8080';
const PLUGIN_DEV = process.env['PLUGIN_DEV_URL'] ?? 'http://localhost:3117';

export default defineConfig({
  plugins: [pluginReact()],
  source: { entry: { index: './src/page/index.tsx' } },
  html: { template: './src/page/index.html' },
  resolve: {
    dedupe: SHARED,
    alias: Object.fromEntries(
      SHARED.filter((name) => name.startsWith('@perses-dev/')).map((name) => [
        `${name}$`,
        resolve(import.meta.dirname ?? '.', 'node_modules', name, 'dist/index.js'),
      ]),
    ),
  },
  server: {
    port: 3118,
    historyApiFallback: true,
    proxy: {
      '/plugins/PersAI': { target: PLUGIN_DEV, changeOrigin: true },
      '/plugins': { target: PERSES },
      '/api': { target: PERSES },
      '/proxy': { target: PERSES },
    },
  },
  output: {
    distPath: { root: 'dist/page', js: 'static/js', css: 'static/css', font: 'static/font' },
    assetPrefix: '/',
  },
  performance: { chunkSplit: { strategy: 'split-by-experience' } },
  tools: {
    rspack: {
      module: {
        rules: [
          // Its package.json does not say, as that of its siblings does, that what is not used can be left out.
          { test: /@perses-dev[\\/]components[\\/]dist[\\/].*\.js$/, sideEffects: false },
          {
            test: /plugin-system[\\/]dist[\\/]remote[\\/]PluginRuntime\.js$/,
            use: [resolve(import.meta.dirname ?? '.', 'src/page/on-demand.cjs')],
          },
        ],
      },
    },
  },
});

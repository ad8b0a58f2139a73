import { pluginModuleFederation } from '@module-federation/rsbuild-plugin';
import { defineConfig } from '@rsbuild/core';
import { pluginReact } from '@rsbuild/plugin-react';

/** The module's name: Perses serves its files under /plugins/PersAI/. */
const NAME = 'PersAI';
const ASSETS = `/plugins/${NAME}/`;

export default defineConfig({
  plugins: [
    pluginReact(),
    pluginModuleFederation({
      name: NAME,
      dts: false,
      runtime: false,
      getPublicPath: `function() { const prefix = window.PERSES_PLUGIN_ASSETS_PATH || window.PERSES_APP_CONFIG?.api_prefix || ""; return prefix + "${ASSETS}"; }`,
      exposes: {
        './PersAIExplorer': './src/explore/PersAIExplorer.tsx',
        './PersAIChatPanel': './src/panel/PersAIChatPanel.tsx',
        './PersAIDatasource': './src/datasource/PersAIDatasource.ts',
      },
      // What the Perses page brings; `import: false` would save bytes but leave no fallback, which Perses's own
      // plugins have too.
      shared: {
        react: { requiredVersion: '^18.2.0', singleton: true },
        'react-dom': { requiredVersion: '^18.2.0', singleton: true },
        'react-router-dom': { singleton: true },
        'react-hook-form': { singleton: true },
        '@tanstack/react-query': { singleton: true },
        '@emotion/react': { requiredVersion: '^11.11.3', singleton: true },
        '@emotion/styled': { singleton: true },
        '@perses-dev/core': { singleton: true },
        '@perses-dev/components': { singleton: true },
        '@perses-dev/plugin-system': { singleton: true },
        '@perses-dev/dashboards': { singleton: true },
        '@perses-dev/explore': { singleton: true },
        echarts: { singleton: true },
        'date-fns': { singleton: true },
        lodash: { singleton: true },
      },
    }),
  ],
  source: { entry: { main: './src/index-federation.ts' } },
  server: { port: 3117, cors: { origin: '*' } },
  dev: { assetPrefix: ASSETS },
  output: {
    assetPrefix: ASSETS,
    distPath: { root: 'dist/plugin', js: '__mf/js', css: '__mf/css', font: '__mf/font' },
    sourceMap: false,
  },
  tools: {
    htmlPlugin: false,
    rspack: (config) => {
      if (process.env['NODE_ENV'] !== 'development') config.output = { ...config.output, publicPath: 'auto' };
      return config;
    },
  },
});

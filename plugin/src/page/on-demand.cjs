// Perses's runtime hands the libraries that it shares to plugins by require(), so all of them, every icon and chart
// too, would be in what the browser loads first. A loader: each is loaded when a plugin first asks for it. "loaded"
// keeps what it means today: the page's copy is taken, also by a plugin that has a newer one with it; so the plugin's
// own copies are not fetched ahead either.
const SHARED = /lib: ?\(\) ?=> ?require\('([^']+)'\)/g;
// What is a function with members (lodash) comes from import() as the default of an object that has nothing else.
const WHOLE = "(it) => Object.keys(it).join() === 'default' ? it.default : it";
const MADE = 'instance = pluginRuntime;';
const REMOTES = 'remotes: [],';

module.exports = function onDemand(source) {
  SHARED.lastIndex = 0;
  if (!SHARED.test(source) || !source.includes(MADE) || !source.includes(REMOTES))
    this.emitError(new Error('Perses shares its libraries in another way now'));
  return source
    .replace(SHARED, `loaded: true, get: () => import('$1').then((library) => () => (${WHOLE})(library))`)
    .replace(
      REMOTES,
      `${REMOTES} plugins: [{ name: 'persai-page', generatePreloadAssets: async () =>
        ({ cssAssets: [], jsAssetsWithoutEntry: [], entryAssets: [] }) }],`,
    )
    .replace(MADE, `${MADE} pluginRuntime.initializeSharing('default');`);
};

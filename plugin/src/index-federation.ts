// The entry of the federated build. What Perses loads are the modules under `exposes` in rsbuild.config.ts.
export {};

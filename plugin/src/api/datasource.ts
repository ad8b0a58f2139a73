// Where a datasource of Perses is reached, as the gateway and its tools name it. Pure.

/** A datasource by the path of Perses's proxy. */
export interface DatasourceRef {
  /** `/proxy/globaldatasources/NAME`, `/proxy/projects/P/datasources/NAME` or that of a dashboard's own one. */
  readonly path: string;
  readonly name: string;
  /** undefined: it is a global one. */
  readonly project?: string;
}

/** Names as Perses allows them. */
const NAME = '([A-Za-z0-9_.-]{1,75})';
const GLOBAL = new RegExp(`^/proxy/globaldatasources/${NAME}$`);
const OF_PROJECT = new RegExp(`^/proxy/projects/${NAME}(?:/dashboards/${NAME})?/datasources/${NAME}$`);

function isDots(part: string): boolean {
  return part === '.' || part === '..';
}

/** Is it one that Perses could have, and that an address can hold? */
export function isName(text: string): boolean {
  return /^[A-Za-z0-9_.-]{1,75}$/.test(text) && !isDots(text);
}

/** undefined: it is no such path. */
export function datasourceOf(path: string): DatasourceRef | undefined {
  if (path.split('/').some(isDots)) return undefined;
  const name = GLOBAL.exec(path)?.[1];
  if (name !== undefined) return { path, name };
  const [, project, , own] = OF_PROJECT.exec(path) ?? [];
  return project === undefined || own === undefined ? undefined : { path, name: own, project };
}

export function globalPath(name: string): string {
  return `/proxy/globaldatasources/${name}`;
}

export function projectPath(project: string, name: string): string {
  return `/proxy/projects/${project}/datasources/${name}`;
}

/** As a person reads it. */
export function datasourceLabel({ name, project }: DatasourceRef): string {
  return project === undefined ? name : `${project} / ${name}`;
}

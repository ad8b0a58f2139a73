// Perses's own API, asked as the signed-in person: projects, dashboards, datasources. Requests go through the fetch of
// @perses-dev/core, as those of Perses itself.
import {
  DashboardResource,
  DatasourceResource,
  GlobalDatasourceResource,
  ProjectResource,
  Variable,
  fetchJson,
} from '@perses-dev/core';

import { asList, asObject, asText } from './events';
import { readDashboards, readDatasources, readProjects, readVariables, wholeDashboard } from './resources';

/** A large Prometheus has more than a list can hold. */
/** More than a person is asked to choose from. */
const FIRING_MAX = 20;
const METRICS_MAX = 20_000;
const HEADERS = { 'Content-Type': 'application/json' };

export interface PersesApi {
  /** The path that Perses is served under, mostly empty. */
  readonly prefix: string;
  listGlobalDatasources(): Promise<readonly GlobalDatasourceResource[]>;
  /** Of all projects that the person may see. */
  listDatasources(): Promise<readonly DatasourceResource[]>;
  listProjects(): Promise<readonly ProjectResource[]>;
  /** As readDashboard() gives them: not to be written back. */
  listDashboards(project: string): Promise<readonly DashboardResource[]>;
  /** Those that dashboards of the project can use without defining them: the project's own, then the global ones. Those
   *  that the person may not read are not among them. */
  listVariables(project: string): Promise<readonly Variable[]>;
  /** Names of the metrics of a datasource of Prometheus, by its path. */
  listMetrics(path: string): Promise<readonly string[]>;
  /** Names of the alerts that fire, by rules of a datasource of Prometheus. */
  listFiring(path: string): Promise<readonly string[]>;
  /** All of it, to be changed and written back. */
  getDashboard(project: string, name: string): Promise<DashboardResource>;
  createDashboard(dashboard: DashboardResource): Promise<DashboardResource>;
  /** Refused with 409 when the dashboard has changed since it was read. */
  updateDashboard(dashboard: DashboardResource): Promise<DashboardResource>;
}

export function statusOf(error: unknown): number | undefined {
  const status =
    typeof error === 'object' && error !== null ? (error as { status?: unknown }).status : undefined;
  return typeof status === 'number' ? status : undefined;
}

export function createPersesApi(prefix: string): PersesApi {
  const projects = `${prefix}/api/v1/projects`;
  const dashboards = (project: string): string => `${projects}/${encodeURIComponent(project)}/dashboards`;
  const write = (method: 'POST' | 'PUT', url: string, body: unknown): Promise<DashboardResource> =>
    fetchJson<DashboardResource>(url, { method, headers: HEADERS, body: JSON.stringify(body) });
  const read = (url: string): Promise<unknown> => fetchJson<unknown>(url, { headers: HEADERS });
  const listed = async (url: string): Promise<readonly Variable[]> => {
    try {
      return readVariables(await read(url));
    } catch (error) {
      if (statusOf(error) === 403) return [];
      throw error;
    }
  };
  return {
    prefix,
    listGlobalDatasources: async () => readDatasources(await read(`${prefix}/api/v1/globaldatasources`)),
    listDatasources: async () => readDatasources(await read(`${prefix}/api/v1/datasources`)),
    listProjects: async () => readProjects(await read(projects)),
    listDashboards: async (project) => readDashboards(await read(dashboards(project))),
    listVariables: async (project) => {
      const [own, global] = await Promise.all([
        listed(`${projects}/${encodeURIComponent(project)}/variables`),
        listed(`${prefix}/api/v1/globalvariables`),
      ]);
      return [...own, ...global];
    },
    listMetrics: async (path) => {
      const answer = asObject(await read(`${prefix}${path}/api/v1/label/__name__/values`));
      return asList(answer?.['data'])
        .map(asText)
        .filter((name) => name !== '')
        .slice(0, METRICS_MAX);
    },
    listFiring: async (path) => {
      const query = encodeURIComponent('count by (alertname) (ALERTS{alertstate="firing"})');
      const answer = asObject(await read(`${prefix}${path}/api/v1/query?query=${query}`));
      return asList(asObject(answer?.['data'])?.['result'])
        .map((one) => asText(asObject(asObject(one)?.['metric'])?.['alertname']))
        .filter((name) => name !== '')
        .sort()
        .slice(0, FIRING_MAX);
    },
    getDashboard: async (project, name) =>
      wholeDashboard(await read(`${dashboards(project)}/${encodeURIComponent(name)}`)),
    createDashboard: (dashboard) => write('POST', dashboards(dashboard.metadata.project), dashboard),
    updateDashboard: (dashboard) =>
      write(
        'PUT',
        `${dashboards(dashboard.metadata.project)}/${encodeURIComponent(dashboard.metadata.name)}`,
        dashboard,
      ),
  };
}

// Perses's own API, asked as the signed-in person: projects, dashboards, datasources. Requests go through the fetch of
// @perses-dev/core, as those of Perses itself.
import {
  DashboardResource,
  DatasourceResource,
  GlobalDatasourceResource,
  ProjectResource,
  fetchJson,
} from '@perses-dev/core';

const HEADERS = { 'Content-Type': 'application/json' };

export interface PersesApi {
  /** The path that Perses is served under, mostly empty. */
  readonly prefix: string;
  listGlobalDatasources(): Promise<readonly GlobalDatasourceResource[]>;
  /** Of all projects that the person may see. */
  listDatasources(): Promise<readonly DatasourceResource[]>;
  listProjects(): Promise<readonly ProjectResource[]>;
  listDashboards(project: string): Promise<readonly DashboardResource[]>;
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
  return {
    prefix,
    listGlobalDatasources: () => fetchJson(`${prefix}/api/v1/globaldatasources`, { headers: HEADERS }),
    listDatasources: () => fetchJson(`${prefix}/api/v1/datasources`, { headers: HEADERS }),
    listProjects: () => fetchJson(projects, { headers: HEADERS }),
    listDashboards: (project) => fetchJson(dashboards(project), { headers: HEADERS }),
    getDashboard: (project, name) =>
      fetchJson(`${dashboards(project)}/${encodeURIComponent(name)}`, { headers: HEADERS }),
    createDashboard: (dashboard) => write('POST', dashboards(dashboard.metadata.project), dashboard),
    updateDashboard: (dashboard) =>
      write(
        'PUT',
        `${dashboards(dashboard.metadata.project)}/${encodeURIComponent(dashboard.metadata.name)}`,
        dashboard,
      ),
  };
}

// Perses's own API, asked as the signed-in person: projects, dashboards, datasources. Requests go through the fetch of
// @perses-dev/core, as those of Perses itself.
import {
  DashboardResource,
  DatasourceResource,
  GlobalDatasourceResource,
  GlobalVariableResource,
  ProjectResource,
  Variable,
  VariableResource,
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
  /** Those that dashboards of the project can use without defining them: the project's own, then the global ones. Those
   *  that the person may not read are not among them. */
  listVariables(project: string): Promise<readonly Variable[]>;
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
  const listed = async <T>(url: string): Promise<readonly T[]> => {
    try {
      return await fetchJson<readonly T[]>(url, { headers: HEADERS });
    } catch (error) {
      if (statusOf(error) === 403) return [];
      throw error;
    }
  };
  return {
    prefix,
    listGlobalDatasources: () => fetchJson(`${prefix}/api/v1/globaldatasources`, { headers: HEADERS }),
    listDatasources: () => fetchJson(`${prefix}/api/v1/datasources`, { headers: HEADERS }),
    listProjects: () => fetchJson(projects, { headers: HEADERS }),
    listDashboards: (project) => fetchJson(dashboards(project), { headers: HEADERS }),
    listVariables: async (project) => {
      const [own, global] = await Promise.all([
        listed<VariableResource>(`${projects}/${encodeURIComponent(project)}/variables`),
        listed<GlobalVariableResource>(`${prefix}/api/v1/globalvariables`),
      ]);
      return [...own, ...global];
    },
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

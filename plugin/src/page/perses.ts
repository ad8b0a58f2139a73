// What the page itself asks of Perses: who is signed in, datasources, sign-in and sign-out. Like Perses's own
// UI it refreshes an access token that has expired, once, and repeats the request.
import {
  DashboardResource,
  DatasourceResource,
  DatasourceSelector,
  GlobalDatasourceResource,
} from '@perses-dev/core';
import { DatasourceApi } from '@perses-dev/dashboards';

import { t } from '../i18n/i18n';

const plainFetch: typeof fetch = globalThis.fetch.bind(globalThis);
const SIGNED_OUT = 'persai-signed-out';

let refreshing: Promise<boolean> | undefined;

async function refresh(): Promise<boolean> {
  const response = await plainFetch('/api/auth/refresh', {
    method: 'POST',
    body: '{}',
    headers: JSON_HEADERS,
  });
  return response.ok;
}

const JSON_HEADERS = { 'Content-Type': 'application/json' };

/** One refresh for however many requests that found the token expired. */
export function enableRefresh(): void {
  globalThis.fetch = async (...args: Parameters<typeof fetch>): Promise<Response> => {
    const response = await plainFetch(...args);
    if (response.status !== 401) return response;
    refreshing ??= refresh()
      .catch(() => false)
      .finally(() => {
        refreshing = undefined;
      });
    if (await refreshing) return plainFetch(...args);
    globalThis.dispatchEvent(new Event(SIGNED_OUT));
    return response;
  };
}

export function onSignedOut(listener: () => void): () => void {
  globalThis.addEventListener(SIGNED_OUT, listener);
  return () => globalThis.removeEventListener(SIGNED_OUT, listener);
}

/** undefined: nobody is signed in. */
export async function whoami(): Promise<string | undefined> {
  const response = await fetch('/api/v1/user/whoami');
  if (response.status === 401) return undefined;
  if (!response.ok) throw new Error(t('page.answered', { status: response.status }));
  const user = (await response.json()) as { metadata?: { name?: string } };
  return user.metadata?.name;
}

export async function isAuthEnabled(): Promise<boolean> {
  const response = await fetch('/api/config');
  if (!response.ok) return true;
  const config = (await response.json()) as { security?: { enable_auth?: boolean } };
  return config.security?.enable_auth === true;
}

export async function signIn(login: string, password: string): Promise<void> {
  const response = await plainFetch('/api/auth/providers/native/login', {
    method: 'POST',
    headers: JSON_HEADERS,
    body: JSON.stringify({ login, password }),
  });
  if (response.ok) return;
  const wrong = response.status === 400 || response.status === 401;
  throw new Error(wrong ? t('page.wrongPassword') : t('page.answered', { status: response.status }));
}

export async function signOut(): Promise<void> {
  await plainFetch('/api/auth/logout');
}

async function list<T>(path: string): Promise<T[]> {
  const response = await fetch(path);
  if (!response.ok)
    throw Object.assign(new Error(t('page.answered', { status: response.status })), {
      status: response.status,
    });
  return (await response.json()) as T[];
}

/** All that the person may see. */
export async function listDashboards(): Promise<DashboardResource[]> {
  return list('/api/v1/dashboards');
}

function matches(
  { metadata, spec }: GlobalDatasourceResource | DatasourceResource,
  { kind, name }: DatasourceSelector,
): boolean {
  if (spec.plugin.kind !== kind) return false;
  return name === undefined || name === ''
    ? spec.default
    : metadata.name.toLowerCase() === name.toLowerCase();
}

async function ofProject(project: string): Promise<DatasourceResource[]> {
  return list(`/api/v1/projects/${encodeURIComponent(project)}/datasources`);
}

export const datasourceApi: DatasourceApi = {
  buildProxyUrl: ({ project, dashboard, name }) => {
    const parts = [
      project === undefined && dashboard === undefined ? 'globaldatasources' : 'datasources',
      name,
    ];
    if (dashboard !== undefined) parts.unshift('dashboards', dashboard);
    if (project !== undefined) parts.unshift('projects', project);
    return `/proxy/${parts.map(encodeURIComponent).join('/')}`;
  },
  getDatasource: async (project, selector) =>
    (await ofProject(project)).find((one) => matches(one, selector)),
  getGlobalDatasource: async (selector) =>
    (await list<GlobalDatasourceResource>('/api/v1/globaldatasources')).find((one) => matches(one, selector)),
  listDatasources: async (project, kind) =>
    (await ofProject(project)).filter(({ spec }) => kind === undefined || spec.plugin.kind === kind),
  listGlobalDatasources: async (kind) =>
    (await list<GlobalDatasourceResource>('/api/v1/globaldatasources')).filter(
      ({ spec }) => kind === undefined || spec.plugin.kind === kind,
    ),
};

// How an administrator connects Perses to a PersAI gateway. Its client knows the proxy's path and nothing else:
// the gateway's own address stays with the Perses server.
import { HTTPProxy } from '@perses-dev/core';
import { DatasourcePlugin } from '@perses-dev/plugin-system';

import { GatewayClient, createGatewayClient } from '../api/client';
import { bounded } from '../chat/view/Boundary';
import { PersAIDatasourceEditor } from './PersAIDatasourceEditor';

export interface PersAIDatasourceSpec {
  readonly proxy: HTTPProxy;
}

export interface PersAIDatasourceClient {
  readonly proxyUrl: string | undefined;
  /** Throws when Perses gives no proxy path, as for a datasource of a project. */
  readonly gateway: () => GatewayClient;
}

export const PERSAI_DATASOURCE_KIND = 'PersAIDatasource';

/** What the plugin asks of the gateway (the original PersAI's asks less); anything else, as /metrics, Perses does not let
 *  through. The same list is in compose/provisioning/persai-endpoints.json. */
export const ALLOWED_ENDPOINTS: ReadonlyArray<{ endpointPattern: string; method: string }> = [
  { endpointPattern: '^/session$', method: 'POST' },
  { endpointPattern: '^/sessions$', method: 'GET' },
  { endpointPattern: '^/session/[^/]+$', method: 'GET' },
  { endpointPattern: '^/session/[^/]+$', method: 'PATCH' },
  { endpointPattern: '^/session/[^/]+$', method: 'DELETE' },
  { endpointPattern: '^/session/[^/]+/fork$', method: 'POST' },
  { endpointPattern: '^/session/[^/]+/message/[^/]+$', method: 'PATCH' },
  { endpointPattern: '^/session/[^/]+/message/[^/]+$', method: 'DELETE' },
  { endpointPattern: '^/session/[^/]+/turn$', method: 'POST' },
  { endpointPattern: '^/session/[^/]+/turn/[^/]+/events$', method: 'GET' },
  { endpointPattern: '^/session/[^/]+/turn/[^/]+/(cancel|resume)$', method: 'POST' },
  { endpointPattern: '^/session/[^/]+/message/[^/]+/feedback$', method: 'PUT' },
  { endpointPattern: '^/session/[^/]+/message/[^/]+/feedback$', method: 'DELETE' },
  { endpointPattern: '^/session/[^/]+/share$', method: 'POST' },
  { endpointPattern: '^/session/[^/]+/share$', method: 'DELETE' },
  { endpointPattern: '^/shared/[^/]+$', method: 'GET' },
  { endpointPattern: '^/session/[^/]+/export$', method: 'GET' },
  { endpointPattern: '^/models$', method: 'GET' },
  { endpointPattern: '^/budget$', method: 'GET' },
  { endpointPattern: '^/admin$', method: 'GET' },
  { endpointPattern: '^/admin/(usage|turns)$', method: 'GET' },
  { endpointPattern: '^/admin/session/[^/]+/turn/[^/]+/cancel$', method: 'POST' },
  { endpointPattern: '^/admin/switches$', method: 'GET' },
  { endpointPattern: '^/admin/switches$', method: 'PUT' },
];

export const PersAIDatasource: DatasourcePlugin<PersAIDatasourceSpec, PersAIDatasourceClient> = {
  createClient: (_spec, { proxyUrl }) => ({
    proxyUrl,
    gateway: () => createGatewayClient(proxyUrl),
  }),
  OptionsEditorComponent: bounded(PersAIDatasourceEditor),
  createInitialOptions: () => ({
    proxy: {
      kind: 'HTTPProxy',
      spec: { url: '', allowedEndpoints: ALLOWED_ENDPOINTS.map((endpoint) => ({ ...endpoint })) },
    },
  }),
};

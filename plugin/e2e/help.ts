// The pages that say what to do when PersAI can't be used; the form that signs in.
import { createServer } from 'node:http';

import { expect, it } from 'vitest';

import { visit } from './lib/browser';
import { freePort, until } from './lib/processes';
import { PERSAI, World } from './lib/world';

const PERSAI_DATASOURCE = '/api/v1/globaldatasources/persai';

/** Leads the PersAI datasource elsewhere while the test runs, and back. */
async function leading(world: World, url: string | undefined, test: () => Promise<void>): Promise<void> {
  const { stack } = world;
  const before = (await (await stack.perses('admin', 'GET', PERSAI_DATASOURCE)).json()) as {
    metadata: unknown;
    spec: { plugin: { spec: { proxy: { spec: { url: string } } } } };
  };
  const other = structuredClone(before);
  other.spec.plugin.spec.proxy.spec.url = url ?? '';
  if (url === undefined) await stack.perses('admin', 'DELETE', PERSAI_DATASOURCE);
  else await stack.perses('admin', 'PUT', PERSAI_DATASOURCE, other);
  try {
    await test();
  } finally {
    if (url === undefined) await stack.create('/api/v1/globaldatasources', before);
    else await stack.perses('admin', 'PUT', PERSAI_DATASOURCE, before);
  }
}

export function helpTests(the: () => World): void {
  it('is that nobody is signed in: a form, and a wrong password', async () => {
    const world = the();
    const { stack } = world;
    world.open = await visit(world.browser, stack.url);
    const { page } = world.open;
    await page.goto(stack.url + PERSAI);
    await page.getByLabel('User name').fill('demo');
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('The name or the password is wrong.').waitFor();
    await page.getByLabel('Password').fill(stack.password('demo'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('textbox', { name: 'Question' }).waitFor();
  });

  it('is a gateway that does not answer', async () => {
    const world = the();
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    await leading(world, nowhere, async () => {
      const { page } = await world.come();
      await page.getByRole('heading', { name: 'PersAI does not answer' }).waitFor();
      await world.shot('gateway-down');
    });
    await world.open?.page.getByRole('button', { name: 'Try again' }).click();
    await world.open?.page.getByRole('textbox', { name: 'Question' }).waitFor();
  });

  it('is a datasource that leads to something else', async () => {
    const world = the();
    await leading(world, world.stack.prometheus, async () => {
      const { page } = await world.come();
      await page.getByRole('heading', { name: 'The PersAI datasource leads somewhere else' }).waitFor();
    });
  });

  it('is a gateway of another version', async () => {
    const world = the();
    const other = createServer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'PersAI-API': '2' }).end('[]');
    });
    const port = await freePort();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    try {
      await leading(world, `http://127.0.0.1:${port}`, async () => {
        const { page } = await world.come();
        await page.getByRole('heading', { name: 'Plugin and gateway do not fit together' }).waitFor();
        await page.getByText('speaks version 1 of the API, the gateway version 2').waitFor();
      });
    } finally {
      other.closeAllConnections();
      other.close();
    }
  });

  it('is a datasource that is missing', async () => {
    const world = the();
    await leading(world, undefined, async () => {
      const { page } = await world.come();
      await page.getByRole('heading', { name: 'PersAI is not connected yet' }).waitFor();
    });
  });

  it('is a person who may not use it', async () => {
    const world = the();
    const { stack } = world;
    const binding = '/api/v1/globalrolebindings/readers';
    const before: unknown = await (await stack.perses('admin', 'GET', binding)).json();
    await stack.perses('admin', 'DELETE', binding);
    const { page } = await world.come();
    await page.getByRole('heading', { name: 'You may not use PersAI' }).waitFor();
    await until('a sentence says which right is missing', async () =>
      (await page.getByRole('alert').innerText()).includes('GlobalDatasource'),
    );
    expect(await page.getByRole('textbox', { name: 'Question' }).count()).toBe(0);
    await stack.create('/api/v1/globalrolebindings', before);
  });
}

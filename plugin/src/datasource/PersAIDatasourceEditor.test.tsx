// @vitest-environment jsdom
import { fireEvent, render, screen } from '@testing-library/react';
import { ReactElement, useState } from 'react';
import { expect, it, vi } from 'vitest';

import { PersAIDatasourceEditor } from './PersAIDatasourceEditor';
import type { PersAIDatasourceSpec } from './PersAIDatasource';

vi.mock('@perses-dev/plugin-system', () => ({}));

const INITIAL: PersAIDatasourceSpec = {
  proxy: {
    kind: 'HTTPProxy',
    spec: { url: '', allowedEndpoints: [{ endpointPattern: '^/sessions$', method: 'GET' }] },
  },
};

let written = INITIAL;

function Editor(): ReactElement {
  const [value, setValue] = useState(INITIAL);
  const onChange = (next: PersAIDatasourceSpec): void => {
    written = next;
    setValue(next);
  };
  return <PersAIDatasourceEditor value={value} onChange={onChange} />;
}

it("writes the gateway's address behind Perses's proxy, and leaves what else was there", () => {
  render(<Editor />);
  const url = screen.getByRole('textbox', { name: 'Gateway URL' });
  fireEvent.change(url, { target: { value: ' http://gateway:8000 ' } });
  fireEvent.change(screen.getByRole('textbox', { name: 'Secret' }), { target: { value: 'tls' } });
  const { allowedEndpoints } = INITIAL.proxy.spec;
  expect(written).toEqual({
    proxy: { kind: 'HTTPProxy', spec: { url: 'http://gateway:8000', secret: 'tls', allowedEndpoints } },
  });
  expect(url).not.toHaveAttribute('aria-invalid', 'true');
  fireEvent.change(screen.getByRole('textbox', { name: 'Secret' }), { target: { value: '' } });
  expect(written.proxy.spec.secret).toBeUndefined();
});

it.each(['gateway:8000', 'ftp://gateway', 'http://me:secret@gateway', 'http://gateway/?to=elsewhere'])(
  'says that %s is no address of a gateway',
  (wrong) => {
    render(<Editor />);
    const url = screen.getByRole('textbox', { name: 'Gateway URL' });
    fireEvent.change(url, { target: { value: wrong } });
    expect(url).toHaveAttribute('aria-invalid', 'true');
    expect(screen.getByText(/^http:\/\/ or https:\/\/, a host/)).toBeInTheDocument();
  },
);

// What a dashboard shows right now, as a turn's context takes it. Pure.
import { VariableStateMap } from '@perses-dev/plugin-system';

import { TurnContext } from '../api/client';
import { shorten } from '../text';

const VALUES_MAX = 50;
const CHARS_MAX = 500;

function cut(text: string): string {
  return shorten(text, CHARS_MAX);
}

/** The values of the variables; those that begin with two underscores are Perses's own and tell where we are. */
export function aboutOf(state: VariableStateMap): TurnContext {
  const text = (name: string): string => {
    const value = state[name]?.value;
    return typeof value === 'string' ? value : '';
  };
  const variables: Record<string, string | readonly string[]> = {};
  for (const [name, { value }] of Object.entries(state)) {
    if (name.startsWith('__') || value === null || value === undefined) continue;
    variables[name] = Array.isArray(value) ? value.slice(0, VALUES_MAX).map(cut) : cut(value);
  }
  const project = text('__project');
  const name = text('__dashboard');
  return {
    ...(project === '' || name === '' ? {} : { dashboard: { project, name } }),
    ...(Object.keys(variables).length === 0 ? {} : { variables }),
  };
}

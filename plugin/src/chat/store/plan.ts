// The plan that the model shows: a call of show_plan holds the whole of it, and the last call counts. Pure.
import { asList, asObject, asText } from '../../api/events';
import { t } from '../../i18n/i18n';

export type PlanState = 'todo' | 'doing' | 'done' | 'dropped';

export interface PlanStep {
  readonly text: string;
  readonly state: PlanState;
}

/** As many as the tool takes. */
const STEPS_MAX = 12;

export const PLAN_TOOL = 'show_plan';

function stateOf(value: unknown): PlanState {
  return value === 'doing' || value === 'done' || value === 'dropped' ? value : 'todo';
}

/** Of a call's arguments; undefined: there is no plan in them, as while they are being written. */
export function planOf(args: unknown): readonly PlanStep[] | undefined {
  const steps = asList(asObject(args)?.['steps'])
    .slice(0, STEPS_MAX)
    .map((one) => ({ text: asText(asObject(one)?.['step']), state: stateOf(asObject(one)?.['state']) }))
    .filter(({ text }) => text !== '');
  return steps.length === 0 ? undefined : steps;
}

/** How far it is, for a person. */
export function progressOf(steps: readonly PlanStep[]): string {
  const wanted = steps.filter(({ state }) => state !== 'dropped');
  const done = wanted.filter(({ state }) => state === 'done').length;
  return t('plan.progress', { done, count: wanted.length });
}

// What a person may use in a day, and what is left of it today, where the operator has set that; checked.
import { asObject } from './events';

export interface Budget {
  /** undefined: not limited. */
  readonly tokens?: number;
  /** Dollars; undefined: not limited. */
  readonly cost?: number;
}

function leftOf(value: unknown): number | undefined {
  const left = asObject(value)?.['left'];
  return typeof left === 'number' && Number.isFinite(left) && left >= 0 ? left : undefined;
}

/** → what is left */
export function parseBudget(body: unknown): Budget {
  const said = asObject(body);
  const [tokens, cost] = [leftOf(said?.['tokens']), leftOf(said?.['cost'])];
  return { ...(tokens === undefined ? {} : { tokens }), ...(cost === undefined ? {} : { cost }) };
}

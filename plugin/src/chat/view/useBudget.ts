// What is left of the person's budget of today, as it was after the last answer.
import { useQuery } from '@tanstack/react-query';

import { Budget } from '../../api/budget';
import { GatewayClient } from '../../api/client';
import { Usage } from '../../api/events';
import { t } from '../../i18n/i18n';
import { costText, rounded } from '../../text';

/** Others' answers and other conversations use it too. */
const STALE_MS = 60_000;

export function useBudget(
  client: GatewayClient,
  gateway: string,
  usage: Usage | undefined,
): Budget | undefined {
  const used = usage === undefined ? 0 : usage.inputTokens + usage.outputTokens;
  const { data } = useQuery({
    queryKey: ['persai-budget', gateway, used],
    queryFn: ({ signal }) => client.getBudget(signal).catch(() => ({})), // it is told where it can be
    keepPreviousData: true,
    staleTime: STALE_MS,
    retry: false,
  });
  return data;
}

/** "$0.80 · 12k tokens left today", or empty: nothing is limited. "–": a model without a price uses none of it. */
export function budgetText(budget: Budget | undefined, isPriced: boolean): string {
  const { tokens, cost } = budget ?? {};
  const what = [
    cost === undefined ? '' : costText(isPriced ? cost : undefined),
    tokens === undefined ? '' : t('usage.tokens', { count: tokens, sum: rounded(tokens) }),
  ].filter((one) => one !== '');
  return what.length === 0 ? '' : t('usage.left', { what: what.join(' · ') });
}

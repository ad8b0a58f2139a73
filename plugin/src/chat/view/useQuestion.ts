// What the next question goes with: the datasources and the model that were picked, the time, dashboards; and why it can
// not be asked right now.
import { isRelativeTimeRange } from '@perses-dev/core';
import { useTimeRange } from '@perses-dev/plugin-system';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';

import { GatewayClient, ModelInfo, TurnContext } from '../../api/client';
import { Attachment, contextOf } from '../../dashboards/context';
import { Source, pathsOf, pickedOf } from '../../datasource/sources';
import { lastModel } from '../store/tab';
import { useInfo, useRead } from '../store/context';
import { Conversation, SendOptions } from '../store/conversation';
import { ConversationInfo } from '../store/state';
import { t } from '../../i18n/i18n';

export const MODELS_KEY = 'persai-models';

export interface QuestionSetup {
  readonly client: GatewayClient;
  /** The gateway's datasource, by name. */
  readonly gateway: string;
  /** The datasources that can be asked, the default one first. */
  readonly sources: readonly Source[];
  /** Paths of the datasources that are asked when none is picked. */
  readonly preferred?: readonly string[];
  /** What the page around it shows, as a dashboard: goes with every question. */
  readonly about?: TurnContext;
}

export interface Question {
  readonly picked: readonly Source[];
  readonly models: readonly ModelInfo[];
  readonly model: string;
  /** undefined: no datasource is chosen. */
  readonly sendOptions: () => SendOptions | undefined;
  readonly blocked: string | undefined;
  readonly send: (text: string) => void;
}

/** What the question is about: the time that is selected, where the person is, the dashboards that were added, and
 *  the one that the chat is in, should there be one. */
function useTurnContext(
  attachments: readonly Attachment[],
  about: TurnContext | undefined,
): () => TurnContext {
  const { timeRange } = useTimeRange();
  return useCallback(() => {
    const added = contextOf(attachments, about?.dashboard !== undefined);
    const variables = { ...added?.variables, ...about?.variables };
    return {
      time_range: isRelativeTimeRange(timeRange)
        ? { duration: timeRange.pastDuration }
        : { start: timeRange.start.toISOString(), end: timeRange.end.toISOString() },
      follow_ups: true,
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      ...added,
      ...about,
      ...(Object.keys(variables).length === 0 ? {} : { variables }),
    };
  }, [timeRange, attachments, about]);
}

const NO_MODELS: readonly ModelInfo[] = [];

/** The model that was picked: for this conversation, or last of all for one that has not begun; or empty. */
function chosenOf({ model, sessionId }: ConversationInfo, models: readonly ModelInfo[]): string {
  if (model !== '' || sessionId !== undefined) return model;
  const before = lastModel();
  return models.some(({ id }) => id === before) ? before : '';
}

function useModels(client: GatewayClient, gateway: string): readonly ModelInfo[] {
  const { data } = useQuery({
    queryKey: [MODELS_KEY, gateway],
    queryFn: ({ signal }) => client.listModels(signal),
    staleTime: 60_000,
  });
  return data ?? NO_MODELS;
}

function whyBlocked(
  info: ConversationInfo,
  picked: readonly Source[],
  awaiting: boolean,
): string | undefined {
  if (picked.length === 0) return t('useQuestion.thereIsNoDatasource');
  if (awaiting) return t('useQuestion.approveOrRefuseFirst');
  if (info.line === 'signed_out') return t('useQuestion.signInToPerses');
  if (info.loading) return t('useQuestion.loading');
  return info.problem === undefined ? undefined : t('command.new');
}

export function useQuestion(conversation: Conversation, setup: QuestionSetup): Question {
  const { client, gateway, sources, preferred, about } = setup;
  const info = useInfo(conversation);
  const awaiting = useRead(conversation, ({ awaiting: waits }) => waits);
  const models = useModels(client, gateway);
  const chosen = chosenOf(info, models);
  const usual = models.find(({ isDefault }) => isDefault) ?? models[0];
  const wanted = info.context.datasources ?? preferred;
  const picked = useMemo(() => pickedOf(sources, wanted ?? []), [sources, wanted]);
  const turnContext = useTurnContext(info.context.attachments, about);
  const sendOptions = useCallback((): SendOptions | undefined => {
    const [path, ...others] = pathsOf(picked);
    if (path === undefined) return undefined;
    return {
      datasourcePath: path,
      context: { ...turnContext(), ...(others.length === 0 ? {} : { datasources: others }) },
      model: chosen === '' ? undefined : chosen,
    };
  }, [picked, turnContext, chosen]);
  const send = useCallback(
    (text: string): void => {
      const options = sendOptions();
      if (options !== undefined) void conversation.send(text, options);
    },
    [conversation, sendOptions],
  );
  const blocked = whyBlocked(info, picked, awaiting);
  return { picked, models, model: chosen || (usual?.id ?? ''), sendOptions, blocked, send };
}

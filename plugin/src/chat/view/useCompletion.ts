// What is offered for what is being written: commands, datasources, models, dashboards with their panels, metrics.
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { datasourceLabel } from '../../api/datasource';
import { ModelInfo } from '../../api/client';
import { PersesApi } from '../../api/perses';
import { attachmentOf, withAttachment } from '../../dashboards/context';
import { Source } from '../../datasource/sources';
import { t } from '../../i18n/i18n';
import { Conversation } from '../store/conversation';
import { COMMANDS, Offer, Token, fitting } from './commands';

export interface CompletionSetup {
  readonly conversation: Conversation;
  readonly perses: PersesApi | undefined;
  readonly sources: readonly Source[];
  readonly picked: readonly Source[];
  readonly models: readonly ModelInfo[];
  readonly onNew: () => void;
  readonly onHelp: () => void;
}

export interface Completions {
  readonly offersFor: (token: Token | undefined) => readonly Offer[];
  /** Does what was chosen; what it returns stands in the text instead. */
  readonly choose: (token: Token, offer: Offer) => string;
}

interface Mention extends Offer {
  readonly run: () => string;
}

const PROMETHEUS = 'Prometheus';
const KEPT_MS = 60_000;

async function allDashboards(perses: PersesApi): ReturnType<PersesApi['listDashboards']> {
  const projects = await perses.listProjects();
  const lists = await Promise.all(
    projects.slice(0, 50).map(({ metadata }) => perses.listDashboards(metadata.name).catch(() => [])),
  );
  return lists.flat();
}

function useMentions({ conversation, perses, picked }: CompletionSetup, wanted: boolean): readonly Mention[] {
  const boards = useQuery({
    queryKey: ['persai-all-dashboards', perses?.prefix],
    queryFn: () => (perses === undefined ? [] : allDashboards(perses)),
    enabled: wanted && perses !== undefined,
    staleTime: KEPT_MS,
  });
  const path = picked.find(({ product }) => product === PROMETHEUS)?.path;
  const metrics = useQuery({
    queryKey: ['persai-metrics', perses?.prefix, path],
    queryFn: () => (perses === undefined || path === undefined ? [] : perses.listMetrics(path)),
    enabled: wanted && path !== undefined && perses !== undefined,
    staleTime: KEPT_MS,
  });
  return useMemo(() => {
    const attach = (board: NonNullable<typeof boards.data>[number], panels: readonly string[]): void => {
      const { context } = conversation.getSnapshot();
      const attachment = attachmentOf(board, new Set(panels), {}, false);
      const attachments = withAttachment(context.attachments, attachment);
      void conversation.setContext({ ...context, attachments });
    };
    const found = (boards.data ?? []).flatMap((board): Mention[] => {
      const { name, project } = board.metadata;
      const title = board.spec.display?.name ?? name;
      const panels = Object.entries(board.spec.panels);
      const whole: Mention = {
        id: `d/${project}/${name}`,
        label: title,
        about: t('mention.dashboard', { project }),
        run: () => {
          attach(
            board,
            panels.map(([key]) => key),
          );
          return `“${title}” `;
        },
      };
      const parts = panels.map(([key, panel]): Mention => {
        const label = panel.spec.display.name || key;
        const run = (): string => {
          attach(board, [key]);
          return `“${label}” `;
        };
        return {
          id: `p/${project}/${name}/${key}`,
          label,
          about: t('mention.panel', { dashboard: title }),
          run,
        };
      });
      return [whole, ...parts];
    });
    const names = (metrics.data ?? []).map((label): Mention => {
      return { id: `m/${label}`, label, about: t('mention.metric'), run: () => `${label} ` };
    });
    return [...found, ...names];
  }, [boards, metrics.data, conversation]);
}

export function useCompletion(setup: CompletionSetup, wantsMentions: boolean): Completions {
  const { conversation, sources, models, onNew, onHelp } = setup;
  const mentions = useMentions(setup, wantsMentions);
  return useMemo((): Completions => {
    const values = (command: Token['command']): readonly Offer[] =>
      command === 'model'
        ? models.map(({ id, description }) => ({ id, label: id, about: description }))
        : sources.map((source) => ({
            id: source.path,
            label: datasourceLabel(source),
            about: source.product,
          }));
    return {
      offersFor: (token) => {
        if (token === undefined) return [];
        if (token.kind === 'mention') return fitting(mentions, token.word);
        if (token.kind === 'value') return fitting(values(token.command), token.word);
        const commands = COMMANDS.map((id) => ({ id, label: `/${id}`, about: t(`command.${id}`) }));
        return fitting(commands, `/${token.word}`);
      },
      choose: (token, { id }) => {
        if (token.kind === 'mention') return mentions.find((one) => one.id === id)?.run() ?? '';
        if (token.kind === 'value') {
          const { context } = conversation.getSnapshot();
          if (token.command === 'model') void conversation.setModel(id);
          else void conversation.setContext({ ...context, datasources: [id] });
          return '';
        }
        if (id === 'new') onNew();
        if (id === 'help') onHelp();
        if (id === 'investigate' || id === 'documents') return t(`command.${id}.text`);
        return id === 'datasource' || id === 'model' ? `/${id} ` : '';
      },
    };
  }, [conversation, sources, models, mentions, onNew, onHelp]);
}

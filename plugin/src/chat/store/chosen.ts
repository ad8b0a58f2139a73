// What the person chose for the questions of a conversation: datasources and dashboards. Pure.
import { datasourceOf, globalPath } from '../../api/datasource';
import { asList, asText } from '../../api/events';
import { Attachment, parseAttachment } from '../../dashboards/context';

/** What each question of the conversation goes with; kept with it, so a reload and another tab have it too. */
export interface ConversationContext {
  /** Paths of the datasources that are asked, in the order in which they were picked; none: the default one. */
  readonly datasources?: readonly string[];
  readonly attachments: readonly Attachment[];
}

/** As many as the gateway takes. */
export const DATASOURCES_MAX = 16;
export const NO_CONTEXT: ConversationContext = { attachments: [] };

/** As it was stored, checked. */
export function parseContext(stored: Readonly<Record<string, unknown>>): ConversationContext {
  const paths = asList(stored['datasources']).map(asText);
  const name = asText(stored['datasource']); // as it was kept before there could be several
  const datasources = [...paths, ...(name === '' ? [] : [globalPath(name)])]
    .filter((path) => datasourceOf(path) !== undefined)
    .slice(0, DATASOURCES_MAX);
  const attachments = asList(stored['attachments'])
    .map(parseAttachment)
    .filter((one) => one !== undefined);
  return { ...(datasources.length === 0 ? {} : { datasources }), attachments };
}

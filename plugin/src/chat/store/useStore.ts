// The store of a chat, for as long as the chat is on the page.
import { useEffect, useRef, useState } from 'react';

import { GatewayClient } from '../../api/client';
import { parseJson } from '../../api/events';
import { Conversation } from './conversation';
import { readTab, tabKey, writeTab } from './tab';

export interface StoreOptions {
  readonly client: GatewayClient;
  /** Where the chat is: a question that could not be sent is kept for there. */
  readonly place: string;
  readonly onSession: (sessionId: string | undefined) => void;
  readonly onChange: () => void;
}

export function useStore({ client, place, onSession, onChange }: StoreOptions): Conversation {
  const callbacks = useRef({ onSession, onChange });
  callbacks.current = { onSession, onChange };
  const [{ asked, chosen }] = useState(() => ({
    asked: tabKey('asked', place),
    chosen: tabKey('chosen', place),
  }));
  const [conversation, setConversation] = useState<Conversation>();
  useEffect(() => {
    const made = new Conversation({
      client,
      onSession: (id) => callbacks.current.onSession(id),
      onChange: () => callbacks.current.onChange(),
      onPending: (text) => writeTab(asked, text ?? ''),
      chosen: parseJson(readTab(chosen)),
      onChosen: (context) => writeTab(chosen, context === undefined ? '' : JSON.stringify(context)),
    });
    setConversation(made);
    return () => made.dispose();
  }, [client, asked, chosen]);
  // The first drawing has a store too: one without a stream, replaced before anything is asked of it.
  const [blank] = useState(() => new Conversation({ client }));
  useEffect(() => () => blank.dispose(), [blank]);
  return conversation ?? blank;
}

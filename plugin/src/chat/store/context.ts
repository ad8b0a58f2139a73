// What the parts of a chat share: the store, and what the page around it can do.
import { createContext, useContext, useSyncExternalStore } from 'react';

import { ModelInfo } from '../../api/client';
import { PersesApi } from '../../api/perses';
import { Conversation, SendOptions } from './conversation';
import { ConversationInfo, ConversationState } from './state';
import type { Source } from '../../datasource/sources';
import { Draft, DraftBoard } from '../tools/drafts';

export interface ChatContextValue {
  readonly conversation: Conversation;
  /** Perses's own API, for what is picked from it. */
  readonly perses?: PersesApi;
  /** The datasource, time and context of the next question; undefined: no datasource is chosen. */
  readonly sendOptions: () => SendOptions | undefined;
  /** It is another person's, and can only be read. */
  readonly readOnly?: boolean;
  /** The datasources that can be asked, those that are picked first; undefined: it isn't known. */
  readonly sources?: readonly Source[];
  /** The models that can be asked. */
  readonly models?: readonly ModelInfo[];
  /** Opens the dialog that writes panels into a dashboard, or makes the proposed one. */
  readonly addToDashboard?: (panels: readonly Draft[], board?: DraftBoard) => void;
}

export const ChatContext = createContext<ChatContextValue | undefined>(undefined);

export function useChat(): ChatContextValue {
  const value = useContext(ChatContext);
  if (value === undefined) throw new Error('No ChatContext found. Did you forget a Provider?');
  return value;
}

/** For what is drawn outside of a chat, too. */
export function useOptionalChat(): ChatContextValue | undefined {
  return useContext(ChatContext);
}

export function useConversation(conversation: Conversation): ConversationState {
  return useSyncExternalStore(conversation.subscribe, conversation.getSnapshot);
}

/** All but the messages: for what is not drawn again with every token. */
export function useInfo(conversation: Conversation): ConversationInfo {
  return useSyncExternalStore(conversation.subscribe, conversation.getInfo);
}

/** What is read from the conversation; drawn again only when that changes. */
export function useRead<T>(conversation: Conversation, read: (conversation: Conversation) => T): T {
  return useSyncExternalStore(conversation.subscribe, () => read(conversation));
}

export function useBusy(conversation: Conversation): boolean {
  return useRead(conversation, ({ busy }) => busy);
}

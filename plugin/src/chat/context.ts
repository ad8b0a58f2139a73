// What the parts of a chat share: the store, and what the surroundings can do.
import { createContext, useContext, useSyncExternalStore } from 'react';

import { PersesApi } from '../api/perses';
import { Conversation, ConversationState, SendOptions } from './conversation';
import { CallPanel, PanelSettings } from './panels';

export interface ChatContextValue {
  readonly conversation: Conversation;
  /** Perses's own API, for what is picked from it. */
  readonly perses?: PersesApi;
  /** The datasource, time and context of the next question; undefined: no datasource is chosen. */
  readonly sendOptions: () => SendOptions | undefined;
  /** Opens the dialog that writes panels into a dashboard. */
  readonly addToDashboard?: (panels: ReadonlyArray<{ panel: CallPanel; settings: PanelSettings }>) => void;
  /** Puts a text into the composer, for the person to change and send. */
  readonly editText?: (text: string) => void;
}

export const ChatContext = createContext<ChatContextValue | undefined>(undefined);

export function useChat(): ChatContextValue {
  const value = useContext(ChatContext);
  if (value === undefined) throw new Error('No ChatContext found. Did you forget a Provider?');
  return value;
}

export function useConversation(conversation: Conversation): ConversationState {
  return useSyncExternalStore(conversation.subscribe, conversation.getSnapshot);
}

// What leaves a conversation for others: who may read it, a file of it, what its answers were worth.
import { GatewayClient } from '../../api/client';
import { Feedback } from '../../api/sessions';
import { Exchange } from './exchanges';
import { ConversationState } from './state';

/** The conversation that it is about. */
export interface SharingHost {
  readonly client: GatewayClient;
  readonly getSnapshot: () => ConversationState;
  readonly set: (change: Partial<ConversationState>) => void;
  /** Does it; its failure is a notice. */
  readonly act: (action: () => Promise<void>) => Promise<void>;
  /** Reads again what is stored. */
  readonly refresh: () => Promise<void>;
}

export class Sharing {
  constructor(private readonly host: SharingHost) {}

  /** Lets who is signed in and has the id read it; resolves to the id, undefined when that did not work. */
  async share(): Promise<string | undefined> {
    const { sessionId } = this.host.getSnapshot();
    if (sessionId === undefined) return undefined;
    await this.host.act(async () =>
      this.host.set({ shareId: await this.host.client.shareSession(sessionId) }),
    );
    return this.host.getSnapshot().shareId || undefined;
  }

  async unshare(): Promise<void> {
    const { sessionId } = this.host.getSnapshot();
    if (sessionId === undefined) return;
    await this.host.act(async () => {
      await this.host.client.unshareSession(sessionId);
      this.host.set({ shareId: '' });
    });
  }

  /** The conversation as a file; undefined when that did not work. */
  async exported(format: 'md' | 'json'): Promise<Blob | undefined> {
    const { sessionId } = this.host.getSnapshot();
    let file: Blob | undefined;
    if (sessionId !== undefined)
      await this.host.act(async () => {
        file = await this.host.client.exportSession(sessionId, format);
      });
    return file;
  }

  /** Says what an answer was worth; undefined takes it back. */
  async rate(exchange: Exchange, feedback: Feedback | undefined): Promise<void> {
    const { sessionId } = this.host.getSnapshot();
    const { answerId } = exchange;
    if (sessionId === undefined || answerId === undefined) return;
    await this.host.act(async () => {
      await this.host.client.rateMessage(sessionId, answerId, feedback);
      await this.host.refresh();
    });
  }
}

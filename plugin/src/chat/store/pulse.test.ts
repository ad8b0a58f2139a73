import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Pulse } from './pulse';

beforeEach(() => vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => vi.useRealTimers());

describe('the pulse of a gateway', () => {
  it('is asked for when the line is quiet, and missed within five seconds', async () => {
    const told: Array<number | undefined> = [];
    const probe = vi.fn(() => new Promise<void>(() => undefined)); // frozen
    const pulse = new Pulse({ probe, onChange: (since) => told.push(since) });
    pulse.start();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(probe).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(probe).toHaveBeenCalledTimes(1);
    expect(told).toEqual([1_000_000]);
    pulse.heard();
    expect(told).toEqual([1_000_000, undefined]);
    pulse.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that is answered is no news, and neither is a line that is spoken on', async () => {
    const onChange = vi.fn();
    const probe = vi.fn(async () => undefined);
    const pulse = new Pulse({ probe, onChange });
    pulse.start();
    await vi.advanceTimersByTimeAsync(20_000);
    const asked = probe.mock.calls.length;
    expect(asked).toBeGreaterThan(3);
    for (let i = 0; i < 10; i++) {
      pulse.heard();
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(probe.mock.calls.length).toBeLessThanOrEqual(asked + 1);
    expect(onChange).not.toHaveBeenCalled();
    pulse.stop();
  });

  it('that is refused is missed, until there is one again', async () => {
    const told: Array<number | undefined> = [];
    let works = false;
    const probe = async (): Promise<void> => {
      if (!works) throw new Error('unreachable');
    };
    const pulse = new Pulse({ probe, onChange: (since) => told.push(since) });
    pulse.start();
    await vi.advanceTimersByTimeAsync(4_000);
    expect(told).toEqual([1_000_000]);
    works = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told).toEqual([1_000_000, undefined]);
    pulse.stop();
  });
});

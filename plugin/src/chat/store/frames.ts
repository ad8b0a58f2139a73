// Work once a frame. A hidden tab has no frames, so a timer stands in: what was streamed must be there, and
// the title must change, while nobody looks.

const HIDDEN_MS = 250;

/** Returns a function that asks for `work` to run at the next frame, however often it is called before. */
export function perFrame(work: () => void): { request: () => void; cancel: () => void } {
  let frame = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const cancel = (): void => {
    if (frame !== 0) cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = 0;
    timer = undefined;
  };
  const run = (): void => {
    cancel();
    work();
  };
  const request = (): void => {
    if (timer !== undefined) return;
    if (typeof requestAnimationFrame === 'function') frame = requestAnimationFrame(run);
    timer = setTimeout(run, HIDDEN_MS);
  };
  return { request, cancel };
}

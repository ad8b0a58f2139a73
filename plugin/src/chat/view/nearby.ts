// Which elements of a scrolled box are near the part of it that is seen. Those that come near are let in a few a
// frame, the nearest first: whoever drags the scroll bar through a long conversation sees no long frame.
import { perFrame } from '../store/frames';

/** About two windows above and below the one that is seen. */
const NEAR_PX = 1_500;
const PER_FRAME = 2;

export class Nearby {
  /** The box that is scrolled. */
  root: Element | undefined;
  private observer: IntersectionObserver | undefined;
  private readonly watched = new Map<Element, (near: boolean) => void>();
  private readonly coming = new Set<Element>();
  private readonly frame = perFrame(() => this.admit());

  attach(root: Element): () => void {
    if (typeof IntersectionObserver === 'undefined') return () => undefined; // nothing is ever away
    const observer = new IntersectionObserver((entries) => this.see(entries), {
      root,
      rootMargin: `${NEAR_PX}px 0px`,
    });
    this.root = root;
    this.observer = observer;
    for (const element of this.watched.keys()) observer.observe(element);
    return () => {
      observer.disconnect();
      this.frame.cancel();
      this.coming.clear();
      this.observer = undefined;
    };
  }

  watch(element: Element, onChange: (near: boolean) => void): () => void {
    this.watched.set(element, onChange);
    this.observer?.observe(element);
    return () => {
      this.watched.delete(element);
      this.coming.delete(element);
      this.observer?.unobserve(element);
    };
  }

  private see(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.coming.add(target);
      else {
        this.coming.delete(target);
        this.watched.get(target)?.(false);
      }
    }
    if (this.coming.size > 0) this.frame.request();
  }

  private admit(): void {
    const seen = this.root?.getBoundingClientRect();
    const middle = seen === undefined ? 0 : (seen.top + seen.bottom) / 2;
    const distance = (element: Element): number => {
      const { top, bottom } = element.getBoundingClientRect();
      return Math.abs((top + bottom) / 2 - middle);
    };
    const nearest = [...this.coming].map((element) => ({ element, away: distance(element) }));
    nearest.sort((a, b) => a.away - b.away);
    for (const { element } of nearest.slice(0, PER_FRAME)) {
      this.coming.delete(element);
      this.watched.get(element)?.(true);
    }
    if (this.coming.size > 0) this.frame.request();
  }
}

// For who asked their system for less motion.
import { useMediaQuery } from '@mui/material';

const REDUCED = '(prefers-reduced-motion: reduce)';

/** Nothing inside moves, slides or pulses. */
export const STILL = {
  [`@media ${REDUCED}`]: {
    '& *, & *::before, & *::after': { animation: 'none !important', transition: 'none !important' },
  },
} as const;

/** Of a drawer, which slides in from outside: it is there at once. */
export function useDrawerMotion(): { readonly transitionDuration?: 0 } {
  return useMediaQuery(REDUCED) ? { transitionDuration: 0 } : {};
}

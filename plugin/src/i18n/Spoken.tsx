// What is inside speaks the person's language: it is drawn when that is there, and anew when they choose another one.
import { Fragment, ReactElement, ReactNode, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';

import { i18n, speak, wantedLanguage } from './i18n';

export function Spoken({ children }: { children: ReactNode }): ReactElement | null {
  const { language } = useTranslation(undefined, { i18n }).i18n;
  const [ready, setReady] = useState(() => language === wantedLanguage());
  useEffect(() => {
    if (!ready) void speak(wantedLanguage()).then(() => setReady(true));
  }, [ready]);
  return ready ? <Fragment key={language}>{children}</Fragment> : null;
}

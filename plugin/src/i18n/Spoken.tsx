// What is inside speaks the person's language: it is drawn when that is there, and anew when they choose another one.
import { Fragment, ReactElement, ReactNode, useEffect, useState, useSyncExternalStore } from 'react';
import { I18nextProvider } from 'react-i18next';

import { i18n, locale, speak, wantedLanguage } from './i18n';

function onLanguage(listener: () => void): () => void {
  i18n.on('languageChanged', listener);
  return () => i18n.off('languageChanged', listener);
}

export function Spoken({ children }: { children: ReactNode }): ReactElement | null {
  const language = useSyncExternalStore(onLanguage, locale);
  const [ready, setReady] = useState(() => language === wantedLanguage());
  useEffect(() => {
    if (!ready) void speak(wantedLanguage()).then(() => setReady(true));
  }, [ready]);
  if (!ready) return null;
  return (
    <I18nextProvider i18n={i18n}>
      <Fragment key={language}>{children}</Fragment>
    </I18nextProvider>
  );
}

import { IconButton, Tooltip } from '@mui/material';
import CheckIcon from 'mdi-material-ui/Check';
import CopyIcon from 'mdi-material-ui/ContentCopy';
import { ReactElement, useEffect, useState } from 'react';
import { t } from '../../i18n/i18n';

const SHOWN_MS = 1_500;

/** navigator.clipboard exists only on secure origins; Perses is often served over plain http. */
async function copy(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.setAttribute('readonly', '');
  area.style.position = 'fixed';
  area.style.opacity = '0';
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
}

export function CopyButton(props: { text: string; label: string; className?: string }): ReactElement {
  const { text, label, className } = props;
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle');

  useEffect(() => {
    if (state === 'idle') return undefined;
    const timer = setTimeout(() => setState('idle'), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [state]);

  const title = { idle: label, copied: t('copyButton.copied'), failed: t('copyButton.theBrowserDoesNot') }[
    state
  ];
  return (
    <Tooltip title={title}>
      <IconButton
        className={className}
        size="small"
        aria-label={title}
        onClick={() => {
          copy(text).then(
            () => setState('copied'),
            () => setState('failed'),
          );
        }}
      >
        {state === 'copied' ? <CheckIcon fontSize="inherit" /> : <CopyIcon fontSize="inherit" />}
      </IconButton>
    </Tooltip>
  );
}
